//! Waits for a condition, with a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::Error;

/// The least and the longest pause between two looks: short compared with a server's start.
const PAUSE: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];
/// A pause is this many times as long as the look before it, so that a costly look leaves the cores to the servers that
/// it waits for.
const REST: u32 = 3;

/// Calls `look` repeatedly until it returns something, and fails after `within`.
pub fn until<T>(
    what: impl Into<String>,
    within: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Error> {
    let deadline = Instant::now() + within;
    loop {
        let began = Instant::now();
        if let Some(seen) = look() {
            return Ok(seen);
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(Error::Timeout { what: what.into(), within, log: String::new() });
        }
        sleep(((now - began) * REST).clamp(PAUSE[0], PAUSE[1]));
    }
}
