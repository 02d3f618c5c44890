//! The measured cases: clusters of the generator, and the commands that plan them.

/// The number of brokers and partitions. The generator uses the same letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Size {
    #[value(name = "S")]
    S,
    #[value(name = "M")]
    M,
    #[value(name = "L")]
    L,
    #[value(name = "XL")]
    Xl,
    #[value(name = "XXL")]
    Xxl,
}

/// The limits for a whole process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Goal {
    pub(super) seconds: f64,
    pub(super) memory_mib: f64,
}

impl Size {
    pub(super) const ALL: [Self; 5] = [Self::S, Self::M, Self::L, Self::Xl, Self::Xxl];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
            Self::L => "L",
            Self::Xl => "XL",
            Self::Xxl => "XXL",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }

    pub(super) fn brokers(self) -> u32 {
        match self {
            Self::S => 6,
            Self::M => 30,
            Self::L => 120,
            Self::Xl => 500,
            Self::Xxl => 1_000,
        }
    }

    pub(super) fn partitions(self) -> u32 {
        match self {
            Self::S => 200,
            Self::M => 5_000,
            Self::L => 50_000,
            Self::Xl => 200_000,
            Self::Xxl => 1_000_000,
        }
    }

    pub(super) fn goal(self) -> Goal {
        let (seconds, memory_mib) = match self {
            Self::S | Self::M => (0.020, 20.0),
            Self::L => (0.080, 50.0),
            Self::Xl => (0.300, 150.0),
            Self::Xxl => (1.500, 500.0),
        };
        Goal { seconds, memory_mib }
    }

    /// The limits of a case that does more work than a rebalance of storage. Otherwise, the limits of its size.
    pub(super) fn goal_of(self, case: &str) -> Goal {
        let seconds = match (self, case.split_once(" / ").map(|(_, planner)| planner)) {
            (Self::L, Some("rebalance, all" | "rebalance, loads")) => 0.5,
            (Self::Xl, Some("rebalance, all" | "rebalance, loads")) => 2.0,
            (Self::Xxl, Some("rebalance, all" | "rebalance, loads")) => 10.0,
            (Self::Xxl, Some("leaders")) => 2.0,
            _ => return self.goal(),
        };
        Goal { seconds, ..self.goal() }
    }
}

/// What happened to a cluster, as arguments for the generator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) args: &'static [&'static str],
    /// Added to the requested seed.
    pub(super) seed: u64,
}

/// A command line of `topicmappr`. `{allowed}` and `{drain}` stand for ids of the cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Planner {
    pub(super) name: &'static str,
    /// The first word is the command.
    pub(super) args: &'static [&'static str],
    /// Further arguments that distinguish planners with the same `args`.
    pub(super) also: &'static [&'static str],
}

impl Planner {
    /// All its arguments.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.args.iter().chain(self.also).copied()
    }
}

/// One line of the table: a command on a cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) scenario: &'static Scenario,
    pub(super) planner: &'static Planner,
    /// The names of the same task in the peers' figures.
    pub(super) peers: &'static [&'static str],
    /// Sizes at which a rack has no room for its replicas within the headroom of 10 %. It has two brokers, at 55 %, and
    /// one of them is lost. Reporting this is then the right answer.
    pub(super) no_room: &'static [Size],
}

impl Case {
    pub(super) fn name(&self) -> String {
        format!("{} / {}", self.scenario.name, self.planner.name)
    }

    /// Whether `--only` selects this case.
    pub(super) fn is_called(&self, word: &str) -> bool {
        let words = [self.scenario.name, self.planner.name, self.planner.args[0]];
        words.contains(&word) || self.name() == word
    }
}

