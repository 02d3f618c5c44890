//! What needs a live cluster: its commands, their flags and their output. The feature `live` brings it, with all that
//! reaches servers.
//!
//! The other modules of the program do not use this one. They get their facts through [`ServerReach`].

mod around;
mod cli;
mod commands;
mod flags;
mod lost;
mod reach;
mod session;
mod views;

pub(crate) use cli::Cli;
pub(crate) use commands::Command;

use crate::error::Error;
use crate::facts::ServerReach;

/// The way to servers.
pub(crate) const REACH: Option<&'static dyn ServerReach> = Some(&reach::NetworkReach);

/// A command line that is refused.
pub(crate) fn refused(error: console::Error) -> Error {
    error.into()
}
