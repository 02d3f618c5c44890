//! All commands; each one that needs a live cluster is a file here.

mod broker;
mod cancel;
mod certs;
mod completions;
mod controllers;
mod doctor;
mod elect;
mod execute;
mod follow_up;
mod keep;
mod man;
mod maps;
mod metrics;
mod plans;
mod replace;
mod roll;
mod rollback;
mod same_id;
mod status;
mod sweep;
mod throttle;
mod topics;

use crate::commands::{plan, rebalance, rebuild, scale, snapshot, version};
use crate::error::Error;
use crate::session::Session;
use local::Status;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Capture a cluster into a file
    Snapshot(snapshot::Args),
    /// Show, check and resolve maps
    #[command(subcommand)]
    Maps(maps::Command),
    /// Plan a repair: replace lost replicas, and enforce maps
    ///
    /// It also replaces replicas on brokers that leave. It moves nothing else.
    Rebuild(Box<rebuild::Args>),
    /// Plan to give the replicas of one broker to another
    Replace(Box<replace::Args>),
    /// Plan a repair, then even storage with the least movement
    Rebalance(Box<rebalance::Args>),
    /// Plan to spread load onto new brokers; --drain empties brokers
    Scale(Box<scale::Args>),
    /// Plan even preferred leadership; no data moves
    ///
    /// It can also move leadership off brokers, and elect the preferred leaders.
    Leaders(Box<elect::Args>),
    /// Read plan files
    #[command(subcommand)]
    Plan(plan::Command),
    /// Prepare, probe and unregister brokers in their pods
    #[command(subcommand)]
    Broker(broker::Command),
    /// Show and change the controllers of a KRaft cluster (KIP-853)
    #[command(subcommand)]
    Controllers(controllers::Command),
    /// Show and fetch what brokers send, receive and store
    #[command(subcommand)]
    Metrics(metrics::Command),
    /// Create and change topics as they are defined
    #[command(subcommand)]
    Topics(topics::Command),
    /// Carry out a plan step by step; resume it after an interruption
    Execute(Box<execute::Args>),
    /// Show the progress of a plan's execution
    Status(status::Args),
    /// Cancel the moves of a plan that are in flight
    Cancel(Box<cancel::Args>),
    /// Undo a plan: cancel moves in flight, return what has arrived
    Rollback(Box<execute::Args>),
    /// Restart the pods of StatefulSets one by one, and keep min ISR
    ///
    /// No partition falls below its min.insync.replicas.
    Roll(Box<roll::Args>),
    /// Propose plans by a policy, and carry out those allowed
    ///
    /// It replaces lost brokers, empties cordoned ones, and keeps loads even. One plan at a time.
    Keep(Box<keep::Args>),
    /// List, approve and reject the plans of keep
    #[command(subcommand)]
    Plans(plans::Command),
    /// Report what is wrong with a cluster, and what to run next
    ///
    /// The exit code is 5 if there are findings.
    Doctor(doctor::Args),
    /// Show, change and clear replication throttles
    #[command(subcommand)]
    Throttle(throttle::Command),
    /// Check the certificates of listeners; reload them without a restart
    #[command(subcommand)]
    Certs(certs::Command),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Print manual pages, or write those of all commands
    Man(man::Args),
    /// Print the version
    Version,
}

impl Command {
    pub(crate) fn run(&self, session: &mut Session<'_, '_>) -> Result<Status, Error> {
        match self {
            Self::Snapshot(args) => snapshot::run(args, session),
            Self::Maps(command) => maps::run(command, session),
            Self::Rebuild(args) => rebuild::run(args, session),
            Self::Replace(args) => replace::run(args, session),
            Self::Rebalance(args) => rebalance::run(args, session),
            Self::Scale(args) => scale::run(args, session),
            Self::Leaders(args) => elect::run(args, session),
            Self::Plan(command) => plan::run(command, session),
            Self::Broker(command) => broker::run(command, session),
            Self::Controllers(command) => controllers::run(command, session),
            Self::Metrics(command) => metrics::run(command, session),
            Self::Topics(command) => topics::run(command, session),
            Self::Execute(args) => execute::run(args, session),
            Self::Status(args) => status::run(args, session),
            Self::Cancel(args) => cancel::run(args, session),
            Self::Rollback(args) => rollback::run(args, session),
            Self::Roll(args) => roll::run(args, session),
            Self::Keep(args) => keep::run(args, session),
            Self::Plans(command) => plans::run(command, session),
            Self::Doctor(args) => doctor::run(args, session),
            Self::Throttle(command) => throttle::run(command, session),
            Self::Certs(command) => certs::run(command, session),
            Self::Completions(args) => completions::run(args, session),
            Self::Man(args) => man::run(args, session),
            Self::Version => version::run(session),
        }
    }
}
