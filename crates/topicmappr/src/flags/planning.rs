//! What every planning command takes.

use crate::flags::units;
use jiff::SignedDuration;
use mapper::Ratio;
use std::path::PathBuf;

/// The flags of planning.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Planning")]
pub(crate) struct PlanningArgs {
    /// File for the plan, exactly this path (.json, .json.gz)
    #[arg(long, value_name = "FILE")]
    pub(crate) out_file: Option<PathBuf>,
    /// Folder for one partition map per topic: TOPIC.json, with several steps TOPIC-phase0.json, ...
    #[arg(long, value_name = "DIR")]
    pub(crate) out_path: Option<PathBuf>,
    /// Leaves partitions that do not change out of the files [the default]
    #[arg(long)]
    pub(crate) skip_no_ops: bool,
    /// Puts every partition in scope into the files, also those that do not change
    #[arg(long)]
    pub(crate) include_no_ops: bool,
    /// File for the snapshot that the plan is made from: planning again from it gives the same bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) save_snapshot: Option<PathBuf>,
    /// Share of each broker's storage that no plan fills
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = units::percent)]
    pub(crate) storage_headroom: Ratio,
    /// Lost brokers beyond which a plan warns
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) max_lost: usize,
    /// Age of stored metrics beyond which a plan warns; a bare number is minutes
    #[arg(long, value_name = "AGE", default_value = "60", value_parser = units::minutes)]
    pub(crate) metrics_age: SignedDuration,
}
