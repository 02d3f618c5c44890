//! Maps topics to brokers.
//!
//! In: a [`Snapshot`] and a request. Out: a [`Plan`], or the reasons why there is none.
//! Reads no clock, file, socket or environment: the same input gives the same plan.

mod assignment;
mod bytes;
mod figures;
mod ids;
pub mod maps;
mod no_plan;
mod plan;
mod plan_file;
mod request;
pub mod scope;
pub mod snapshot;

pub use assignment::{Assignment, Topics, assign};
pub use bytes::{Bytes, Ratio};
pub use figures::{BrokerFigures, Figures};
pub use ids::{BrokerId, PartitionId, Replicas, Seat, TopicPartition};
pub use no_plan::{NoPlan, Refusal, Shortage};
pub use plan::{Floor, LeftOut, Move, Plan, Reason, Solver, SolverStatus, WhyLeftOut};
pub use plan_file::{PlanFile, PlanFileError, PlannedPartition};
pub use request::{
    BaseReplicas, Mends, Optimize, PlaceBy, RackRule, Rebuild, Replace, Request, Terms,
};
pub use snapshot::{Snapshot, SnapshotError, SnapshotHash};
