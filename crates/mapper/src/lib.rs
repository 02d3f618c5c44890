//! Maps topics to brokers.
//!
//! In: a [`Snapshot`] and a request. Out: a [`Plan`], or the reasons why there is none.
//! Reads no clock, file, socket or environment: the same input gives the same plan.
//!
//! # From a snapshot to a plan
//! 1. [`Snapshot::from_json`] reads a cluster from text; [`Snapshot::new`] takes it as values. Neither accepts a
//!    contradiction. A fact that is unknown is absent, never zero.
//! 2. [`maps::MapSet::parse`] reads which topics belong to which brokers. [`maps::resolve`] finds both in the snapshot.
//!    A caller without maps lists topics and brokers in an [`Assignment`].
//! 3. A planner answers a request on these [`PlanTerms`].
//! 4. [`check`] lists each promise that a plan breaks, also a plan of another tool. It shares no code with the planners.
//! 5. [`Plan::write_json`] writes a file that Kafka's `kafka-reassign-partitions.sh` accepts. [`PlanFile::from_json`]
//!    reads it again.
//!
//! | planner | does |
//! |---|---|
//! | [`rebuild`] | replaces lost replicas and puts topics on their brokers; moves nothing else |
//! | [`replace`](replace()) | gives one broker the replicas of another |
//! | [`rebalance`] | repairs, then evens the load with the least movement |
//! | [`scale`] | gives new brokers a share, or empties brokers |
//! | [`leaders`](leaders()) | evens preferred leaders; no data moves |
//! | [`plan`](plan()) | any of them, by the [`Request`] |
//!
//! ```
//! use mappr_mapper::maps::{MapFacts, MapSet, resolve};
//! use mappr_mapper::{BrokerId, PlaceBy, PlanTerms, Ratio, Rebuild, Snapshot, check, rebuild};
//!
//! // Broker 3 held a replica. It is not registered any more.
//! let cluster = Snapshot::from_json(
//!     br#"{"version": 1, "brokers": [{"id": 1}, {"id": 2}, {"id": 4}],
//!          "topics": [{"name": "events", "partitions": [{"id": 0, "replicas": [3, 1]}]}]}"#,
//! )?;
//! let maps = resolve(&MapSet::parse("a line", r#"map1: ".*" => [1, 4]"#)?, &MapFacts::of(&cluster));
//! let terms = PlanTerms::new(maps.assignments()?.to_vec(), Ratio::from_percent(10));
//! let plan = rebuild(&cluster, &Rebuild::new(terms, PlaceBy::Count))?;
//!
//! assert_eq!(plan.moves[0].to.as_slice(), [4, 1].map(BrokerId));
//! assert_eq!(check(&cluster, &plan), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # No plan
//! [`NoPlan`] has the replica without a place, and the [`Refusal`] of each broker. [`clash()`] finds the smallest set of
//! rules that contradict each other, and remedies that it has tried. [`explain`] says why a move goes where it goes.
//!
//! # Features
//! `highs` (off by default) adds HiGHS as a second solver for exact answers. Its build needs cmake, a C++ compiler and
//! libclang. Without it, everything is Rust.

mod assign;
mod assignment;
mod balance;
mod both;
mod bytes;
mod check;
mod clash;
mod constraints;
mod copy_bounds;
mod counted;
mod counting;
mod cpu_fit;
mod cpu_model;
mod dense;
mod diff;
mod drain;
mod exact;
pub mod explain;
mod figures;
mod finish;
mod floor;
mod forecast;
mod ids;
mod leaders;
mod lookup;
pub mod maps;
mod no_plan;
mod oversized;
mod pair;
mod place;
mod plan;
mod plan_file;
mod planners;
mod rack_queues;
mod rate_meter;
mod rebuild;
mod recorded_load;
mod replace;
mod request;
pub mod scope;
pub mod snapshot;
mod step_limits;
mod steps;
mod table;
mod target;
mod throttle_key;
mod topic_spread;
mod traffic;
mod volumes;
mod warning;
mod work;
mod zone_traffic;

pub use assign::assign;
pub use assignment::{Assignment, TopicSelection};
pub use balance::{rebalance, scale};
pub use both::both;
pub use bytes::{Bytes, Rate, Ratio};
pub use check::{Violation, check, check_map};
pub use clash::{Clash, ClashRule, Remedy, clash};
pub use copy_bounds::{CopyBounds, CopyJob, ExposureSeconds, LeastExposure};
pub use counted::{counted, few, joined, plural};
pub use cpu_fit::NoCpuModel;
pub use cpu_model::CpuModel;
pub use diff::{BrokerDiff, Differs, PlanChange, PlanDiff, PlanDifference, PlanSide, diff};
pub use drain::{Undrained, sweep, undrained};
pub use figures::{BrokerFigures, DiskFigures, Figures, ZoneFigures};
pub use forecast::{
    DiskForecast, FORECAST_HOURS, HORIZON_DAYS, StorageForecast, StorageHistory, TopicRecord,
};
pub use ids::{
    BrokerId, DirectoryId, PartitionId, Replicas, Seat, TopicId, TopicPartition, is_topic_name,
};
pub use leaders::leaders;
pub use no_plan::{NoPlan, NoPlanStatus, Refusal, Shortage};
pub use oversized::OversizedPartition;
pub use pair::incoming_for;
pub use plan::{
    ANY_LOG_DIR, Assumption, BalanceFloor, BoundBy, LeaderBytes, LeftOut, Move, Plan, Reason,
    Solver, SolverStatus, Stage, UnaskedGoal, WhyLeftOut,
};
pub use plan_file::{PlanFile, PlanFileError, PlannedPartition};
pub use planners::plan;
pub use rate_meter::{LogLook, LogOffsetsSeen, LogSeen, LogSizeSeen, RateMeter};
pub use rebuild::rebuild;
pub use recorded_load::{Percentile, RecordedBrokerLoad, RecordedLoad};
pub use replace::replace;
pub use request::{
    Balance, BalanceGoal, BaseReplicas, Engine, LeadBy, LeaderEvacuation, Leaders, Measure, Mends,
    Optimize, PlaceBy, PlanTerms, RackRule, Rebalance, Rebuild, Relieve, Replace, Request, Scale,
};
pub use snapshot::{Snapshot, SnapshotError, SnapshotHash};
pub use step_limits::{StepLimits, StepOrder};
pub use table::holders;
pub use throttle_key::ThrottleKey;
pub use warning::{Warning, warnings};

/// Runs the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_names_the_minimum_version_of_rust() {
        let named = format!("needs Rust {} or newer", env!("CARGO_PKG_RUST_VERSION"));
        assert!(include_str!("../README.md").contains(&named), "README.md: {named}");
    }
}
