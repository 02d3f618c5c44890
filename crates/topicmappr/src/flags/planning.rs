//! What every planning command takes.

use console::units;
use jiff::SignedDuration;
use mapper::Ratio;
use std::path::PathBuf;

/// The flags of planning.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Planning")]
pub(crate) struct PlanningArgs {
    /// Write the plan to exactly this path (.json, .json.gz)
    #[arg(long, value_name = "FILE")]
    pub(crate) out_file: Option<PathBuf>,
    /// Write one partition map per topic into this folder
    ///
    /// The files are TOPIC.json. With several steps they are TOPIC-phase0.json, TOPIC-phase1.json and so on.
    #[arg(long, value_name = "DIR")]
    pub(crate) out_path: Option<PathBuf>,
    /// Leave partitions that do not change out of the files [default]
    #[arg(long)]
    pub(crate) skip_no_ops: bool,
    /// Write every partition in scope, also those that do not change
    #[arg(long)]
    pub(crate) include_no_ops: bool,
    /// Save the snapshot that the plan is made from
    ///
    /// Planning again from this file gives the same bytes.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_snapshot: Option<PathBuf>,
    /// Keep this share of each broker's storage free
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = units::percent)]
    pub(crate) storage_headroom: Ratio,
    /// Place replicas on cordoned brokers, too (Kafka 4.3)
    ///
    /// A broker with a log dir that is not cordoned gets replicas there only.
    #[arg(long)]
    pub(crate) ignore_cordons: bool,
    /// Warn if more brokers than this are lost
    #[arg(long, value_name = "N", default_value_t = PlanningArgs::MAX_LOST)]
    pub(crate) max_lost: usize,
    /// Warn if stored metrics are older; a bare number is minutes
    #[arg(long, value_name = "AGE", default_value = "60", value_parser = units::minutes)]
    pub(crate) metrics_age: SignedDuration,
}

impl PlanningArgs {
    /// More lost brokers than this are a warning.
    pub(crate) const MAX_LOST: usize = 1;
}
