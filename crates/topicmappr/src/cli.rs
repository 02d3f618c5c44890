//! The command line's outermost shape.

use crate::flags::Global;

/// Plan where the replicas of a Kafka cluster go, and move them.
#[derive(Debug, clap::Parser)]
#[command(
    name = "topicmappr",
    version,
    max_term_width = 100,
    after_help = "You can also set each flag in the environment (TOPICMAPPR_OUT_FILE) or in the --config \
                  file (out-file: ...).\nFlags override the environment. The environment overrides the file.\n\n\
                  Exit codes: 0 done, 1 no plan, 2 wrong input, 3 outside failure, 4 warnings, 5 findings,\n\
                  6 partly done (resume), 7 another run or daemon holds the lock, 130/143 signals."
)]
pub(crate) struct Cli<C: clap::Subcommand> {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: C,
}
