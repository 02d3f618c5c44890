//! Logs on stderr.

/// What is logged on stderr.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// Log more on stderr; -vv logs even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Choose the form of the log
    #[arg(long, value_enum, value_name = "FORM", global = true, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines to read
    Text,
    /// One JSON object a line
    Json,
}
