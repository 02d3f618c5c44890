//! What a policy would have done with recorded load, as a table and as JSON.

use super::heading;
use super::table::Table;
use execute::keep::replay::{Replayed, ReplayedPlan};
use jiff::Timestamp;
use local::words::duration;
use mapper::{Bytes, counted};
use serde::Serialize;
use std::fmt;

/// More plans than this do not fit on a page.
const LONG: usize = 40;

/// What was replayed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplayedLoad {
    /// So many records.
    Records(usize),
    /// A week that is made from this number.
    Seed(u64),
}

/// A replay.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayView {
    pub(crate) load: ReplayedLoad,
    /// Seconds since 1970.
    #[serde(rename = "from_seconds")]
    pub(crate) from: u64,
    /// Seconds since 1970.
    #[serde(rename = "until_seconds")]
    pub(crate) until: u64,
    pub(crate) with: Replayed,
    pub(crate) without: Replayed,
    /// What is copied if it is known which events last: each of those is answered at once, and no other.
    #[serde(rename = "least_bytes")]
    pub(crate) least: Bytes,
}

impl fmt::Display for ReplayView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { with, without, least, .. } = self;
        let load = match self.load {
            ReplayedLoad::Records(count) => counted(count, "record"),
            ReplayedLoad::Seed(seed) => format!("a week made from {seed}"),
        };
        let (from, until) = (time(self.from), time(self.until));
        writeln!(f, "Replay of {load}, {from} to {until} (UTC)")?;
        let row = |plan: &ReplayedPlan| {
            let need = plan.need.to_string();
            [time(plan.at_seconds), need, plan.bytes.to_string(), duration(plan.seconds)]
        };
        let plans = (with.plans.as_slice(), LONG, "plan");
        Table::section(f, "Plans", ["begins", "for", ">bytes", ">takes"], plans, row)?;
        heading(f, "Summary")?;
        writeln!(f, "  plans      {}", with.plans.len())?;
        // Where more than one broker is lost, there is no plan at once.
        let known = match least {
            Bytes(0) => String::new(),
            _ => format!("; at once, and only for what lasts: {least}"),
        };
        writeln!(f, "  bytes      {}{known}", with.bytes)?;
        writeln!(f, "  back       {} to brokers that had it 24 hours before", with.bytes_back)?;
        let over = |replayed: &Replayed| duration(replayed.broker_seconds_over_mark);
        writeln!(
            f,
            "  over mark  {}, summed over brokers; without plans: {}",
            over(with),
            over(without)
        )
    }
}

fn time(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|at| Timestamp::from_second(at).ok());
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}
