//! The command line's outermost shape.

use crate::commands::Command;
use crate::flags::Global;

/// Plans which Kafka broker holds which replica.
#[derive(Debug, clap::Parser)]
#[command(
    name = "topicmappr",
    version,
    max_term_width = 100,
    after_help = "Every flag may also stand in the environment (TOPICMAPPR_OUT_FILE) or in the file of \
                  --config (out-file: ...).\nA flag outranks the environment, the environment the file.\n\n\
                  Exit codes: 0 done, 1 no plan, 2 wrong input, 3 outside failure, 4 warnings, 5 findings,\n\
                  6 partly done (resume), 7 held by another, 130/143 signals."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}
