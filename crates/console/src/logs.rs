//! Logs on stderr.

use operate::plain::Plain;
use std::io;
use tracing::level_filters::LevelFilter;

/// What is logged on stderr.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// Log more on stderr; -vv logs even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Choose the form of the log
    #[arg(long, value_enum, value_name = "FORM", global = true, default_value = "text")]
    log_format: LogFormat,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// Lines to read
    Text,
    /// One JSON object a line
    Json,
}

impl LogArgs {
    /// Sends logs to stderr for the rest of the process. The flags can raise or lower the level `usual`.
    pub fn start(&self, usual: LevelFilter) {
        const LEVELS: [LevelFilter; 4] =
            [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];
        let from = LEVELS.iter().position(|level| *level == usual).unwrap_or_default();
        let asked = LEVELS.get(from + usize::from(self.verbose)).unwrap_or(&LevelFilter::TRACE);
        let level = if self.quiet { LevelFilter::ERROR } else { *asked };
        let logs = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(|| Plain::new(io::stderr()));
        // A second run in the same process keeps the logger of the first run.
        let _ = match self.log_format {
            LogFormat::Text => logs.try_init(),
            LogFormat::Json => logs.json().try_init(),
        };
    }
}
