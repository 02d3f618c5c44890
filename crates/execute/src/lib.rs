//! Carries plans out.
//!
//! In:
//! * a [`Task`]: the plan and its limits
//! * the [`ExecutionHistory`] from the journal
//! * the [`Ledger`] of what is set in the cluster
//! * what is [`Seen`] of the cluster now
//!
//! Out: the [`Action`]s of this round. The plan decides what moves, where to, and in which steps; nothing here does.
//! Reads no clock, file, socket or environment.
//!
//! The caller reads the cluster, asks [`next`], acts, records, and repeats. After a crash between any two of these it
//! starts over: the journal, the ledger and the cluster have all the state that counts.

mod abandoned;
mod action;
mod back;
mod batch;
mod cancel;
pub mod catch_up;
mod config;
pub mod controllers;
mod copies;
mod cordons;
mod covered;
mod dirs;
mod elections;
mod estimate;
mod exposure;
mod health;
mod inventory;
mod journal;
pub mod keep;
mod ledger;
mod legs;
mod losses;
mod move_state;
mod next;
mod others;
mod pace;
mod preferred;
mod progress;
mod reconcile;
mod repace;
mod returned;
pub mod roll;
mod room;
mod round;
mod seen;
mod settling;
mod stall;
mod task;
mod window;

pub use abandoned::Abandoned;
pub use action::Action;
pub use back::{WayBack, WhyNotBack, way_back};
pub use batch::Batch;
pub use config::{
    ConfigEdit, Key, Setting, ThrottleResource, ThrottleValue, ThrottledEntries, ThrottledReplica,
};
pub use copies::{Copied, CopyPort, CopyProgress};
pub use covered::is_paced;
pub use dirs::LogDirDestination;
pub use estimate::{Estimate, Traffic};
pub use exposure::Exposure;
pub use health::Ill;
pub use inventory::{
    Accounts, Copying, InFlight, Paces, ThrottleOwner, ThrottlePlace, Throttled, throttled,
};
pub use journal::{ExecutionHistory, ExecutionOutcome, JournalEntry};
pub use ledger::{DAEMON, HeldSetting, Ledger, LedgerEntry, LedgerHolder, Owner, RequestedRate};
pub use legs::legs;
pub use losses::Losses;
pub use move_state::{MoveHindrance, MoveState, WhyLeft};
pub use next::{next, throttled_topics};
pub use others::Others;
pub use preferred::{Election, Elections, Obstacle, preferred};
pub use progress::{PlanProgress, cordoned};
pub use reconcile::{
    Holding, List, Stray, WantedConfigs, WantedRate, meets, passing, rate_of, rate_setting,
    reconcile, records_what_stands,
};
pub use repace::{Repaced, repace};
pub use returned::returned;
pub use round::{NoNewMoves, Round};
pub use seen::{Cordon, Lying, Running, Seen, Stored};
pub use settling::Settling;
pub use stall::{LimitingSide, Stall, StallCause, Watch};
pub use task::{
    Aim, ExecutionLimits, ExecutionTerms, MOVES_PER_BROKER, OnDeadBroker, Pace, PauseOn, Task,
};
