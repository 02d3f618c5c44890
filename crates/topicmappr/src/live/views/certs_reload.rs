//! `certs reload`: what became of each broker.

use mapper::BrokerId;
use operate::certificates::{Changed, Failed};
use operate::words::listed;
use serde::Serialize;
use std::fmt;

/// One broker.
#[derive(Debug, Serialize)]
pub(crate) struct Reloaded {
    broker: BrokerId,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listeners: Vec<Changed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct ReloadView {
    version: u64,
    brokers: Vec<Reloaded>,
    /// Not asked yet.
    pub(crate) waiting: Vec<BrokerId>,
}

impl Reloaded {
    /// It shows already what it is to show.
    pub(crate) fn already(broker: BrokerId) -> Self {
        Self { broker, outcome: "already", listeners: Vec::new(), why: None, since: None }
    }

    pub(crate) fn of(broker: BrokerId, ended: Result<Vec<Changed>, Failed>) -> Self {
        match ended {
            Ok(listeners) => {
                Self { broker, outcome: "reloaded", listeners, why: None, since: None }
            }
            Err(Failed { why, since }) => Self {
                broker,
                outcome: "failed",
                listeners: Vec::new(),
                why: Some(why),
                since: Some(since),
            },
        }
    }
}

impl ReloadView {
    pub(crate) fn new(brokers: Vec<Reloaded>) -> Self {
        Self { version: 1, brokers, waiting: Vec::new() }
    }

    pub(crate) fn add(&mut self, told: Reloaded) {
        self.brokers.push(told);
    }

    fn with(&self, outcome: &str) -> Vec<BrokerId> {
        let some = self.brokers.iter().filter(|one| one.outcome == outcome);
        some.map(|one| one.broker).collect()
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broker = self.broker;
        if let (Some(why), Some(since)) = (&self.why, &self.since) {
            writeln!(f, "broker {broker} failed: {why}")?;
            return writeln!(f, "  {since}");
        }
        for Changed { listener, was, now } in &self.listeners {
            match was == now {
                true => writeln!(f, "broker {broker}: {listener} serves {now}, as before")?,
                false => writeln!(f, "broker {broker}: {listener} serves {now} instead of {was}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ReloadView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = [
            (self.with("already"), "already in order"),
            (self.with("reloaded"), "reloaded and verified"),
            (self.with("failed"), "failed"),
            (self.waiting.clone(), "to be reloaded, one at a time"),
        ];
        for (brokers, what) in told {
            if !brokers.is_empty() {
                writeln!(f, "{what}: {}", listed(&brokers))?;
            }
        }
        Ok(())
    }
}
