//! Waits for a condition, with a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::Error;

/// The time between two checks: short compared with a server's start, long compared with the cost of a check.
const PAUSE: Duration = Duration::from_millis(50);

/// Calls `look` repeatedly until it returns something, and fails after `within`.
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
