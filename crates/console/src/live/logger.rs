//! Starts the log on stderr. Only code that reaches servers logs.

use crate::logs::{LogArgs, LogFormat};
use local::plain::Plain;
use std::io;
use tracing::level_filters::LevelFilter;

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
