//! Flags that several commands for live clusters share, next to those that all commands share.

mod consent;
mod daemon;
mod execution;
mod forced;
mod ledger;

pub(crate) use crate::flags::*;
pub(crate) use consent::ConsentArgs;
pub(crate) use daemon::DaemonArgs;
pub(crate) use execution::{BesideArgs, ClaimArgs, ExecutionArgs};
pub(crate) use forced::ForcedArgs;
pub(crate) use ledger::LedgerArgs;
