//! Laws that every plan obeys, over random clusters and requests.

mod balance;
mod clusters;
mod laws;
mod leaders;
mod mutations;

/// Random cases of each law; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}
