//! Waiting for a condition, with a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How long between two looks: short against a server's start, long against the cost of a look.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `look` sees something, and fails once `within` is over.
pub fn until<T>(
    what: impl Into<String>,
    within: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Error> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look() {
            return Ok(seen);
        }
        if Instant::now() >= deadline {
            return Err(Error::Timeout { what: what.into(), within, log: String::new() });
        }
        sleep(PAUSE);
    }
}
