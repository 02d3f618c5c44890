//! `rebuild`: every topic on the brokers it belongs on, with least movement.

mod evacuation;
mod map_string;
pub(super) mod scope;

use crate::error::Error;
use crate::flags::{BrokerList, PlanningArgs, SolverArgs, StepArgs, TopicArgs, size_factor};
use crate::maps::Maps;
use crate::planning::{self, Outputs, Planned};
use crate::session::Session;
use crate::source::{Facts, Note};
use crate::status::Status;
use crate::views::PlacementChoice;
use evacuation::EvacuationArgs;
use mapper::{
    Engine, Mends, NoPlan, Optimize, PlaceBy, Plan, RackRule, Ratio, Rebuild, Request, Snapshot,
    Terms,
};
use scope::Scoped;

/// The flags of `rebuild`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    topics: TopicArgs,
    /// Brokers: ids, ranges (1001..1006), a map's name; -1: those that hold the topics, -2: all live ones
    #[arg(long, value_name = "ID,...", allow_hyphen_values = true)]
    brokers: Option<BrokerList>,
    /// Replica lists to start from, as Kafka's reassignment JSON; - reads stdin
    #[arg(long, value_name = "JSON|-", allow_hyphen_values = true)]
    map_string: Option<String>,
    /// How brokers are chosen for new replicas [default: storage where every fact is known, else count]
    #[arg(long, value_enum, value_name = "BY")]
    placement: Option<By>,
    /// How placement by storage goes about it
    #[arg(long, value_enum, value_name = "HOW", default_value = "distribution")]
    optimize: How,
    /// Drops every assignment in scope and places everything anew
    #[arg(long)]
    force_rebuild: bool,
    /// Replication factor for every topic in scope; 0 leaves each as it is
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Racks that the replicas of a partition have to span; 0: as many as there can be
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_rack_ids: u32,
    /// Mends partitions that broke the rack rule before, at the price of moving them
    #[arg(long)]
    fix_racks: bool,
    /// Gives the replicas of each outgoing broker to one incoming broker of its rack
    #[arg(long)]
    sub_affinity: bool,
    /// Factor for partition sizes when placing by storage
    #[arg(long, value_name = "F", default_value = "1.0", value_parser = size_factor)]
    partition_size_factor: Ratio,
    /// Looks at liveness and racks of brokers; false takes every broker for live and rackless
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
    /// Evens the preferred leaders of every partition in scope, not only of those that change
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// Fewest replicas first
    Count,
    /// Least share of storage used first
    Storage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum How {
    /// One replica of every partition before the next of any
    Distribution,
    /// All replicas of the largest partition first
    Storage,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
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
        findings: scoped.findings,
        unmapped: scoped.unmapped,
    };
    planning::finish(planned, facts, &args.planning, outputs, session)
}

impl Args {
    fn refuse_contradictions(&self) -> Result<(), Error> {
        if self.placement == Some(By::Storage) && !self.use_meta {
            let message = "--placement storage needs what --use-meta=false leaves out";
            return Err(Error::Flags(message.to_owned()));
        }
        let by_count = self.placement == Some(By::Count) || !self.use_meta;
        if self.searches() && (by_count || self.partition_size_factor != Ratio::ONE) {
            let message = "--solver exact searches for even storage only: leave it out, or leave out \
                --placement count, --use-meta=false and --partition-size-factor";
            return Err(Error::Flags(message.to_owned()));
        }
        Ok(())
    }

    fn searches(&self) -> bool {
        self.solver.engine() == Engine::Exact
    }

    fn note_what_has_no_effect(&self, session: &mut Session<'_, '_>) -> Result<(), Error> {
        if self.force_rebuild && self.sub_affinity {
            let text = "--sub-affinity has no effect with --force-rebuild: nobody is replaced";
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

    /// Plans by storage where nothing is missing for it, unless told otherwise.
    fn plan(&self, snapshot: &Snapshot, scoped: &Scoped) -> Result<(Plan, PlacementChoice), Error> {
        let chosen = |by: PlaceBy, because: Option<String>| PlacementChoice {
            by: match by {
                PlaceBy::Count => "count",
                PlaceBy::Storage => "storage",
            },
            because,
        };
        let rebuild = |by| mapper::rebuild(snapshot, &self.request(by, scoped));
        let refused =
            |by, why| planning::refused(snapshot, &Request::Rebuild(self.request(by, scoped)), why);
        let by = match self.placement {
            Some(By::Count) => Some(PlaceBy::Count),
            Some(By::Storage) => Some(PlaceBy::Storage),
            None if self.searches() => Some(PlaceBy::Storage),
            None if !self.use_meta => Some(PlaceBy::Count),
            None => None,
        };
        if let Some(by) = by {
            return Ok((rebuild(by).map_err(|why| refused(by, why))?, chosen(by, None)));
        }
        match rebuild(PlaceBy::Storage) {
            Err(NoPlan::MissingFact { fact, what }) => {
                let because = format!("{fact} of {what} is not known");
                let plan = rebuild(PlaceBy::Count).map_err(|why| refused(PlaceBy::Count, why))?;
                Ok((plan, chosen(PlaceBy::Count, Some(because))))
            }
            plan => {
                let plan = plan.map_err(|why| refused(PlaceBy::Storage, why))?;
                Ok((plan, chosen(PlaceBy::Storage, None)))
            }
        }
    }

    fn request(&self, placement: PlaceBy, scoped: &Scoped) -> Rebuild {
        Rebuild {
            terms: Terms {
                assignments: scoped.assignments.clone(),
                mends: Mends::Everything,
                racks: RackRule::at_least(self.min_rack_ids),
                fix_racks: self.fix_racks,
                storage_headroom: self.planning.storage_headroom,
                pacing: self.steps.pacing(),
            },
            placement,
            optimize: match self.optimize {
                How::Distribution => Optimize::Distribution,
                How::Storage => Optimize::Storage,
            },
            force: self.force_rebuild,
            sub_affinity: self.sub_affinity,
            partition_size_factor: self.partition_size_factor,
            optimize_leadership: self.optimize_leadership,
            leader_evacuation: scoped.evacuation.clone(),
            base: scoped.base.clone(),
            solver: self.solver.engine(),
        }
    }
}
