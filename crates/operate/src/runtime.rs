//! Waiting, threads and the clock: what asks no server.

use crate::error::Error;
use jiff::Timestamp;
use std::thread;
use tokio::sync::oneshot;

/// Waits for servers to answer.
pub fn wait<T>(answer: impl Future<Output = T>) -> Result<T, Error> {
    // One thread is enough: the work is waiting.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(Error::Runtime)?.block_on(answer))
}

/// Does what blocks, on a thread that nobody waits for when the process ends; `None`: that thread has died.
pub async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || {
        let _ = answer.send(work());
    });
    answered.await.ok()
}

/// RFC 3339, UTC, to the second.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What the name of a process of ours begins with, in every lock file.
pub const PROCESS: &str = "process ";

/// The name of this process, for those who wait for its lock: `process 17 on kafka-ops`.
pub fn us() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "this host" } else { host };
    format!("{PROCESS}{} on {host}", std::process::id())
}
