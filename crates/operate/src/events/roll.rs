//! Describes the events of a rolling restart.

use crate::words::counted;
use execute::roll::{Pod, ServerRole};
use mapper::BrokerId;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// An event of a rolling restart.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RollEvent {
    /// A pod was evicted or deleted.
    Restarts {
        /// The pod, as `NAMESPACE/NAME`.
        pod: String,
        /// `broker`, `controller` or `ZooKeeper server`.
        role: &'static str,
        /// Id of the broker, controller or ZooKeeper server in it.
        id: BrokerId,
        /// Pods still to restart after this one.
        left: usize,
        /// The batch that it belongs to, from 1; absent in a roll one by one.
        #[serde(skip_serializing_if = "Option::is_none")]
        batch: Option<usize>,
    },
    /// No pod may be restarted now.
    Waits {
        /// Time since the last restart, or since the start, in seconds.
        waited_seconds: u64,
        /// Each reason, as a sentence part.
        why: Vec<String>,
    },
    /// Kubernetes killed a pod before its broker had handed over its partitions.
    Killed {
        /// The pod, as `NAMESPACE/NAME`.
        pod: String,
        /// Id of the broker that was in it.
        broker: BrokerId,
        /// Partitions that it still led when the pod was gone.
        led_partitions: usize,
        /// The pod's `terminationGracePeriodSeconds`.
        grace_seconds: u64,
    },
}

impl RollEvent {
    pub(crate) fn restarts(pod: &Pod, role: ServerRole, left: usize, batch: Option<usize>) -> Self {
        Self::Restarts { pod: pod.name.clone(), role: role_word(role), id: pod.id, left, batch }
    }

    pub(crate) fn waits(why: &[String], waited: Duration) -> Self {
        Self::Waits { waited_seconds: waited.as_secs(), why: why.to_vec() }
    }

    pub(crate) fn killed(pod: &str, broker: BrokerId, led: usize, grace_seconds: u64) -> Self {
        Self::Killed { pod: pod.to_owned(), broker, led_partitions: led, grace_seconds }
    }
}

impl fmt::Display for RollEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarts { pod, role, id, left, batch } => {
                let batch = batch.map(|batch| format!(", batch {batch}")).unwrap_or_default();
                writeln!(f, "restarting {pod} ({role} {id}{batch}); {left} left after it")
            }
            Self::Waits { waited_seconds, why } => {
                writeln!(f, "waiting ({waited_seconds} s): {}", why.join("; "))
            }
            Self::Killed { pod, broker, led_partitions, grace_seconds } => writeln!(
                f,
                "warning: pod {pod} ended while broker {broker} still led {}: it was not shut down but killed; \
                 terminationGracePeriodSeconds is {grace_seconds}",
                counted(*led_partitions, "partition")
            ),
        }
    }
}

/// A server's role, in words.
pub fn role_word(role: ServerRole) -> &'static str {
    match role {
        ServerRole::Broker => "broker",
        ServerRole::Controller => "controller",
        ServerRole::ZooKeeper => "ZooKeeper server",
    }
}
