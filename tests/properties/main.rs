//! Laws that hold for every plan, over random clusters and requests.

mod assignments;
mod balance;
mod brute;
mod clusters;
mod cordons;
mod disks_goal;
mod explain;
mod goals;
mod laws;
mod leaders;
mod mutations;
mod no_plan;
mod recorded_load;
mod repair;
mod steps;
mod topic_goal;
mod topics;
mod two_loads;
mod volumes;
mod zone_goal;

use proptest::test_runner::{Config, RngSeed};

/// The same cases in every run, so that a failing build fails because of its own change. `PROPTEST_RNG_SEED` selects
/// others, `PROPTEST_CASES` more.
fn config() -> Config {
    let asked = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    Config {
        cases: asked("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(1_000),
        rng_seed: RngSeed::Fixed(asked("PROPTEST_RNG_SEED").unwrap_or(20_261_120_u64)),
        failure_persistence: None,
        ..Config::default()
    }
}
