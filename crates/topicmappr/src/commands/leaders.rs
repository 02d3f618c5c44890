//! `leaders`: preferred leadership as even as the replica sets allow; no data moves.

use super::scope::{PlanScope, in_scope};
use crate::error::Error;
use crate::flags::{BrokerList, PlanningArgs, TopicArgs, holders};
use crate::planning::{self, Outputs, Planned};
use crate::session::Session;
use console::{NamedValue, one_of};
use local::Status;
use local::maps::Maps;
use mapper::{Assignment, LeadBy, Leaders, Mends, PlanTerms, Snapshot};
use std::collections::BTreeSet;

/// The flags of `leaders`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) topics: TopicArgs,
    /// Choose leaders on these brokers: ids, ranges, names of maps
    ///
    /// Default: all live brokers, or those of the maps.
    #[arg(long, value_name = "ID,...", allow_hyphen_values = true)]
    brokers: Option<BrokerList>,
    /// Choose how leadership is measured
    #[arg(long, value_name = "BY", default_value = "count", value_parser = one_of(&MEASURES))]
    by: LeadBy,
    /// Even the leaders of each topic separately
    #[arg(long)]
    per_topic: bool,
    /// Move leadership off these brokers where another replica can lead
    #[arg(long, value_name = "ID,...")]
    evacuate: Option<BrokerList>,
    #[command(flatten)]
    planning: PlanningArgs,
}

const MEASURES: [NamedValue<LeadBy>; 2] = [
    ("count", LeadBy::Count, "The number of partitions that it leads"),
    ("bytes", LeadBy::Bytes, "The bytes of the partitions that it leads"),
];

pub(crate) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let outputs = Outputs::find(&args.planning)?;
    let (facts, maps) = session.facts_with_maps()?;
    let scoped = args.scoped(&facts.snapshot, &maps)?;
    // Patterns that mean nothing are the caller's mistake, not the planner's "no".
    mapper::assign(&facts.snapshot, &scoped.assignments)?;
    let request = args.request(&facts.snapshot, &maps, scoped.assignments)?;
    let planned = Planned {
        plan: mapper::leaders(&facts.snapshot, &request)?,
        placement: None,
        findings: scoped.findings,
        unmapped: scoped.unmapped,
    };
    planning::finish(planned, facts, &args.planning, outputs, session)
}

impl Args {
    /// From the maps, where there are any; from the flags, where they name brokers or there is no map.
    fn scoped(&self, snapshot: &Snapshot, maps: &Maps) -> Result<PlanScope, Error> {
        if self.brokers.is_some() || maps.written().is_empty() {
            return self.scoped_by_flags(snapshot, maps);
        }
        PlanScope::of_maps(&self.topics, snapshot, maps)
    }

    fn scoped_by_flags(&self, snapshot: &Snapshot, maps: &Maps) -> Result<PlanScope, Error> {
        let mut assignment = Assignment::new(self.topics.selection()?, BTreeSet::new());
        assignment.brokers = match &self.brokers {
            Some(list) => {
                let holding = holders(in_scope(snapshot, &assignment)?);
                list.resolve(snapshot, &holding, &maps.brokers(snapshot))?
            }
            None => {
                let live = snapshot.brokers().iter().filter(|broker| broker.live);
                live.map(|broker| broker.id).collect()
            }
        };
        Ok(PlanScope::of(assignment))
    }

    fn request(
        &self,
        snapshot: &Snapshot,
        maps: &Maps,
        assignments: Vec<Assignment>,
    ) -> Result<Leaders, Error> {
        Ok(Leaders {
            terms: PlanTerms {
                mends: Mends::Nothing,
                ..PlanTerms::new(assignments, self.planning.storage_headroom)
            },
            by: self.by,
            per_topic: self.per_topic,
            evacuate: BrokerList::named(self.evacuate.as_ref(), snapshot, maps)?,
        })
    }
}
