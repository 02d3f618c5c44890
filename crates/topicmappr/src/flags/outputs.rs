//! How a run talks.

/// The flags of speech.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct TalkArgs {
    /// Form of the output; json is one document on stdout, errors included
    #[arg(long, value_enum, value_name = "FORM", global = true, default_value = "human")]
    pub(crate) output: OutputFormat,
    /// Colour of the human form; NO_COLOR is respected
    #[arg(long, value_enum, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: WhenColor,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// What is logged on stderr.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// Logs more on stderr; twice: still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Logs errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Form of the log
    #[arg(long, value_enum, value_name = "FORM", global = true, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// The form of what stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables and sentences
    Human,
    /// One JSON document; of an execution, one a line
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

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines to read
    Text,
    /// One JSON object a line
    Json,
}
