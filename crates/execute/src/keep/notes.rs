//! What one look of `keep` has to remember for the next.

use super::DAY_SECONDS;
use super::policy::{KeepPolicy, Trigger};
use mapper::{BrokerId, Bytes};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// What calls for a plan: a trigger, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Need {
    /// The trigger.
    pub trigger: Trigger,
    /// A broker's id, or the name of a load; empty for the whole cluster.
    pub subject: String,
}

/// A text that is no [`Need`].
#[derive(Debug, PartialEq, Eq)]
pub struct NoNeed(String);

impl fmt::Display for NoNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no trigger of a policy", self.0)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.as_str() {
            "" => write!(f, "{}", self.trigger),
            subject => write!(f, "{} {subject}", self.trigger),
        }
    }
}

impl FromStr for Need {
    type Err = NoNeed;

    fn from_str(text: &str) -> Result<Self, NoNeed> {
        let (name, subject) = text.split_once(' ').unwrap_or((text, ""));
        let trigger = Trigger::ALL.into_iter().find(|trigger| trigger.name() == name);
        let trigger = trigger.ok_or_else(|| NoNeed(text.to_owned()))?;
        Ok(Self { trigger, subject: subject.to_owned() })
    }
}

impl From<Need> for String {
    fn from(need: Need) -> Self {
        need.to_string()
    }
}

impl TryFrom<String> for Need {
    type Error = NoNeed;

    fn try_from(text: String) -> Result<Self, NoNeed> {
        text.parse()
    }
}

/// A plan that `keep` began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunPlan {
    /// The plan's id.
    pub plan_id: String,
    /// Why it was made.
    pub need: Need,
    /// The bytes that it copies.
    pub bytes: Bytes,
    /// When it was first seen to have ended, in seconds since 1970; `None`: it may be under way. Shifted when the clock is
    /// set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_seconds: Option<u64>,
}

impl BegunPlan {
    /// How long ago it ended, in seconds; 0 while it may be under way.
    pub(super) fn ended_ago(&self, now_seconds: u64) -> u64 {
        self.ended_seconds.map_or(0, |at| now_seconds.saturating_sub(at))
    }
}

/// What one look has to remember for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepNotes {
    /// The id of the cluster.
    pub cluster_id: String,
    /// When the last look was, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at_seconds: Option<u64>,
    /// When each need was first seen, in seconds since 1970. Shifted when the clock is set.
    #[serde(default)]
    pub since_seconds: BTreeMap<Need, u64>,
    /// The plans that began or ended lately, in order.
    #[serde(default)]
    pub begun: Vec<BegunPlan>,
}

/// A time since the last look that does not fit a look every few minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump {
    back: bool,
    seconds: u64,
}

impl KeepNotes {
    /// The same notes, shifted so that the time since the last look is at least zero and at most what counts. Also how
    /// many seconds the clock is wrong by, if it is.
    pub(super) fn by_the_clock(
        &self,
        now_seconds: u64,
        policy: &KeepPolicy,
    ) -> (Self, Option<Jump>) {
        let Some(looked) = self.looked_at_seconds else { return (self.clone(), None) };
        let counts = now_seconds.saturating_sub(looked).min(policy.between_looks_seconds());
        let as_if = looked.saturating_add(counts);
        let jump = match now_seconds.cmp(&as_if) {
            Ordering::Equal => return (self.clone(), None),
            Ordering::Greater => Jump { back: false, seconds: now_seconds - looked },
            Ordering::Less => Jump { back: true, seconds: looked - now_seconds },
        };
        let moved = |at: u64| match jump.back {
            false => at.saturating_add(now_seconds - as_if),
            true => at.saturating_sub(as_if - now_seconds),
        };
        let since = self.since_seconds.iter().map(|(need, at)| (need.clone(), moved(*at)));
        let begun = self.begun.iter();
        let begun = begun
            .map(|plan| BegunPlan { ended_seconds: plan.ended_seconds.map(moved), ..plan.clone() });
        let (since_seconds, begun) = (since.collect(), begun.collect());
        (Self { since_seconds, begun, ..self.clone() }, Some(jump))
    }

    /// The plans that ended in the last 24 hours.
    pub fn of_the_last_day(&self, now_seconds: u64) -> impl Iterator<Item = &BegunPlan> {
        let late = move |plan: &&BegunPlan| plan.ended_ago(now_seconds) < DAY_SECONDS;
        self.begun.iter().filter(late)
    }

    /// The same notes after a plan that was left because these brokers have been lost for long enough. During a plan no look is
    /// taken, so that the time since the last one says nothing about the clock.
    #[must_use]
    pub fn with_lost(
        &self,
        brokers: &BTreeSet<BrokerId>,
        now_seconds: u64,
        policy: &KeepPolicy,
    ) -> Self {
        let (mut notes, _) = self.by_the_clock(now_seconds, policy);
        let lasted = policy.replaces_lost_after_seconds().unwrap_or_default();
        let lost = |id: &BrokerId| Need { trigger: Trigger::LostBroker, subject: id.to_string() };
        let since = now_seconds.saturating_sub(lasted);
        notes.since_seconds.extend(brokers.iter().map(|id| (lost(id), since)));
        notes.looked_at_seconds = Some(now_seconds);
        notes
    }

    /// The same notes, without a plan that could not begin.
    #[must_use]
    pub fn without(mut self, plan_id: &str) -> Self {
        self.begun.retain(|plan| plan.plan_id != plan_id);
        self
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = if self.back { "before" } else { "after" };
        write!(
            f,
            "this look is {} s {from} the last one: the clock was set, or looks were missing",
            self.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_read_as_it_was_written() {
        for text in ["lost-broker 1003", "imbalance storage", "drift"] {
            assert_eq!(text.parse::<Need>().unwrap().to_string(), text);
        }
        assert!("fire 1".parse::<Need>().is_err());
        let need: Need = "lost-broker 7".parse().unwrap();
        let notes = KeepNotes { since_seconds: [(need, 5)].into(), ..KeepNotes::default() };
        let text = serde_json::to_string(&notes).unwrap();
        assert!(text.contains(r#"{"lost-broker 7":5}"#), "{text}");
        assert_eq!(serde_json::from_str::<KeepNotes>(&text).unwrap(), notes);
    }
}
