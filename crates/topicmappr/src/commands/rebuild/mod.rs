//! `rebuild`: puts every topic on the brokers of its map, with the least movement.

mod evacuation;
mod map_string;
mod scope;

use crate::error::Error;
use crate::facts::Facts;
use crate::flags::{BrokerList, PlanningArgs, SolverArgs, StepArgs, TopicArgs};
use crate::planning::{self, Outputs, Planned};
use crate::session::Session;
use crate::views::PlacementChoice;
use console::units::size_factor;
use console::{NamedValue, one_of};
use evacuation::EvacuationArgs;
use local::Note;
use local::Status;
use local::maps::Maps;
use mapper::{
    Engine, Mends, Optimize, PlaceBy, Plan, PlanTerms, RackRule, Ratio, Rebuild, Request, Snapshot,
};
use scope::Scoped;

/// The flags of `rebuild`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    topics: TopicArgs,
    /// Allow these brokers: ids, ranges or names of maps
    ///
    /// A range is 1001..1006. -1 means the brokers that hold the topics now, -2 means all live brokers.
    #[arg(long, value_name = "ID,...", allow_hyphen_values = true)]
    brokers: Option<BrokerList>,
    /// Start from these replica lists (Kafka's reassignment JSON); - reads stdin
    #[arg(long, value_name = "JSON|-", allow_hyphen_values = true)]
    map_string: Option<String>,
    /// Choose how new replicas get their broker
    ///
    /// Default: storage if every fact is known, else count.
    #[arg(long, value_name = "BY", value_parser = one_of(&PLACEMENTS))]
    placement: Option<PlaceBy>,
    /// Choose the order of placement by storage
    #[arg(long, value_name = "HOW", default_value = "distribution", value_parser = one_of(&ORDERS))]
    optimize: Optimize,
    /// Drop every assignment in scope and place everything again
    #[arg(long)]
    force_rebuild: bool,
    /// Set the replication factor of topics in scope; 0: unchanged
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Spread the replicas of a partition over this many racks
    ///
    /// 0 means as many racks as possible.
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_rack_ids: u32,
    /// Move partitions that broke the rack rule before
    #[arg(long)]
    fix_racks: bool,
    /// Give each outgoing broker's replicas to one broker of its rack
    #[arg(long)]
    sub_affinity: bool,
    /// Multiply partition sizes by this factor for placement by storage
    #[arg(long, value_name = "F", default_value = "1.0", value_parser = size_factor)]
    partition_size_factor: Ratio,
    /// Use liveness and racks of brokers
    ///
    /// false takes every broker as live and without a rack.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    use_meta: bool,
    /// Even the preferred leaders of every partition in scope
    ///
    /// Without it, only partitions that change get new preferred leaders.
    #[arg(long)]
    optimize_leadership: bool,
    #[command(flatten)]
    evacuation: EvacuationArgs,
    #[command(flatten)]
    solver: SolverArgs,
    #[command(flatten)]
    steps: StepArgs,
    #[command(flatten)]
    planning: PlanningArgs,
}

const PLACEMENTS: [NamedValue<PlaceBy>; 2] = [
    ("count", PlaceBy::Count, "The broker with the fewest replicas first"),
    ("storage", PlaceBy::Storage, "The broker with the least share of storage used first"),
];

const ORDERS: [NamedValue<Optimize>; 2] = [
    ("distribution", Optimize::Distribution, "First one replica of every partition, then the next"),
    ("storage", Optimize::Storage, "First all replicas of the largest partition, then the next"),
];

pub(crate) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    args.refuse_contradictions()?;
    let outputs = Outputs::find(&args.planning)?;
    let (facts, maps) = args.facts(session)?;
    args.note_what_has_no_effect(session)?;
    let scoped = scope::find(args, session, &facts.snapshot, &maps)?;
    let (plan, placement) =
        args.plan(&facts.snapshot, &scoped).map_err(|error| planning::with_lost(error, &facts))?;
    let planned = Planned {
        plan,
        placement: Some(placement),
        findings: scoped.scope.findings,
        unmapped: scoped.scope.unmapped,
    };
    planning::finish(planned, facts, &args.planning, outputs, session)
}

impl Args {
    fn refuse_contradictions(&self) -> Result<(), Error> {
        if self.placement == Some(PlaceBy::Storage) && !self.use_meta {
            let message = "--placement storage needs what --use-meta=false leaves out";
            return Err(Error::flags(message));
        }
        let by_count = self.placement == Some(PlaceBy::Count) || !self.use_meta;
        if self.searches() && (by_count || self.partition_size_factor != Ratio::ONE) {
            let message = "--solver exact searches for even storage only: leave it out, or leave out \
                --placement count, --use-meta=false and --partition-size-factor";
            return Err(Error::flags(message));
        }
        Ok(())
    }

    fn searches(&self) -> bool {
        self.solver.engine() == Engine::Exact
    }

    fn note_what_has_no_effect(&self, session: &mut Session<'_, '_>) -> Result<(), Error> {
        if self.force_rebuild && self.sub_affinity {
            let text = "--sub-affinity has no effect with --force-rebuild: no broker is replaced";
            session.say(&Note::new(text))?;
        }
        Ok(())
    }

    fn facts(&self, session: &mut Session<'_, '_>) -> Result<(Facts, Maps), Error> {
        let (mut facts, maps) = session.facts_with_maps()?;
        if !self.use_meta {
            let named = self.brokers.as_ref().map(BrokerList::ids);
            facts.snapshot = facts.snapshot.without_meta(&named.unwrap_or_default());
        }
        Ok((facts, maps))
    }

    /// Plans by storage if every fact is known, unless a flag chooses.
    fn plan(&self, snapshot: &Snapshot, scoped: &Scoped) -> Result<(Plan, PlacementChoice), Error> {
        let request = |by| Request::Rebuild(self.request(by, scoped));
        let by = match self.placement {
            Some(by) => by,
            None if self.searches() => PlaceBy::Storage,
            None if !self.use_meta => PlaceBy::Count,
            None => return planning::by_known_facts(snapshot, request),
        };
        Ok((planning::plan(snapshot, &request(by))?, PlacementChoice::of(by)))
    }

    fn request(&self, placement: PlaceBy, scoped: &Scoped) -> Rebuild {
        Rebuild {
            terms: PlanTerms {
                assignments: scoped.scope.assignments.clone(),
                mends: Mends::Everything,
                racks: RackRule::at_least(self.min_rack_ids),
                fix_racks: self.fix_racks,
                storage_headroom: self.planning.storage_headroom,
                pacing: self.steps.pacing(),
                ignore_cordons: self.planning.ignore_cordons,
            },
            placement,
            optimize: self.optimize,
            force: self.force_rebuild,
            sub_affinity: self.sub_affinity,
            partition_size_factor: self.partition_size_factor,
            optimize_leadership: self.optimize_leadership,
            leader_evacuation: scoped.evacuation.clone(),
            base: scoped.base.clone(),
            sweeps: std::collections::BTreeSet::new(),
            solver: self.solver.engine(),
        }
    }
}
