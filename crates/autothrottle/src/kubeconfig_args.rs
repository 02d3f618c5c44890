//! Where Kubernetes is: for what is kept there, and for what it knows of brokers' machines.

use console::Environment;
use kubernetes::Access;
use std::path::PathBuf;

/// The way to the API.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct KubeconfigArgs {
    /// Read this kubeconfig file
    ///
    /// Default: the files of KUBECONFIG, then the service account of the pod.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Use this Kubernetes context [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl KubeconfigArgs {
    /// Flag, then `KUBECONFIG`, then the pod's service account.
    pub(crate) fn access(&self, environment: &Environment) -> Access {
        let paths =
            |list: &str| std::env::split_paths(list).filter(|path| path.is_file()).collect();
        let named = self.kubeconfig.clone().map(|path| vec![path]);
        let named = named.or_else(|| environment.get("KUBECONFIG").map(paths));
        Access {
            kubeconfig: named.unwrap_or_default(),
            in_pod: environment.get("KUBERNETES_SERVICE_HOST").is_some(),
            context: self.context.clone(),
            namespace: environment.get("POD_NAMESPACE").map(str::to_owned),
        }
    }
}
