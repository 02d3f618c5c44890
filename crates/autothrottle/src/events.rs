//! Sends changes to Datadog as events, in the words of kafka-kit's autothrottle.

use crate::error::Error;
use mapper::{BrokerId, Rate};
use metrics::{Event, Events};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throttle::{
    CopySeen, RateOverride, RateOverrides, ReplicationRole, ThrottleDecision, WhyNotInSync,
};

/// Filters on existing dashboards use these words.
const TITLE: &str = "[kafka-autothrottle]";
const TAG: &str = "name:kafka-autothrottle";
/// How long events that still wait may take when the daemon ends.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends the news of each round.
#[derive(Debug, Default)]
pub(crate) struct Crier {
    /// Without Datadog's keys, no event is sent.
    events: Option<Events>,
    tags: Vec<String>,
    before: RoundEvents,
}

/// The events of one round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoundEvents {
    /// Topics that a reassignment moves.
    moving: BTreeSet<String>,
    rates: BTreeMap<(BrokerId, ReplicationRole), Rate>,
    overrides: RateOverrides,
}

impl RoundEvents {
    pub(crate) fn of(
        copies: &[CopySeen],
        decision: &ThrottleDecision,
        overrides: &RateOverrides,
    ) -> Self {
        let moves = copies.iter().filter(|copy| copy.cause == WhyNotInSync::Reassignment);
        let rates = decision.rates.iter().map(|(at, decided)| (*at, decided.rate));
        Self {
            moving: moves.map(|copy| copy.of.topic.clone()).collect(),
            rates: rates.collect(),
            overrides: overrides.clone(),
        }
    }
}

impl Crier {
    /// Begins, if there are keys for Datadog.
    pub(crate) fn start(
        metrics: &metrics::MetricsSettings,
        tags: &[String],
    ) -> Result<Self, Error> {
        let datadog = metrics.datadog.as_ref();
        let events = datadog.map(|datadog| Events::start(datadog, &metrics.http)).transpose()?;
        let tags = [TAG.to_owned()].into_iter().chain(tags.iter().cloned()).collect();
        Ok(Self { events, tags, before: RoundEvents::default() })
    }

    /// Adds a round. Never waits.
    pub(crate) fn tell(&mut self, now: RoundEvents) {
        let Some(events) = &self.events else { return };
        for (title, text) in news(&self.before, &now) {
            let title = format!("{TITLE} {title}");
            let event = Event { title, text, tags: self.tags.clone() };
            if let Err(error) = events.post(event) {
                tracing::warn!(%error, "an event is lost");
            }
        }
        self.before = now;
    }

    /// Sends what still waits, for a moment.
    pub(crate) async fn close(&mut self) {
        if let Some(events) = self.events.take() {
            events.close(PATIENCE).await;
        }
    }
}

/// Titles and texts.
fn news(before: &RoundEvents, now: &RoundEvents) -> Vec<(&'static str, String)> {
    let mut news = Vec::new();
    let done: Vec<&str> = before.moving.difference(&now.moving).map(String::as_str).collect();
    if !done.is_empty() {
        news.push(("Topics done reassigning", done.join("\n")));
    }
    let set = now.rates.iter().filter(|(at, rate)| before.rates.get(at) != Some(rate));
    let mut set: Vec<String> =
        set.map(|((broker, role), rate)| format!("broker {broker} ({role}): {rate}")).collect();
    if !set.is_empty() {
        set.push(format!("topics: {}", mapper::joined(&now.moving)));
        news.push(("Replication throttle set", set.join("\n")));
    }
    let gone = before.rates.keys().filter(|at| !now.rates.contains_key(at));
    let gone: Vec<String> =
        gone.map(|(broker, role)| format!("broker {broker} ({role})")).collect();
    if !gone.is_empty() {
        news.push(("Replication throttle removed", gone.join("\n")));
    }
    if before.overrides != now.overrides {
        news.push(("Throttle override changed", overrides(&now.overrides)));
    }
    news
}

fn overrides(all: &RateOverrides) -> String {
    let one = |whose: String, asked: &RateOverride| {
        format!("{whose}: {}, autoremove: {}", asked.rate, asked.autoremove)
    };
    let global = all.global.iter().map(|asked| one("all brokers".to_owned(), asked));
    let own = all.brokers.iter().map(|(id, asked)| one(format!("broker {id}"), asked));
    let lines: Vec<String> = global.chain(own).collect();
    if lines.is_empty() { "none is set".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(topics: &[&str], rates: &[(u32, u64)]) -> RoundEvents {
        let rate =
            |(id, rate): &(u32, u64)| ((BrokerId(*id), ReplicationRole::Leader), Rate(*rate));
        RoundEvents {
            moving: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            rates: rates.iter().map(rate).collect(),
            overrides: RateOverrides::default(),
        }
    }

    fn titles(before: &RoundEvents, now: &RoundEvents) -> Vec<&'static str> {
        news(before, now).into_iter().map(|(title, _)| title).collect()
    }

    #[test]
    fn each_change_is_told_once_and_nothing_is_told_of_what_stays() {
        let quiet = RoundEvents::default();
        let moving = round(&["events"], &[(1001, 10_000_000)]);
        assert_eq!(titles(&quiet, &moving), ["Replication throttle set"]);
        assert_eq!(titles(&moving, &moving), [""; 0]);
        let done = ["Topics done reassigning", "Replication throttle removed"];
        assert_eq!(titles(&moving, &quiet), done);
        let (_, text) = news(&quiet, &moving).remove(0);
        assert_eq!(text, format!("broker 1001 (leader): {}\ntopics: events", Rate(10_000_000)));
    }

    #[test]
    fn overrides_are_told_whole() {
        let mut asked = RoundEvents::default();
        let one = RateOverride { rate: Rate(50_000_000), autoremove: true };
        asked.overrides.brokers.insert(BrokerId(1001), one);
        let told = news(&RoundEvents::default(), &asked);
        assert_eq!(told.len(), 1);
        assert!(told[0].1.starts_with("broker 1001: ") && told[0].1.ends_with("autoremove: true"));
        assert_eq!(news(&asked, &RoundEvents::default())[0].1, "none is set");
    }
}
