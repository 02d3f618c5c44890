//! The note that a cluster is in use: from its first partition on, an empty disk may have held the last copy of something.

use crate::error::Error;
use crate::session::Session;
use ::kubernetes::{Kubernetes, Name};
use health::readiness::ReadinessReports;
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// The key of the note. Mounted, it is the file of `broker init --in-use-file`.
const KEY: &str = "since";
/// The longest wait for Kubernetes: the probe goes on without it, and the next check tries again.
const PATIENCE: Duration = Duration::from_secs(3);

/// The ConfigMap of the note.
pub(super) struct InUseNote<'a> {
    place: &'a str,
    is_there: AtomicBool,
}

impl<'a> InUseNote<'a> {
    /// The note in the ConfigMap `[NAMESPACE/]NAME`.
    pub(super) fn new(place: &'a str) -> Self {
        Self { place, is_there: AtomicBool::new(false) }
    }

    /// Writes the note once the broker reports a partition. A failure changes no answer of the probe.
    pub(super) async fn after(&self, told: &ReadinessReports, session: &Session<'_, '_>) {
        if self.is_there.load(Ordering::Relaxed) || !hosts_partitions(told) {
            return;
        }
        match timeout(PATIENCE, self.write(session)).await {
            Ok(Ok(is_there)) => self.is_there.store(is_there, Ordering::Relaxed),
            Ok(Err(error)) => {
                tracing::warn!(place = self.place, %error, "not noted that the cluster is in use");
            }
            Err(_) => tracing::warn!(place = self.place, "Kubernetes is silent"),
        }
    }

    /// Returns whether the note is there. The ConfigMap is never created: without it, `broker init` asks Kafka anyway.
    async fn write(&self, session: &Session<'_, '_>) -> Result<bool, Error> {
        let access = session.global.kubernetes.access(session.environment);
        let kubernetes = Kubernetes::connect(&access).await?;
        let namespace = session.environment.get("POD_NAMESPACE");
        let name = Name::parsed(self.place, namespace.unwrap_or(kubernetes.namespace()));
        let Some(read) = kubernetes.config_map(&name).await? else {
            tracing::warn!(%name, "no such ConfigMap: not noted that the cluster is in use");
            return Ok(false);
        };
        if !read.data.contains_key(KEY) {
            let mut data = read.data.clone();
            data.insert(KEY.to_owned(), Timestamp::now().to_string());
            kubernetes.replace_config_map(&read, data).await?;
        }
        Ok(true)
    }
}

fn hosts_partitions(told: &ReadinessReports) -> bool {
    match told {
        ReadinessReports::Broker(found) => {
            found.in_sync > 0 || !found.lagging.is_empty() || !found.adding.is_empty()
        }
        _ => false,
    }
}
