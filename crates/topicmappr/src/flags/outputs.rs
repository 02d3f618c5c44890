//! How a run talks.

use console::LogArgs;

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
