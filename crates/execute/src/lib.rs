//! Carries plans out.
//!
//! In: a [`Task`] (the plan and how fast it may go), the [`History`] that the journal tells, the [`Ledger`] of what
//! is set in the cluster, and what is [`Seen`] of the cluster now. Out: the [`Action`]s of this round. What moves,
//! where to, and in which order is the plan's; nothing here decides it. Reads no clock, file, socket or environment:
//! whoever drives it looks, asks [`next`], acts, writes down, and looks again. A crash between any two of these is
//! answered by starting over: everything that counts is read back from the journal, the ledger and the cluster.

mod action;
mod config;
mod course;
mod estimate;
mod health;
mod journal;
mod ledger;
mod legs;
mod next;
mod pace;
mod room;
mod seen;
mod task;

pub use action::{Action, Held, Outcome, Round};
pub use config::{Entries, Key, Resource, Setting};
pub use course::{Course, Hindrance, Standing, WhyLeft};
pub use estimate::{Estimate, Traffic};
pub use health::Ill;
pub use journal::{Entry, History};
pub use ledger::{Held as HeldSetting, Ledger, LedgerEntry};
pub use legs::legs;
pub use next::next;
pub use pace::Stray;
pub use seen::{Running, Seen};
pub use task::{Aim, Limits, Pace, PauseOn, Task};
