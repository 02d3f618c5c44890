//! The `topicmappr` command line: a function of its arguments, its environment and its streams.
//!
//! Every command is a file in `commands`, every flag that several of them share one in `flags`, every form of output one
//! in `views`. What needs a live cluster is in `live`, in the same order; a build without the feature `live` leaves it out,
//! and plans from files only.

#![cfg_attr(
    not(feature = "live"),
    expect(dead_code, reason = "errors and views that only `live` makes")
)]

mod cli;
mod commands;
mod doctor;
mod error;
mod facts;
#[cfg(not(feature = "live"))]
mod files_only;
mod flags;
#[cfg(feature = "live")]
mod live;
mod load_folder;
mod lost;
mod planning;
mod session;
mod views;

pub use console::Environment;
pub use local::Status;
pub use session::Streams;

use crate::error::Error;
#[cfg(not(feature = "live"))]
use crate::files_only::{Cli, REACH, refused};
use crate::flags::WhenColor;
#[cfg(feature = "live")]
use crate::live::{Cli, REACH, refused};
use crate::session::Session;
use clap::{CommandFactory, FromArgMatches};
use local::plain::Plain;
use std::ffi::OsString;

/// Runs one command line (the program's own name first) and says how it ended.
///
/// Writes to `streams` and to the files that the flags name, and reads no environment but `environment`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    streams: &mut Streams<'_>,
) -> Status {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = console::parse(Cli::command, "TOPICMAPPR_", &args, environment)
        .map_err(refused)
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(Error::from));
    let color = cli.as_ref().map_or(WhenColor::Auto, |cli| cli.global.talk.color);
    let (out_inks, err_inks) = session::colors(color, environment, streams);
    let mut out = Plain::with_inks(&mut *streams.out, out_inks);
    let mut err = Plain::with_inks(&mut *streams.err, err_inks);
    let streams =
        &mut Streams { out: &mut out, err: &mut err, stdin: &mut *streams.stdin, ..*streams };
    match cli {
        Ok(cli) => {
            let mut session = Session::new(cli.global, &args, environment, REACH, streams);
            let ended = cli.command.run(&mut session);
            session.end(ended)
        }
        Err(error) => session::refuse(&error, &args, environment, streams),
    }
}
