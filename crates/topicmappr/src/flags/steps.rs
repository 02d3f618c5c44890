//! How a plan is cut into steps.

use console::units;
use mapper::{Bytes, StepLimits, StepOrder};
use std::str::FromStr;

/// The flags of steps.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Steps")]
pub(crate) struct StepArgs {
    /// Limit each step, and choose the order of the moves
    ///
    /// The keys are max-bytes=500GB, max-moves-per-broker=5 and order=ORDER. ORDER is small-first, large-first or
    /// least-risk-first.
    #[arg(long, value_name = "KEY=VALUE,...")]
    steps: Option<Limits>,
    /// Empty at most this many brokers at a time; 0: all
    ///
    /// Each step takes the brokers with the highest ids first, and only what they give up.
    #[arg(long, value_name = "N", default_value_t = 0)]
    chunk_step_size: u32,
    /// Keep a leaving leader first until the new replicas are in sync
    #[arg(long)]
    phased_reassignment: bool,
}

impl StepArgs {
    /// As a request says it.
    pub(crate) fn pacing(&self) -> StepLimits {
        let limits = self.steps.unwrap_or_default();
        StepLimits {
            max_bytes: limits.max_bytes,
            max_moves_per_broker: limits.max_moves_per_broker,
            order: limits.order,
            chunk_brokers: (self.chunk_step_size > 0).then_some(self.chunk_step_size),
            phased: self.phased_reassignment,
        }
    }
}

/// The value of `--steps`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Limits {
    max_bytes: Option<Bytes>,
    max_moves_per_broker: Option<u32>,
    order: StepOrder,
}

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part:?}: {KEYS}"))?;
            let (key, value) = (key.trim(), value.trim());
            if seen.contains(&key) {
                return Err(format!("{key} is given twice"));
            }
            seen.push(key);
            match key {
                "max-bytes" => limits.max_bytes = Some(some_bytes(value)?),
                "max-moves-per-broker" => limits.max_moves_per_broker = Some(some_moves(value)?),
                "order" => limits.order = order(value)?,
                other => return Err(format!("{other:?}: {KEYS}")),
            }
        }
        if seen.is_empty() { Err(KEYS.to_owned()) } else { Ok(limits) }
    }
}

const KEYS: &str = "write max-bytes=SIZE, max-moves-per-broker=N or order=ORDER";

fn some_bytes(value: &str) -> Result<Bytes, String> {
    match units::size(value)? {
        Bytes(0) => Err("max-bytes: a step of no bytes moves nothing".to_owned()),
        bytes => Ok(bytes),
    }
}

fn some_moves(value: &str) -> Result<u32, String> {
    let moves = value.parse().ok().filter(|moves| *moves > 0);
    moves.ok_or_else(|| format!("max-moves-per-broker={value}: write a whole number from 1"))
}

fn order(value: &str) -> Result<StepOrder, String> {
    match value {
        "small-first" => Ok(StepOrder::SmallFirst),
        "large-first" => Ok(StepOrder::LargeFirst),
        "least-risk-first" => Ok(StepOrder::LeastRiskFirst),
        other => Err(format!("order={other}: write small-first, large-first or least-risk-first")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_pairs_in_any_order() {
        let limits = "order=large-first, max-bytes=2TiB,max-moves-per-broker=3".parse();
        let expected = Limits {
            max_bytes: Some(Bytes(2 << 40)),
            max_moves_per_broker: Some(3),
            order: StepOrder::LargeFirst,
        };
        assert_eq!(limits, Ok(expected));
    }

    #[test]
    fn what_limits_nothing_is_refused() {
        for wrong in
            ["", "max-bytes", "max-bytes=0", "max-moves-per-broker=0", "order=any", "size=1"]
        {
            assert!(wrong.parse::<Limits>().is_err(), "{wrong:?}");
        }
        assert!("order=small-first,order=small-first".parse::<Limits>().is_err());
    }
}
