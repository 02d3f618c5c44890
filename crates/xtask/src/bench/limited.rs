//! Limits our plans to the bytes of another tool's plan, and compares how even the two are.

use std::error::Error;
use std::fmt::Write;

use super::cases::{
    Case, FULL_BROKER, IMBALANCED, NEW_BROKERS, Planner, REBALANCE, SCALE, Scenario, Size,
};
use super::clusters::Cluster;
use super::document::AT_PEERS_BYTES;
use super::figures::{Answer, Figures, Quality, Row};
use super::{Args, Bench, SEED, measure, python, score, why};
use crate::project::Outcome;

/// Its name among the cases.
pub(super) const NAME: &str = "peers";

/// The peers' figures have three digits.
const ROUNDED: f64 = 0.000_5;
/// A peer's plan counts if it moves this much more than its bound, or ends this far over the floor. Only then can ours
/// be better.
const GAIN: (f64, f64) = (1.05, 1.01);

/// What the peers call a task, and our equivalent.
struct Task {
    scenario: &'static Scenario,
    planner: &'static Planner,
    peers: &'static [&'static str],
}

static TASKS: [Task; 3] = [
    Task {
        scenario: &IMBALANCED,
        planner: &REBALANCE,
        peers: &[
            "rebalance-auto",
            "rebalance-fix10",
            "rebalance-disk",
            "rebalance-tight2",
            "rebalance-disk-tight2",
            "optlead-rebalance",
        ],
    },
    Task { scenario: &FULL_BROKER, planner: &REBALANCE, peers: &["rebalance-full"] },
    Task {
        scenario: &NEW_BROKERS,
        planner: &SCALE,
        peers: &["scale-auto", "scale-fix10", "scale-tight2"],
    },
];

pub(super) fn run(args: &Args) -> Outcome {
    if args.seed != SEED {
        return Err("the peers' figures are of seed 1".into());
    }
    let peers = Figures::read(&python::script("peers.json"))?;
    let bench = Bench::new(args)?;
    let mut table = String::from(
        "\n| size | peer | its GiB | its max/mean | its above / below | our GiB | our max/mean | our above / below | |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---|\n",
    );
    let mut worse = Vec::new();
    for size in Size::ALL.into_iter().filter(|size| args.size.contains(size)) {
        for task in &TASKS {
            for peer in task.peers.iter().flat_map(|name| peers.of(size, name)) {
                let Answer::Plan(theirs) = &peer.answer else { continue };
                let ours = planned(&bench, task, size, theirs)?;
                let said = verdict(&ours, theirs);
                if said != MORE_EVEN && said != AS_EVEN {
                    worse.push(format!("{} {} {}", size.name(), peer.tool, peer.case));
                }
                writeln!(table, "{}", line(size, peer, theirs, &ours, said))?;
            }
        }
    }
    table.push('\n');
    println!("{table}");
    if args.save_baseline {
        AT_PEERS_BYTES.fill(&table)?;
    }
    if worse.is_empty() { Ok(()) } else { Err(format!("less even: {}", worse.join("; ")).into()) }
}

/// Our plan with no more bytes than the peer's, with its quality.
fn planned(
    bench: &Bench,
    task: &Task,
    size: Size,
    theirs: &Quality,
) -> Result<Quality, Box<dyn Error>> {
    let case = Case { scenario: task.scenario, planner: task.planner, peers: &[], no_room: &[] };
    let cluster = Cluster::of(task.scenario, size, SEED)?;
    let plan = bench.plan_file("limited");
    let mut command = bench.command(&case, &cluster, &plan);
    // The peer's figure is rounded to whole GiB.
    let bytes = (theirs.gib_moved + 0.5) * f64::from(1 << 30);
    command.arg("--max-bytes-moved").arg(format!("{bytes:.0}"));
    let ended = measure::warm_up(&mut command)?;
    if ended.status.is_none_or(|status| !status.success()) {
        return Err(format!("{} {}: {}", size.name(), case.name(), why(&ended)).into());
    }
    score::score(&cluster.file, &plan)
}

const MORE_EVEN: &str = "more even";
const AS_EVEN: &str = "as even as any plan of these bytes";
/// A plan that moves no more than its bound requires. No plan with these bytes is more even.
const AT_BOUND: f64 = 1.001;

fn verdict(ours: &Quality, theirs: &Quality) -> &'static str {
    let gain = theirs.move_ratio.is_some_and(|ratio| ratio > GAIN.0)
        || theirs.max_over_mean > GAIN.1 * theirs.floor;
    let gain = gain && ours.move_ratio.is_none_or(|ratio| ratio > AT_BOUND);
    if ours.errors.is_some() {
        "NOT VALID"
    } else if ours.max_over_mean > theirs.max_over_mean + ROUNDED {
        "LESS EVEN"
    } else if ours.max_over_mean <= theirs.max_over_mean - ROUNDED {
        MORE_EVEN
    } else if gain {
        "AS EVEN, and there is more to gain"
    } else {
        AS_EVEN
    }
}

fn line(size: Size, peer: &Row, theirs: &Quality, ours: &Quality, said: &str) -> String {
    let of = |quality: &Quality| {
        format!(
            "{:.0} | {:.3} | {:.1} % / {:.1} %",
            quality.gib_moved,
            quality.max_over_mean,
            100.0 * quality.above,
            100.0 * quality.below
        )
    };
    format!(
        "| {} | {} {} | {} | {} | {said} |",
        size.name(),
        peer.tool,
        peer.case,
        of(theirs),
        of(ours)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(max_over_mean: f64, move_ratio: f64) -> Quality {
        Quality {
            errors: None,
            gib_moved: 10.0,
            replicas_moved: 3,
            move_ratio: Some(move_ratio),
            own_ratio: None,
            max_over_mean_before: 1.5,
            max_over_mean,
            floor: 1.0,
            above: 0.05,
            below: 0.0,
            leaders: 1.1,
        }
    }

    #[test]
    fn who_is_as_even_has_to_gain_where_the_peer_wasted_something() {
        let (wasteful, uneven, good) =
            (quality(1.005, 1.2), quality(1.1, 1.0), quality(1.005, 1.0));
        let ours = |max_over_mean| quality(max_over_mean, 1.01);
        assert_eq!(verdict(&ours(1.0), &wasteful), MORE_EVEN);
        assert!(verdict(&ours(1.005), &wasteful).starts_with("AS EVEN"));
        assert!(verdict(&ours(1.1), &uneven).starts_with("AS EVEN"));
        assert_eq!(verdict(&ours(1.005), &good), AS_EVEN);
        assert_eq!(verdict(&quality(1.1, 1.0), &uneven), AS_EVEN, "with these bytes");
        assert_eq!(verdict(&ours(1.01), &good), "LESS EVEN");
    }
}
