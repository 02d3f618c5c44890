//! Consent to a change of the cluster.

/// How the operator agrees to a change, or only rehearses it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ConsentArgs {
    /// Change the cluster without asking for consent
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would be done, and change nothing
    ///
    /// The exit code is 5 if there is something to do.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
