//! `--leader-evac-brokers`, `--leader-evac-topics`: the brokers that must not lead some topics.

use crate::error::Error;
use crate::flags::{BrokerList, patterns};
use local::maps::Maps;
use mapper::scope::Scope;
use mapper::{LeaderEvacuation, Snapshot};

/// The flags of leader evacuation; each means nothing without the other.
#[derive(Debug, clap::Args)]
pub(super) struct EvacuationArgs {
    /// Move leadership of --leader-evac-topics off these brokers where another can lead
    #[arg(long, value_name = "ID,...", requires = "leader_evac_topics")]
    leader_evac_brokers: Option<BrokerList>,
    /// Select the topics for --leader-evac-brokers by regexes over whole names
    #[arg(long, value_name = "REGEX,...", requires = "leader_evac_brokers")]
    leader_evac_topics: Option<String>,
}

impl EvacuationArgs {
    pub(super) fn resolve(
        &self,
        snapshot: &Snapshot,
        maps: &Maps,
    ) -> Result<Option<LeaderEvacuation>, Error> {
        let (Some(brokers), Some(topics)) = (&self.leader_evac_brokers, &self.leader_evac_topics)
        else {
            return Ok(None);
        };
        let brokers = BrokerList::named(Some(brokers), snapshot, maps)?;
        let include = patterns("--leader-evac-topics", std::slice::from_ref(topics))?;
        let topics = Scope { include, exclude: Vec::new() };
        let names: Vec<&str> = snapshot.topics().iter().map(|topic| topic.name.as_str()).collect();
        // Patterns that mean nothing are the caller's mistake, not the planner's "no".
        topics.select(&names)?;
        Ok(Some(LeaderEvacuation { brokers, topics }))
    }
}
