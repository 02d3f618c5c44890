//! What became of topics, or would.

use super::{heading, more};
use crate::error::Error;
use crate::views::report::{LONG, Report};
use crate::views::table::Table;
use ::topics::{TopicChanges, TopicConfigChange};
use operate::topics::{Applied, Done, Outcome, Step, TopicsLook};
use operate::words::counted;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// A run of `topics apply` or `diff`.
pub(crate) struct TopicsView<'a> {
    looked: &'a TopicsLook,
    /// What was done; none: it was only looked.
    outcomes: Option<&'a [Outcome]>,
    requests_sent: u64,
    plan: Option<Report<'a>>,
    no_plan: Option<&'a Error>,
}

impl<'a> TopicsView<'a> {
    /// What would be done.
    pub(crate) fn of(looked: &'a TopicsLook) -> Self {
        Self { looked, outcomes: None, requests_sent: 0, plan: None, no_plan: None }
    }

    /// What was done.
    pub(crate) fn after(applied: &'a Applied) -> Self {
        let Applied { looked, outcomes, requests_sent } = applied;
        Self { outcomes: Some(outcomes), requests_sent: *requests_sent, ..Self::of(looked) }
    }

    /// With the plan for what has to move, or why there is none.
    pub(crate) fn with_plan(self, plan: Option<Report<'a>>, no_plan: Option<&'a Error>) -> Self {
        Self { plan, no_plan, ..self }
    }

    fn decision(&self) -> &'a TopicChanges {
        &self.looked.decision
    }

    /// Why something that was to be done was not.
    fn failures(&self) -> Vec<Failure> {
        let held = self.decision().held.iter().map(|held| Failure {
            topic: held.topic.clone(),
            what: "left as it is",
            why: held.why.to_string(),
            hint: match held.why {
                topics::WhyHeld::Deleted => {
                    Some("--recreate makes it again; or take its definition away".to_owned())
                }
                topics::WhyHeld::NoDeployment(_) => Some(
                    "correct partitions.replicasOf, or write a number of partitions".to_owned(),
                ),
                _ => None,
            },
        });
        let outcomes = self.outcomes.unwrap_or_default();
        held.chain(outcomes.iter().filter_map(Failure::of)).collect()
    }

    /// How many topics are as they are defined, as far as was looked.
    fn as_defined(&self) -> usize {
        let TopicChanges { create, grow, configs, moves, held, .. } = self.decision();
        let touched: BTreeSet<&str> = create
            .iter()
            .map(|new| new.topic.as_str())
            .chain(grow.iter().map(|grow| grow.topic.as_str()))
            .chain(configs.iter().map(|change| change.topic.as_str()))
            .chain(moves.iter().map(|moving| moving.topic.as_str()))
            .chain(held.iter().map(|held| held.topic.as_str()))
            .collect();
        self.looked.covered - touched.len()
    }
}

/// Something that was not done.
#[derive(Debug, Serialize)]
struct Failure {
    topic: String,
    what: &'static str,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Failure {
    fn of(outcome: &Outcome) -> Option<Self> {
        let what = match outcome.step {
            Step::Create => "not created",
            Step::Grow => "no partitions added",
            Step::Configure => "configs not set",
            Step::Delete => "not deleted",
        };
        let topic = outcome.topic.clone();
        match &outcome.done {
            Done::Yes => None,
            Done::No { why, hint } => {
                Some(Self { topic, what, why: why.clone(), hint: hint.clone() })
            }
            Done::Unknown { why } => Some(Self {
                topic,
                what: "not known whether done",
                why: why.clone(),
                hint: Some("run it again: it looks first".to_owned()),
            }),
        }
    }
}

impl fmt::Display for TopicsView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_summary(f)?;
        self.write_new(f)?;
        self.write_configs(f)?;
        self.write_moves(f)?;
        self.write_left_over(f)?;
        self.write_failures(f)?;
        match (&self.plan, self.no_plan) {
            (Some(plan), _) => write!(f, "\n{plan}"),
            (None, Some(error)) => {
                writeln!(f, "\nNo plan for the topics that have to move: {error}")
            }
            (None, None) => Ok(()),
        }
    }
}

