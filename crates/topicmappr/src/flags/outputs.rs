//! How a run talks.

use crate::error::Error;
use console::LogArgs;
use operate::cluster::Servers;
use operate::live::{self, Facts};
use operate::runtime;
use tracing::level_filters::LevelFilter;

/// The flags of speech.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct TalkArgs {
    /// Choose the form of the output
    ///
    /// json is one document on stdout, errors included.
    #[arg(long, value_enum, value_name = "FORM", global = true, default_value = "human")]
    pub(crate) output: OutputFormat,
    /// Choose when output is in colour
    ///
    /// auto also respects the variable NO_COLOR.
    #[arg(long, value_enum, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: WhenColor,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// The form of what stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables and sentences
    Human,
    /// One JSON document; executions write one document per line
    Json,
}

/// When the human form is in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WhenColor {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl TalkArgs {
    /// The form of the log.
    pub(crate) fn log(&self) {
        self.logs.start(LevelFilter::WARN);
    }

    /// Plain text lines
    pub(crate) fn wait_for<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.log();
        runtime::wait(work)?
    }

    /// One JSON object per line
    pub(crate) fn captured(&self, servers: &Servers) -> Result<Facts, Error> {
        self.log();
        Ok(live::capture(servers)?)
    }
}
