//! What a replay expects of its own cluster, as `keep` does from recorded load: a record each hour, and a forecast from all of them.

use super::super::KeepPolicy;
use mapper::snapshot::Topic;
use mapper::{FORECAST_HOURS, Snapshot, SnapshotError, StorageHistory, TopicRecord};
use std::collections::BTreeMap;
use std::rc::Rc;

const HOUR_SECONDS: u64 = 3_600;

/// Records, and what was last expected.
#[derive(Debug, Default)]
pub(super) struct Expected {
    records: BTreeMap<String, Vec<TopicRecord>>,
    /// The first and the newest hour with a record.
    hours: Option<(i64, i64)>,
    /// The cluster as it is expected to be, with the hour of the records that say so.
    known: Option<(i64, Rc<Snapshot>)>,
}

impl Expected {
    /// Adds a record of this hour, if there is none. `bytes_in`: the rate of a topic.
    pub(super) fn record(
        &mut self,
        now: u64,
        topics: &[Topic],
        bytes_in: impl Fn(&str) -> Option<u64>,
    ) {
        let hour = hour(now);
        if self.hours.is_some_and(|(_, newest)| newest == hour) {
            return;
        }
        self.hours = Some((self.hours.map_or(hour, |(first, _)| first), hour));
        for topic in topics {
            let record =
                TopicRecord { bytes_in: bytes_in(&topic.name), ..TopicRecord::of(hour, topic) };
            match self.records.get_mut(&topic.name) {
                Some(records) => records.push(record),
                None => drop(self.records.insert(topic.name.clone(), vec![record])),
            }
        }
    }

    /// The cluster is another one now.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// The cluster as the policy wants to know it; `None` if it looks at nothing ahead, or has too few records.
    pub(super) fn at(
        &mut self,
        now: u64,
        snapshot: &Snapshot,
        policy: &KeepPolicy,
    ) -> Result<Option<Rc<Snapshot>>, SnapshotError> {
        let Some((days, (first, newest))) = policy.looks_ahead_days().zip(self.hours) else {
            return Ok(None);
        };
        if newest - first < FORECAST_HOURS {
            return Ok(None);
        }
        if let Some((at, known)) = &self.known
            && *at == hour(now)
        {
            return Ok(Some(Rc::clone(known)));
        }
        let mut history = StorageHistory::until(newest);
        for (topic, records) in &self.records {
            history.see_topic(topic, records);
        }
        let expected = Rc::new(history.forecast(&snapshot.with_free_storage()).cluster_in(days)?);
        self.known = Some((hour(now), Rc::clone(&expected)));
        Ok(Some(expected))
    }
}

/// Hours since 1970.
fn hour(seconds: u64) -> i64 {
    i64::try_from(seconds / HOUR_SECONDS).unwrap_or(i64::MAX)
}
