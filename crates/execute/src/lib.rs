//! Carries plans out.
//!
//! In: a [`Task`] (the plan and how fast it may go), the [`History`] that the journal tells, the [`Ledger`] of what
//! is set in the cluster, and what is [`Seen`] of the cluster now. Out: the [`Action`]s of this round. What moves,
//! where to, and in which order is the plan's; nothing here decides it. Reads no clock, file, socket or environment:
//! whoever drives it looks, asks [`next`], acts, writes down, and looks again. A crash between any two of these is
//! answered by starting over: everything that counts is read back from the journal, the ledger and the cluster.

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
mod next;
mod others;
mod pace;
mod preferred;
mod repace;
mod returned;
pub mod roll;
mod room;
mod seen;
mod settling;
mod stall;
mod task;
mod throttled;

pub use abandoned::Abandoned;
pub use action::{Action, Held, Outcome, Round};
pub use back::{WayBack, WhyNotBack, way_back};
pub use batch::Batch;
pub use by_daemon::is_paced;
pub use config::{Entries, Key, Resource, Setting, ThrottleValue, ThrottledReplica};
pub use cordons::{Cordon, cordoned};
pub use course::{Course, Hindrance, Standing, WhyLeft};
pub use dirs::Destination;
pub use estimate::{Estimate, Traffic};
pub use health::Ill;
pub use hold::{
    Holding, List, Stray, Wanted, WantedRate, hold, meets, passing, rate_of, rate_setting,
    records_what_stands,
};
pub use journal::{Entry, History};
pub use ledger::{Asked, DAEMON, Held as HeldSetting, Ledger, LedgerEntry, LedgerHolder, Owner};
pub use legs::legs;
pub use next::{next, throttled_topics};
pub use others::Others;
pub use preferred::{Election, Elections, Obstacle, preferred};
pub use repace::{Repaced, repace};
pub use returned::returned;
pub use seen::{Lying, Running, Seen, Stored};
pub use settling::Settling;
pub use stall::{Cause, Copied, Direction, Stall, Watch};
pub use task::{Aim, Limits, MOVES_PER_BROKER, OnDeadBroker, Pace, PauseOn, Task};
pub use throttled::{
    Accounts, Copying, InFlight, Paces, Place, ThrottleOwner, Throttled, throttled,
};
