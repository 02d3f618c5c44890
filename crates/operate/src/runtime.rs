//! The event loop, threads and the clock.

use crate::error::Error;
pub use coordination::now;
use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::pin::Pin;
use std::thread;
use tokio::sync::oneshot;

/// Seconds since 1970.
pub fn now_seconds() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
}

/// Lets this process open as many files as it may. Shells and systemd allow 1,024 until a process asks for more (setrlimit(2)),
/// and a thousand brokers take a connection each.
fn allow_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Without it, most clusters are no problem.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// Runs a future to its end.
pub fn wait<'a, T>(answer: impl Future<Output = T> + 'a) -> Result<T, Error> {
    allow_open_files();
    // One thread is enough, because the work consists of waiting.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // In a box: the event loop is compiled once, not for each command.
    let answer: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(answer);
    Ok(runtime.map_err(Error::Runtime)?.block_on(answer))
}

/// Runs blocking work on a separate thread, which does not delay the end of the process. `None`: the thread has
/// panicked.
pub async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || {
        let _ = answer.send(work());
    });
    answered.await.ok()
}

/// The prefix of a process name in every lock file.
pub const PROCESS: &str = "process ";

/// The name of this process in locks: `process 17 on kafka-ops`.
pub fn us() -> String {
    format!("{PROCESS}{} on {}", std::process::id(), host())
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".to_owned(),
        name => name.to_owned(),
    }
}