impl TopicsView<'_> {
    fn tense(&self, done: &'static str, to_do: &'static str) -> &'static str {
        if self.outcomes.is_some() { done } else { to_do }
    }

    fn count(&self, step: Step, planned: usize) -> usize {
        let done = |outcomes: &[Outcome]| {
            outcomes.iter().filter(|o| o.step == step && o.done == Done::Yes).count()
        };
        self.outcomes.map_or(planned, done)
    }

    fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = self.decision();
        let deletes = decision.prune.iter().filter(|prune| prune.refusal.is_none()).count();
        let topics = self.looked.definitions.topics().count();
        let documents = counted(self.looked.definitions.documents(), "document");
        write!(f, "{} in {documents}", counted(topics, "topic"))?;
        if self.looked.covered < topics {
            write!(f, ", {} looked at", self.looked.covered)?;
        }
        write!(f, ": {} as defined", self.as_defined())?;
        let parts = [
            (self.count(Step::Create, decision.create.len()), self.tense("created", "to create")),
            (self.count(Step::Grow, decision.grow.len()), self.tense("grown", "to grow")),
            (
                self.count(Step::Configure, decision.configs.len()),
                self.tense("configured", "to configure"),
            ),
            (decision.moves.len(), "to move by a plan"),
            (self.count(Step::Delete, deletes), self.tense("deleted", "to delete")),
            (self.failures().len(), "not done"),
        ];
        for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        writeln!(f)
    }

    fn write_new(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TopicChanges { create, grow, .. } = self.decision();
        let columns = ["map", "topic", ">partitions", ">replication", "config"];
        Table::section(f, "New topics", columns, (create, LONG, ""), |new| {
            let config: Vec<String> =
                new.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
            [
                new.map.to_string(),
                new.topic.clone(),
                new.replicas.len().to_string(),
                new.replicas.first().map_or(0, |list| list.len()).to_string(),
                config.join(" "),
            ]
        })?;
        let columns = ["map", "topic", ">partitions"];
        Table::section(f, "More partitions", columns, (grow, LONG, ""), |grow| {
            let count = format!("{} -> {}", grow.from, grow.to());
            [grow.map.to_string(), grow.topic.clone(), count]
        })
    }

    fn write_configs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<[String; 4]> = self.decision().configs.iter().flat_map(lines).collect();
        let columns = ["topic", "key", "from", "to"];
        Table::section(f, "Configs", columns, (&lines, LONG, ""), Clone::clone)
    }

    fn write_moves(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moves: &[_] = if self.plan.is_some() { &[] } else { &self.decision().moves };
        let columns = ["map", "topic", ">replication", ">partitions with another", ">off map"];
        Table::section(f, "Needs a plan", columns, (moves, LONG, ""), |moving| {
            [
                moving.map.to_string(),
                moving.topic.clone(),
                moving.replication.to_string(),
                moving.wrong_replication.to_string(),
                moving.off_map.to_string(),
            ]
        })
    }

    fn write_left_over(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = "Created by earlier runs, and not defined any more";
        let prune = &self.decision().prune;
        Table::section(f, name, ["topic", "what"], (prune, LONG, ""), |prune| {
            let what = prune.refusal.as_ref().map_or_else(
                || self.tense("deleted, unless listed below", "to delete").to_owned(),
                ToString::to_string,
            );
            [prune.topic.clone(), what]
        })
    }

    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = self.failures();
        if failures.is_empty() {
            return Ok(());
        }
        heading(f, "Not done")?;
        for Failure { topic, what, why, hint } in failures.iter().take(LONG) {
            writeln!(f, "  {topic}: {what}")?;
            writeln!(f, "    {why}")?;
            if let Some(hint) = hint {
                writeln!(f, "    hint: {hint}")?;
            }
        }
        more(f, failures.len(), LONG, "")
    }
}

/// A line for each key.
fn lines(change: &TopicConfigChange) -> Vec<[String; 4]> {
    let before = |key: &String| change.before.get(key).cloned().unwrap_or_else(|| "-".to_owned());
    let set = change.set.iter().map(|(key, value)| (key, value.clone()));
    let unset = change.unset.iter().map(|key| (key, "-".to_owned()));
    set.chain(unset).map(|(key, to)| [change.topic.clone(), key.clone(), before(key), to]).collect()
}

impl Serialize for TopicsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TopicChanges { create, grow, configs, moves, prune, .. } = self.decision();
        let mut view = json!({
            "cluster_id": self.looked.snapshot.cluster_id(),
            "documents": self.looked.definitions.documents(),
            "topics": self.looked.definitions.topics().count(),
            "as_defined": self.as_defined(),
            "applied": self.outcomes.is_some(),
            "create": create.iter().map(|new| json!({
                "topic": new.topic, "map": new.map, "replicas": new.replicas, "config": new.config,
            })).collect::<Vec<_>>(),
            "grow": grow.iter().map(|grow| json!({
                "topic": grow.topic, "map": grow.map, "from": grow.from, "to": grow.to(), "replicas": grow.replicas,
            })).collect::<Vec<_>>(),
            "configure": configs.iter().map(|change| json!({
                "topic": change.topic, "set": change.set, "unset": change.unset, "before": change.before,
            })).collect::<Vec<_>>(),
            "move": moves.iter().map(|moving| json!({
                "topic": moving.topic, "map": moving.map, "replication": moving.replication,
                "wrong_replication": moving.wrong_replication, "off_map": moving.off_map,
            })).collect::<Vec<_>>(),
            "not_defined": prune.iter().map(|prune| json!({
                "topic": prune.topic, "quiet_seconds": prune.quiet_seconds, "delete": prune.refusal.is_none(),
                "why": prune.refusal.as_ref().map(ToString::to_string),
            })).collect::<Vec<_>>(),
            "not_done": self.failures(),
        });
        // What is not known is not there.
        remove_nulls(&mut view);
        if self.outcomes.is_some() {
            view["requests_sent"] = self.requests_sent.into();
        }
        if let Some(why) = &self.looked.prune_refused {
            view["prune_refused"] = why.as_str().into();
        }
        if let Some(plan) = &self.plan {
            view["plan"] = serde_json::to_value(plan).map_err(serde::ser::Error::custom)?;
        }
        if let Some(error) = self.no_plan {
            view["no_plan"] = error.to_string().into();
        }
        view.serialize(serializer)
    }
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}
