//! How long one round takes: 500 brokers, 20,000 partitions on the move. Puts one line of JSON out, which
//! `cargo xtask bench` reads.

#![expect(clippy::disallowed_types, reason = "to measure time is what it is for")]
#![expect(clippy::print_stdout, reason = "it is a program")]

extern crate mappr_throttle as throttle;

#[path = "../tests/rules/large_facts.rs"]
mod large_facts;

use large_facts::round;
use std::hint::black_box;
use std::time::{Duration, Instant};
use throttle::{Limits, State, decide};

const ROUNDS: u64 = 101;

fn main() {
    let limits = Limits::default();
    let mut state = State::default();
    let mut taken: Vec<Duration> = Vec::new();
    for n in 0..ROUNDS {
        let seen = round(n);
        let start = Instant::now();
        let (next, decision) = decide(state, black_box(&seen), &limits);
        taken.push(start.elapsed());
        state = next;
        black_box(decision);
    }
    taken.sort_unstable();
    let milliseconds = |of: Option<&Duration>| of.map_or(0.0, |of| of.as_secs_f64() * 1000.0);
    println!(
        "{{\"best_milliseconds\":{:.1},\"median_milliseconds\":{:.1}}}",
        milliseconds(taken.first()),
        milliseconds(taken.get(taken.len() / 2))
    );
}
