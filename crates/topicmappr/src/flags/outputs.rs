//! How a run talks.

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

/// What is logged on stderr.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// Log more on stderr; -vv logs even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Choose the form of the log
    #[arg(long, value_enum, value_name = "FORM", global = true, default_value = "text")]
    pub(crate) log_format: LogFormat,
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

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Plain text lines
    Text,
    /// One JSON object per line
    Json,
}
