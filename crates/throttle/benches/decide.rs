//! How long one round takes: 500 brokers, 20,000 partitions on the move. `cargo xtask bench` reads the table that it
//! prints.

extern crate mappr_throttle as throttle;

#[path = "../tests/rules/large_facts.rs"]
mod large_facts;

use divan::Bencher;
use std::cell::{Cell, RefCell};
use throttle::{ThrottleLimits, ThrottleMemory, decide};

fn main() {
    divan::main();
}

/// Each round begins with the state in which the one before it has ended.
#[divan::bench(sample_count = 101, sample_size = 1)]
fn round(bencher: Bencher<'_, '_>) {
    let (limits, state, turn) =
        (ThrottleLimits::default(), RefCell::new(ThrottleMemory::default()), Cell::new(0));
    let begin = || {
        turn.set(turn.get() + 1);
        (state.take(), large_facts::round(turn.get()))
    };
    bencher.with_inputs(begin).bench_local_values(|(before, seen)| {
        let (next, decision) = decide(before, &seen, &limits);
        state.replace(next);
        (decision, seen)
    });
}
