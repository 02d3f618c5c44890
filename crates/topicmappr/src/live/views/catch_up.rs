//! `replace --same-id`, in words.

use super::heading;
use ::kubernetes::fate::{Disks, NotLost, Return};
use mapper::{BrokerId, Rate};
use operate::words::counted;
use serde::Serialize;
use std::fmt;

/// What will be done.
#[derive(Debug, Serialize)]
pub(crate) struct SameIdPlan {
    pub(crate) broker: BrokerId,
    pub(crate) registered: bool,
    /// How many partitions it has to copy.
    pub(crate) partitions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<PodPlan>,
}

/// Its pod.
#[derive(Debug, Serialize)]
pub(crate) struct PodPlan {
    name: String,
    disks: &'static str,
    pinned_by: Vec<String>,
    commands: Vec<String>,
    /// Why it is not freed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_lost: Option<String>,
}

impl PodPlan {
    pub(crate) fn of(back: &Return, not_lost: Option<&NotLost>) -> Self {
        let disks = match back.disks {
            Disks::Data => "data",
            Disks::Empty => "empty",
            Disks::Unknown => "unknown",
        };
        // Without a pin the only command is to look at its log.
        let commands = if back.pins.is_empty() { Vec::new() } else { back.commands.clone() };
        let pinned_by = back.pins.iter().map(ToString::to_string).collect();
        let not_lost = not_lost.map(ToString::to_string);
        Self { name: back.pod.to_string(), disks, pinned_by, commands, not_lost }
    }
}

impl fmt::Display for SameIdPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions = counted(self.partitions, "partition");
        match self.registered {
            true => writeln!(
                f,
                "Broker {} is registered, and not in sync in {partitions}.",
                self.broker
            )?,
            false => writeln!(
                f,
                "Broker {} is down. It may come back with an empty disk: for each of its {partitions}, another broker \
                 leads.",
                self.broker
            )?,
        }
        match self.rate_bytes_per_second {
            Some(rate) => writeln!(
                f,
                "It copies {} bytes per second at most, and each other broker sends no more.",
                rate.0
            )?,
            None => writeln!(f, "It copies without a throttle.")?,
        }
        let Some(pod) = &self.pod else { return Ok(()) };
        heading(f, &format!("Its pod, {}", pod.name))?;
        pod.pinned_by.iter().try_for_each(|pin| writeln!(f, "  {pin}"))?;
        if pod.commands.is_empty() {
            return writeln!(f, "  it starts by itself");
        }
        match &pod.not_lost {
            Some(why) => writeln!(f, "  it is not freed yet: {why}. These commands would:")?,
            None => writeln!(f, "  --yes frees it, as these commands do:")?,
        }
        pod.commands.iter().try_for_each(|command| writeln!(f, "    {command}"))
    }
}
