//! Carries plans out.
//!
//! In:
//! * a [`Task`]: the plan and its limits
//! * the [`History`] from the journal
//! * the [`Ledger`] of what is set in the cluster
//! * what is [`Seen`] of the cluster now
//!
//! Out: the [`Action`]s of this round. The plan decides what moves, where to, and in which order; nothing here does.
//! Reads no clock, file, socket or environment.
//!
//! The caller reads the cluster, asks [`next`], acts, records, and repeats. After a crash between any two of these it
//! starts over: the journal, the ledger and the cluster have all the state that counts.

mod abandoned;
mod action;
mod back;
mod batch;
mod by_daemon;
mod cancel;
pub mod catch_up;
mod config;
mod cordons;
mod course;
mod dirs;
mod elections;
mod estimate;
pub mod heal;
mod health;
mod hold;
mod journal;
mod ledger;
mod legs;
mod move_state;
mod next;
mod others;
mod pace;
mod preferred;
mod repace;
mod returned;
pub mod roll;
mod room;
mod round;
mod seen;
mod settling;
mod stall;
mod task;
mod throttled;

pub use abandoned::Abandoned;
pub use action::Action;
pub use back::{WayBack, WhyNotBack, way_back};
pub use batch::Batch;
pub use by_daemon::is_paced;
pub use config::{Entries, Key, Resource, Setting, ThrottleValue, ThrottledReplica};
pub use course::{Course, cordoned};
pub use dirs::Destination;
pub use estimate::{Estimate, Traffic};
pub use health::Ill;
pub use hold::{
    Holding, List, Stray, Wanted, WantedRate, hold, meets, passing, rate_of, rate_setting,
    records_what_stands,
};
pub use journal::{Entry, History, Outcome};
pub use ledger::{Asked, DAEMON, Held as HeldSetting, Ledger, LedgerEntry, LedgerHolder, Owner};
pub use legs::legs;
pub use move_state::{Hindrance, Standing, WhyLeft};
pub use next::{next, throttled_topics};
pub use others::Others;
pub use preferred::{Election, Elections, Obstacle, preferred};
pub use repace::{Repaced, repace};
pub use returned::returned;
pub use round::{Held, Round};
pub use seen::{Cordon, Lying, Running, Seen, Stored};
pub use settling::Settling;
pub use stall::{Cause, Copied, Direction, Stall, Watch};
pub use task::{Aim, Limits, MOVES_PER_BROKER, OnDeadBroker, Pace, PauseOn, Task};
pub use throttled::{
    Accounts, Copying, InFlight, Paces, Place, ThrottleOwner, Throttled, throttled,
};
