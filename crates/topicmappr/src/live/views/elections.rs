//! Preferred elections: what would be elected, what cannot be, and what came of it.

use super::{heading, more};
use execute::{Election, Elections, Obstacle};
use mapper::TopicPartition;
use operate::words::{counted, listed};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The most partitions in a list; more are counted.
const SHOWN: usize = 20;

/// What is about to be done.
#[derive(Debug, Serialize)]
pub(crate) struct ElectionsView<'a> {
    event: &'static str,
    elections: Vec<&'a Election>,
    obstacles: Vec<Unelected>,
}

/// A partition whose first replica does not lead, and why.
#[derive(Debug, Serialize)]
struct Unelected {
    #[serde(flatten)]
    of: TopicPartition,
    why: String,
}

impl<'a> ElectionsView<'a> {
    pub(crate) fn of(found: &'a Elections) -> Self {
        let elections = found.ready.values().collect();
        Self { event: "preview", elections, obstacles: kept(&found.obstacles) }
    }
}

fn kept(obstacles: &BTreeMap<TopicPartition, Obstacle>) -> Vec<Unelected> {
    let all =
        obstacles.iter().map(|(of, obstacle)| Unelected { of: of.clone(), why: why(obstacle) });
    all.collect()
}

fn why(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Reassigned => "it is being reassigned".to_owned(),
        Obstacle::Offline { heals } => {
            format!("it has no leader; one of {} has to return", listed(heals))
        }
        Obstacle::NotLive { broker } => format!("its first replica, {broker}, is not live"),
        Obstacle::NotInSync { broker } => format!("its first replica, {broker}, is not in sync"),
    }
}

impl fmt::Display for ElectionsView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.elections.len() {
            0 => writeln!(f, "Nothing to elect")?,
            count => writeln!(f, "To elect: {}", counted(count, "leader"))?,
        }
        for one in self.elections.iter().take(SHOWN) {
            writeln!(f, "  {}: {} after {}", one.of, one.to, one.from)?;
        }
        more(f, self.elections.len(), SHOWN, "")?;
        listed_obstacles(f, "Cannot be elected", &self.obstacles)
    }
}

fn listed_obstacles(f: &mut fmt::Formatter<'_>, name: &str, all: &[Unelected]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    heading(f, name)?;
    for kept in all.iter().take(SHOWN) {
        writeln!(f, "  {}: {}", kept.of, kept.why)?;
    }
    more(f, all.len(), SHOWN, "")
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Elected {
    event: &'static str,
    elected: usize,
    left: Vec<Unelected>,
}

impl Elected {
    /// From what was to be elected, what still is, and what Kafka said.
    pub(crate) fn of(
        found: &Elections,
        now: &Elections,
        refused: &BTreeMap<TopicPartition, String>,
    ) -> Self {
        let still =
            |of: &&TopicPartition| now.ready.contains_key(*of) || now.obstacles.contains_key(*of);
        let elected = found.ready.keys().filter(|of| !still(of)).count();
        let mut left = kept(&now.obstacles);
        left.extend(now.ready.keys().map(|of| Unelected {
            of: of.clone(),
            why: match refused.get(of) {
                Some(problem) => format!("Kafka refuses it: {problem}"),
                None => "its first replica does not lead yet: run this again".to_owned(),
            },
        }));
        left.sort_by(|one, other| one.of.cmp(&other.of));
        Self { event: "ended", elected, left }
    }

    /// Every first replica in scope leads.
    pub(crate) fn is_whole(&self) -> bool {
        self.left.is_empty()
    }
}

impl fmt::Display for Elected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Elected: {}", counted(self.elected, "leader"))?;
        listed_obstacles(f, "Not led by their first replica", &self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{BrokerId, PartitionId};

    #[test]
    fn what_still_waits_was_not_elected() {
        let of =
            |partition| TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) };
        let one = |partition| {
            let election = Election { of: of(partition), from: BrokerId(2), to: BrokerId(1) };
            (of(partition), election)
        };
        let found = Elections { ready: [one(0), one(1), one(2)].into(), ..Elections::default() };
        let now =
            Elections { ready: [one(1)].into(), obstacles: [(of(2), Obstacle::Reassigned)].into() };
        let elected = Elected::of(&found, &now, &[(of(1), "no".to_owned())].into());
        assert_eq!((elected.elected, elected.left.len()), (1, 2));
        assert!(elected.left[0].why.contains("refuses it: no"), "{elected}");
        assert!(Elected::of(&found, &Elections::default(), &BTreeMap::new()).is_whole());
    }
}