const fn scenario(name: &'static str, args: &'static [&'static str]) -> Scenario {
    Scenario { name, args, seed: 0 }
}

pub(super) static BALANCED: Scenario = scenario("balanced", &["--scenario", "balanced"]);
static FAILED: Scenario = scenario("failed-broker", &["--scenario", "failed-broker"]);
static FAILED2: Scenario =
    Scenario { name: "failed2", args: &["--scenario", "failed-broker", "--failed", "2"], seed: 1 };
static FAILED_ROOMY: Scenario =
    scenario("failed-roomy", &["--scenario", "failed-broker", "--util", "0.42"]);
static FAILED_REPLACE: Scenario =
    scenario("failed-replace", &["--scenario", "failed-broker", "--new", "1"]);
static ZONE_LOST: Scenario = scenario("zone-lost", &["--scenario", "zone-lost"]);
pub(super) static NEW_BROKERS: Scenario = scenario("new-brokers", &["--scenario", "new-brokers"]);
pub(super) static FULL_BROKER: Scenario = scenario("full-broker", &["--scenario", "full-broker"]);
pub(super) static IMBALANCED: Scenario = scenario("imbalanced", &["--scenario", "imbalanced"]);
static RATED: Scenario = scenario("imbalanced-rates", &["--scenario", "imbalanced", "--rates"]);
static DECOMMISSION: Scenario = scenario("decommission", &["--scenario", "decommission"]);
static MIXED: Scenario =
    scenario("heterogeneous", &["--scenario", "balanced", "--capacity", "heterogeneous"]);
static MIXED_FAILED: Scenario = scenario(
    "heterogeneous-failed",
    &["--scenario", "failed-broker", "--capacity", "heterogeneous", "--util", "0.42"],
);
static HEAVY_TAILED: Scenario =
    scenario("heavy-tailed", &["--scenario", "imbalanced", "--size-dist", "pareto"]);

const REBUILD_ARGS: &[&str] =
    &["rebuild", "--topics", ".*", "--brokers", "-2", "--placement", "storage", "--ignore-warns"];
static REBUILD: Planner = Planner { name: "rebuild", args: REBUILD_ARGS, also: &[] };
static REBUILD_LEADERS: Planner =
    Planner { name: "rebuild, leaders", args: REBUILD_ARGS, also: &["--optimize-leadership"] };
static REBUILD_FORCED: Planner =
    Planner { name: "rebuild, forced", args: REBUILD_ARGS, also: &["--force-rebuild"] };
static REBUILD_WITHOUT: Planner = Planner {
    name: "rebuild, without",
    args: &[
        "rebuild",
        "--topics",
        ".*",
        "--brokers",
        "{allowed}",
        "--placement",
        "storage",
        "--ignore-warns",
    ],
    also: &[],
};
const REBALANCE_ARGS: &[&str] =
    &["rebalance", "--topics", ".*", "--brokers", "-2", "--ignore-warns"];
pub(super) static REBALANCE: Planner =
    Planner { name: "rebalance", args: REBALANCE_ARGS, also: &[] };
static REBALANCE_ALL: Planner = Planner {
    name: "rebalance, all",
    args: REBALANCE_ARGS,
    also: &["--balance", "storage,replicas,leaders"],
};
static REBALANCE_LOADS: Planner = Planner {
    name: "rebalance, loads",
    args: REBALANCE_ARGS,
    also: &["--balance", "topics,storage,network,leaders"],
};
pub(super) static SCALE: Planner = Planner {
    name: "scale",
    args: &["scale", "--topics", ".*", "--brokers", "-2", "--ignore-warns"],
    also: &[],
};
static SCALE_DRAIN: Planner = Planner {
    name: "scale, drain",
    args: &["scale", "--drain", "{drain}", "--topics", ".*", "--brokers", "-2", "--ignore-warns"],
    also: &[],
};
static LEADERS: Planner =
    Planner { name: "leaders", args: &["leaders", "--topics", ".*"], also: &[] };

const fn case(
    scenario: &'static Scenario,
    planner: &'static Planner,
    peers: &'static [&'static str],
) -> Case {
    Case { scenario, planner, peers, no_room: &[] }
}

const fn at_s_no_room(case: Case) -> Case {
    Case { no_room: &[Size::S], ..case }
}

/// Every line of the table, in order.
pub(super) static CASES: [Case; 23] = [
    case(&BALANCED, &REBUILD, &[]),
    at_s_no_room(case(&FAILED, &REBUILD, &["failed-storage"])),
    at_s_no_room(case(&FAILED, &REBUILD_LEADERS, &[])),
    at_s_no_room(case(&FAILED2, &REBUILD, &["failed2-storage"])),
    case(&FAILED_ROOMY, &REBUILD, &["failed-roomy-storage"]),
    case(&FAILED_REPLACE, &REBUILD, &["failed-replace"]),
    case(&ZONE_LOST, &REBUILD, &["zone-lost-storage"]),
    case(&ZONE_LOST, &REBUILD_LEADERS, &[]),
    at_s_no_room(case(&DECOMMISSION, &REBUILD_WITHOUT, &["decom-storage"])),
    at_s_no_room(case(&MIXED_FAILED, &REBUILD, &[])),
    case(&IMBALANCED, &REBUILD_FORCED, &["force-storage-dist"]),
    case(&BALANCED, &REBALANCE, &[]),
    case(&IMBALANCED, &REBALANCE, &["rebalance-auto", "rebalance-tight2"]),
    case(&IMBALANCED, &REBALANCE_ALL, &["optlead-rebalance"]),
    case(&RATED, &REBALANCE_LOADS, &[]),
    case(&FULL_BROKER, &REBALANCE, &["rebalance-full"]),
    case(&MIXED, &REBALANCE, &[]),
    case(&HEAVY_TAILED, &REBALANCE, &[]),
    case(&NEW_BROKERS, &SCALE, &["scale-auto", "scale-fix10", "scale-tight2"]),
    at_s_no_room(case(&DECOMMISSION, &SCALE_DRAIN, &["decom-storage"])),
    case(&BALANCED, &LEADERS, &[]),
    case(&IMBALANCED, &LEADERS, &[]),
    case(&MIXED, &LEADERS, &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        for (i, case) in CASES.iter().enumerate() {
            let twins = CASES.iter().skip(i + 1).filter(|other| other.name() == case.name());
            assert_eq!(twins.count(), 0, "{}", case.name());
        }
    }

    #[test]
    fn a_case_is_called_by_its_scenario_its_planner_or_its_command() {
        let case = &CASES[2];
        for word in
            ["failed-broker", "rebuild, leaders", "rebuild", "failed-broker / rebuild, leaders"]
        {
            assert!(case.is_called(word), "{word}");
        }
        assert!(!case.is_called("failed"));
    }
}
