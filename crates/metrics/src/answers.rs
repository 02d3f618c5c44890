//! What a metrics system answers to several queries, until it is complete.

use crate::error::MetricsError;
use crate::measured::{BrokerAddress, BrokerMetrics, Measured, MetricsSource};
use crate::numbers::{FoundNumbers, Number};
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// The answers of one round, while they are collected.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) found: BTreeMap<BrokerId, FoundNumbers>,
    pub(crate) failed: Vec<(Number, MetricsError)>,
    pub(crate) notices: BTreeSet<String>,
}

impl Answers {
    /// The answer for each broker. `absent` is the error for a broker of which nothing was found. Where nothing at all
    /// was found because a query failed, that failure is the error.
    pub(crate) fn measured(
        self,
        source: MetricsSource,
        brokers: &[BrokerAddress],
        absent: MetricsError,
    ) -> Measured {
        let Self { mut found, failed, mut notices } = self;
        let absent = match failed.first() {
            Some((_, error)) if found.is_empty() => error.clone(),
            _ => absent,
        };
        if !found.is_empty() {
            notices.extend(failed.iter().map(|(number, error)| format!("{number}: {error}")));
        }
        let mut answer = |id| match found.remove(&id).map(|found| BrokerMetrics::of(&found)) {
            Some(metrics) if !metrics.is_empty() => Ok(metrics),
            _ => Err(absent.clone()),
        };
        let brokers = brokers.iter().map(|broker| (broker.id, answer(broker.id))).collect();
        Measured { source, brokers, notices: notices.into_iter().collect() }
    }
}
