//! The commands, one file each: arguments, request, plan, check, render, write.

mod broker;
mod cancel;
mod certs;
mod completions;
mod doctor;
mod execute;
mod follow_up;
mod heal;
mod leaders;
mod man;
mod maps;
mod metrics;
mod plan;
mod rebalance;
mod rebuild;
mod replace;
mod roll;
mod rollback;
mod same_id;
mod scale;
mod snapshot;
mod status;
mod sweep;
mod throttle;
mod topics;
mod version;

use crate::error::Error;
use crate::session::Session;
use crate::status::Status;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Captures a cluster into a file
    Snapshot(snapshot::Args),
    /// Shows, checks and resolves maps
    #[command(subcommand)]
    Maps(maps::Command),
    /// Places topics on brokers: replaces what is lost or leaves, enforces maps; moves nothing else
    Rebuild(Box<rebuild::Args>),
    /// Gives the replicas of one broker to another
    Replace(Box<replace::Args>),
    /// Repairs what is lost, then evens storage, with least movement
    Rebalance(Box<rebalance::Args>),
    /// Spreads onto new brokers; --drain empties brokers
    Scale(Box<scale::Args>),
    /// Evens preferred leadership, or takes it off brokers; no data moves
    Leaders(Box<leaders::Args>),
    /// Reads plan files
    #[command(subcommand)]
    Plan(plan::Command),
    /// Tells a broker's pod what it needs to know of itself
    #[command(subcommand)]
    Broker(broker::Command),
    /// Shows and fetches what brokers send, receive and store
    #[command(subcommand)]
    Metrics(metrics::Command),
    /// Makes and changes topics as they are defined
    #[command(subcommand)]
    Topics(topics::Command),
    /// Carries a plan out, step by step; a run that ended anyhow can be resumed
    Execute(Box<execute::Args>),
    /// Shows how far the execution of a plan is
    Status(status::Args),
    /// Cancels the moves of a plan that are in flight
    Cancel(Box<cancel::Args>),
    /// Takes a plan back: what is in flight is cancelled, what has arrived returns
    Rollback(Box<execute::Args>),
    /// Restarts the pods of StatefulSets one by one, so that no partition gets under its min ISR
    Roll(Box<roll::Args>),
    /// Gives up one broker that has been lost for long, if nothing else is wrong (for a CronJob)
    Heal(Box<heal::Args>),
    /// Says what is wrong with a cluster, and what to run next; exit code 5 if anything
    Doctor(doctor::Args),
    /// Shows and clears what paces replication
    #[command(subcommand)]
    Throttle(throttle::Command),
    /// Checks the certificates that listeners serve, and renews them without a restart
    #[command(subcommand)]
    Certs(certs::Command),
    /// Prints completions for a shell
    Completions(completions::Args),
    /// Prints manual pages, or writes those of all commands
    Man(man::Args),
    /// Prints the version
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
            Self::Leaders(args) => leaders::run(args, session),
            Self::Plan(command) => plan::run(command, session),
            Self::Broker(command) => broker::run(command, session),
            Self::Metrics(command) => metrics::run(command, session),
            Self::Topics(command) => topics::run(command, session),
            Self::Execute(args) => execute::run(args, session),
            Self::Status(args) => status::run(args, session),
            Self::Cancel(args) => cancel::run(args, session),
            Self::Rollback(args) => rollback::run(args, session),
            Self::Roll(args) => roll::run(args, session),
            Self::Heal(args) => heal::run(args, session),
            Self::Doctor(args) => doctor::run(args, session),
            Self::Throttle(command) => throttle::run(command, session),
            Self::Certs(command) => certs::run(command, session),
            Self::Completions(args) => completions::run(args, session),
            Self::Man(args) => man::run(args, session),
            Self::Version => version::run(session),
        }
    }
}
