//! What `autothrottle` has in common with this program, so that one cluster is never treated in two ways.
//!
//! Flags, environment and `--config` in one order ([`parse`]); connections with the same properties ([`connect`]);
//! also for librdkafka ([`data_plane`]); errors with the same exit codes ([`Failure`]); logs ([`LogArgs`]); metrics systems
//! ([`MetricsArgs`]); which pods are brokers' ([`PodArgs`]); the file that a ledger is kept in ([`Store`]), and what stands
//! beside the cluster's lock ([`beside_the_lock`], [`set_by_executions`]), and in the place that both find ([`Common`]); one way to look at a cluster ([`Observer`]) and one to set its throttle
//! ([`set_configs`]); what an execution tells the daemon ([`Announcement`]); signals ([`Signals`]); how often servers that are
//! away are asked again ([`Outage`]); HTTP servers with limits ([`serve`]), and files that are replaced meanwhile
//! ([`Watched`]). What is not named here is
//! this program's own.

use crate::error::Error;
use crate::executing::access;
use crate::files;
use crate::live;
use std::path::Path;

pub use crate::executing::{
    AnnouncedMove, AnnouncedPace, Announcement, AnsweredPace, BEGUN_WITHIN, Observer, OnBroker,
    Outage, Signal, Signals, Store, beside_the_lock, set_by_executions, set_configs, topics_of,
};
pub use crate::failure::Failure;
pub use crate::flags::{LogArgs, MetricsArgs, PodArgs};
pub use crate::layers::parse;
pub use crate::marks::{CLAIM, Common, LEASE, Mark, MarkError, SILENCE, host, line, lines};
pub use crate::plain::Plain;
pub use crate::serving::{ServerNames, Tls, host_name, listen, serve};
pub use crate::watched::Watched;

/// Connects to the cluster behind these bootstrap servers, with the client properties in this file, if any; and the
/// properties that have no meaning here.
///
/// # Errors
/// The properties are wrong, or nobody answers.
pub async fn connect(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<(kafka::Client, Vec<String>), Failure> {
    let settings = live::settings(bootstrap, properties)?;
    let ignored = settings.ignored.clone();
    Ok((kafka::Client::connect(settings).await?, ignored))
}

/// How librdkafka reaches the same cluster, as the same user.
///
/// # Errors
/// The properties are wrong.
pub fn data_plane(bootstrap: &str, properties: Option<&Path>) -> Result<statelog::Access, Failure> {
    Ok(access(&live::settings(bootstrap, properties)?))
}

/// Waits for servers to answer, on one thread.
///
/// # Errors
/// The system gives us no runtime.
pub fn wait<T>(answer: impl Future<Output = T>) -> Result<T, Failure> {
    live::wait(answer).map_err(Failure::from)
}

/// Does what blocks, on a thread that nobody waits for when the process ends; `None`: that thread has died.
pub async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    live::in_thread(work).await
}

/// The text of a file that a flag names.
///
/// # Errors
/// It cannot be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    files::read_text(path).map_err(|error| Error::from(error).into())
}

/// `30s`, `10m`.
///
/// # Errors
/// A sentence, for anything else.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    crate::flags::duration(text)
}

/// `500GB`, `2TiB`; a bare number is bytes.
///
/// # Errors
/// A sentence, for anything else.
pub fn size(text: &str) -> Result<mapper::Bytes, String> {
    crate::flags::size(text)
}

/// `10MB/s`, `10MiB/s`: bytes per second, above 0.
///
/// # Errors
/// A sentence, for anything else.
pub fn rate(text: &str) -> Result<mapper::Rate, String> {
    crate::flags::rate(text)
}

/// The time now: RFC 3339, UTC, to the second.
pub fn now() -> String {
    live::now()
}
