//! The flags of a ledger in Kubernetes.

use crate::kubeconfig_args::KubeconfigArgs;
use console::Environment;
use coordination::{LeaseStore, Role};
use kubernetes::Name;
use kubernetes::lease::lease_name;
use operate::stores::DAEMON_LEASE;
use std::time::Duration;

/// The flags of a Lease, with the records next to it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct LeaseArgs {
    /// Elect the leading daemon with this Lease
    ///
    /// Ledger and overrides are in the ConfigMaps NAME-state next to it. Default in a pod without another place:
    /// autothrottle in the pod's namespace.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = lease_name)]
    lease: Option<Name>,
    /// Wait this long for a leader that has died
    #[arg(long, value_name = "TIME", default_value = "7s", value_parser = duration)]
    lease_duration: Duration,
    #[command(flatten)]
    pub(crate) api: KubeconfigArgs,
}

impl LeaseArgs {
    /// The store, if a flag asks for it. In a pod it is the default without another place.
    pub(crate) fn store(&self, environment: &Environment, other: bool) -> Option<LeaseStore> {
        let access = self.api.access(environment);
        let default = || (access.in_pod && !other).then(|| Name::new("", DAEMON_LEASE));
        let lease = self.lease.clone().or_else(default)?;
        Some(LeaseStore { access, lease, duration: self.lease_duration, role: Role::Daemon })
    }
}

/// A Lease holds whole seconds. A shorter time would be too much for a busy API server.
fn duration(text: &str) -> Result<Duration, String> {
    let time = console::units::duration(text)?;
    match time.subsec_nanos() == 0 && (3..=600).contains(&time.as_secs()) {
        true => Ok(time),
        false => Err("write whole seconds from 3s to 10m".to_owned()),
    }
}
