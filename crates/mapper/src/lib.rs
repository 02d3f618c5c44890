//! Maps topics to brokers.
//!
//! In: a [`Snapshot`] and a request. Out: a [`Plan`], or the reasons why there is none.
//! Reads no clock, file, socket or environment: the same input gives the same plan.

mod assign;
mod assignment;
mod balance;
mod both;
mod bytes;
mod check;
mod clash;
mod constraints;
mod counted;
mod counting;
mod dense;
mod diff;
mod drain;
mod exact;
pub mod explain;
mod figures;
mod finish;
mod floor;
mod ids;
mod leaders;
mod lookup;
pub mod maps;
mod no_plan;
mod pair;
mod place;
mod plan;
mod plan_file;
mod planners;
mod rack_queues;
mod rebuild;
mod replace;
mod request;
pub mod scope;
pub mod snapshot;
mod step_limits;
mod steps;
mod table;
mod target;
mod throttle_key;
mod traffic;
mod volumes;
mod warning;
mod work;

pub use assign::assign;
pub use assignment::{Assignment, TopicSelection};
pub use balance::{rebalance, scale};
pub use both::both;
pub use bytes::{Bytes, Rate, Ratio};
pub use check::{Violation, check, check_map};
pub use clash::{Clash, ClashRule, Remedy, clash};
pub use counted::{counted, plural};
pub use diff::{BrokerDiff, Differs, PlanChange, PlanDiff, PlanDifference, PlanSide, diff};
pub use drain::{Undrained, sweep, undrained};
pub use figures::{BrokerFigures, Figures};
pub use ids::{BrokerId, PartitionId, Replicas, Seat, TopicId, TopicPartition, is_topic_name};
pub use leaders::leaders;
pub use no_plan::{NoPlan, NoPlanStatus, Refusal, Shortage};
pub use pair::incoming_for;
pub use plan::{
    ANY_LOG_DIR, BalanceFloor, BoundBy, LeaderBytes, LeftOut, Move, Plan, Reason, Solver,
    SolverStatus, Stage, WhyLeftOut,
};
pub use plan_file::{PlanFile, PlanFileError, PlannedPartition};
pub use planners::plan;
pub use rebuild::rebuild;
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
