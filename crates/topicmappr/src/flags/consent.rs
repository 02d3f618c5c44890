//! Consent to a change of the cluster.

/// How a command that changes a cluster is agreed to, or only rehearsed.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ConsentArgs {
    /// Agrees to the change of the cluster beforehand
    #[arg(long)]
    pub(crate) yes: bool,
    /// Shows what would be done; exit code 5 if there is something
    #[arg(long)]
    pub(crate) dry_run: bool,
}
