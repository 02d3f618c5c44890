//! Measures `plans replay` of weeks that are made from seeds, and holds its results against what the policies promise.

use std::error::Error;
use std::fmt::Write;
use std::fs::{self, File};

use serde::Deserialize;

use super::cases::{BALANCED, IMBALANCED, Scenario, Size};
use super::clusters::Cluster;
use super::document::{REPLAYS, thousands};
use super::{Args, Bench, measure, why};
use crate::project::Outcome;

/// Its name among the cases.
pub(super) const NAME: &str = "replays";

/// All policies but `drift`: every topic may be everywhere.
const POLICY: &str = "version: 1
throttle: 100MB/s
policies:
  lostBroker: {mode: act}
  leavingBroker: {mode: act}
  fullDisk: {mode: act, above: 85%, to: 80%, for: 0s}
  fillingDisk: {mode: act, within: 3d}
  newBroker: {mode: act}
  imbalance: {mode: act, band: 10%, for: 6h}
";

/// A week: of which cluster, and from which seed.
static WEEKS: [(&Scenario, u64); 10] = [
    (&IMBALANCED, 1),
    (&IMBALANCED, 2),
    (&IMBALANCED, 3),
    (&IMBALANCED, 4),
    (&BALANCED, 1),
    (&BALANCED, 2),
    (&BALANCED, 3),
    (&BALANCED, 4),
    (&BALANCED, 5),
    (&BALANCED, 6),
];

/// The goal for 50,000 partitions.
const SECONDS: f64 = 30.0;
/// The most bytes, of those of a clairvoyant.
const OF_LEAST: f64 = 1.3;
/// The most time over the mark, of that without plans.
const OVER_MARK: f64 = 0.05;

/// The command's answer.
#[derive(Deserialize)]
struct ReplayAnswer {
    with: ReplayOutcome,
    without: ReplayOutcome,
    least_bytes: u64,
}

#[derive(Deserialize)]
struct ReplayOutcome {
    plans: Vec<serde::de::IgnoredAny>,
    bytes: u64,
    bytes_back: u64,
    broker_seconds_over_mark: u64,
}

impl ReplayAnswer {
    fn of_least(&self) -> f64 {
        ratio(self.with.bytes, self.least_bytes)
    }

    fn over_mark(&self) -> f64 {
        ratio(self.with.broker_seconds_over_mark, self.without.broker_seconds_over_mark)
    }

    fn keeps_the_promises(&self) -> bool {
        self.with.bytes_back == 0 && self.of_least() <= OF_LEAST && self.over_mark() <= OVER_MARK
    }
}

/// 0 of 0 is 0.
fn ratio(part: u64, of: u64) -> f64 {
    if part == 0 { 0.0 } else { part as f64 / of as f64 }
}

pub(super) fn run(args: &Args) -> Outcome {
    let bench = Bench::new(args)?;
    let policy = bench.plan_file("policy");
    fs::write(&policy, POLICY)?;
    let size = Size::L;
    let mut table = format!(
        "\n{} partitions, {} brokers.\n\n\
         | start | seed | s | MiB | plans | moved back within a day | bytes, of a clairvoyant's | time over the mark, of that without plans | |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---|\n",
        thousands(size.partitions()),
        size.brokers()
    );
    let mut failed = Vec::new();
    for (scenario, seed) in WEEKS {
        let cluster = Cluster::of(scenario, size, args.seed)?;
        let week = format!("{} {seed}", scenario.name);
        eprintln!("{week}");
        let answer = bench.plan_file("answer");
        let mut command = bench.program();
        command.args(["plans", "replay", "--output", "json", "--seed", &seed.to_string()]);
        command.arg("--policy").arg(&policy).arg("--snapshot").arg(&cluster.file);
        let ended = measure::warm_up(command.stdout(File::create(&answer)?))?;
        if ended.status.is_none_or(|status| !status.success()) {
            return Err(format!("{week}: {}", why(&ended)).into());
        }
        let told = told(&fs::read_to_string(&answer)?)?;
        let kept = told.keeps_the_promises();
        failed.extend((!kept).then_some(week));
        // The machine may be busy, so a time is only marked.
        let is_late = ended.cost.seconds > SECONDS;
        writeln!(
            table,
            "| {} | {seed} | {:.0} | {:.0} | {} | {} | {:.2} | {:.1} % | {} |",
            scenario.name,
            ended.cost.seconds,
            ended.cost.memory_mib,
            told.with.plans.len(),
            told.with.bytes_back,
            told.of_least(),
            100.0 * told.over_mark(),
            if kept && !is_late { "" } else { "!" }
        )?;
    }
    table.push('\n');
    println!("{table}");
    if args.save_baseline {
        REPLAYS.fill(&table)?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("a promise is broken: {}", failed.join("; ")).into())
    }
}

fn told(answer: &str) -> Result<ReplayAnswer, Box<dyn Error>> {
    Ok(serde_json::from_str(answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_that_breaks_one_promise_fails() {
        let week = |bytes: u64, back: u64, over: u64| {
            let of = |bytes, back, over| {
                format!(
                    r#"{{"plans":[],"bytes":{bytes},"bytes_back":{back},"broker_seconds_over_mark":{over}}}"#
                )
            };
            let (with, without) = (of(bytes, back, over), of(0, 0, 1_000));
            let answer = format!(r#"{{"with":{with},"without":{without},"least_bytes":100}}"#);
            told(&answer).unwrap().keeps_the_promises()
        };
        assert!(week(130, 0, 50));
        assert!(!week(131, 0, 50) && !week(130, 1, 50) && !week(130, 0, 51));
    }
}
