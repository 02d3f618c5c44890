//! Flags that several commands share; each is read where it stands, and nowhere else.

mod brokers;
#[cfg(feature = "live")]
mod kubernetes;
mod load;
mod maps;
mod outputs;
mod planning;
mod rates;
mod solver;
mod source;
mod steps;
mod storage;
mod topics;
mod warns;

pub(crate) use brokers::{BrokerList, holders, known_brokers, refuse_unknown};
#[cfg(feature = "live")]
pub(crate) use kubernetes::KubernetesArgs;
#[cfg(feature = "live")]
pub(crate) use load::ahead;
pub(crate) use load::{ForecastArgs, LoadArgs, LoadWindow, RecordArgs};
pub(crate) use maps::MapArgs;
pub(crate) use outputs::{OutputFormat, TalkArgs, WhenColor};
pub(crate) use planning::PlanningArgs;
pub(crate) use rates::RatesArgs;
pub(crate) use solver::SolverArgs;
pub(crate) use source::SourceArgs;
pub(crate) use steps::StepArgs;
pub(crate) use topics::{TopicArgs, patterns};
pub(crate) use warns::WarnArgs;

use std::path::PathBuf;

/// Flags that every command takes, before or after its name.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) maps: MapArgs,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(crate) kubernetes: KubernetesArgs,
    #[command(flatten)]
    pub(crate) warns: WarnArgs,
    #[command(flatten)]
    pub(crate) talk: TalkArgs,
    /// Read flags from a YAML file; its keys are long flag names
    #[arg(long, value_name = "FILE", global = true, help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
}
