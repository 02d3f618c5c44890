//! Where Kubernetes is, and by which names things go there.

use ::kubernetes::Access;
use ::kubernetes::brokers::Rules;
use console::{Environment, PodArgs};
use std::path::PathBuf;

/// The flags about Kubernetes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct KubernetesArgs {
    /// Read this kubeconfig file
    ///
    /// Default: the files of KUBECONFIG, then ~/.kube/config, then the service account of the pod.
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// Use this Kubernetes context [default: the current one]
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,
    /// Use this namespace for names without one [default: the context's]
    ///
    /// Maps by node also find their broker pods there.
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Option<String>,
    #[command(flatten)]
    pods: PodArgs,
    /// Read a node's rack from the first of these labels present
    #[arg(
        long,
        value_name = "KEY,...",
        global = true,
        value_delimiter = ',',
        default_values_t = Rules::default().racks
    )]
    rack_labels: Vec<String>,
    /// Read a node's instance type from the first of these labels
    #[arg(
        long,
        value_name = "KEY,...",
        global = true,
        value_delimiter = ',',
        default_values_t = Rules::default().instance_types
    )]
    instance_type_labels: Vec<String>,
    /// Read a node's group from the first of these labels
    ///
    /// Maps name the group as node-group in nodeLabels.
    #[arg(
        long,
        value_name = "KEY,...",
        global = true,
        value_delimiter = ',',
        default_values_t = Rules::default().node_groups
    )]
    node_group_labels: Vec<String>,
}

impl KubernetesArgs {
    /// Whether the operator named Kubernetes. Then it is asked even if it is not needed.
    pub(crate) fn is_named(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some() || self.namespace.is_some()
    }

    /// The same, for another command of this program.
    pub(crate) fn as_flags(&self) -> Vec<String> {
        let file = self.kubeconfig.as_ref().map(|path| format!("--kubeconfig={}", path.display()));
        let context = self.context.as_ref().map(|name| format!("--context={name}"));
        let namespace = self.namespace.as_ref().map(|name| format!("--namespace={name}"));
        let usual = Rules::default();
        let labels = [
            ("rack", &self.rack_labels, usual.racks),
            ("instance-type", &self.instance_type_labels, usual.instance_types),
            ("node-group", &self.node_group_labels, usual.node_groups),
        ];
        let labels = labels.into_iter().filter(|(_, own, usual)| *own != usual);
        let labels = labels.map(|(of, own, _)| format!("--{of}-labels={}", own.join(",")));
        let place = file.into_iter().chain(context).chain(namespace);
        place.chain(self.pods.as_flags()).chain(labels).collect()
    }

    /// Which pods are brokers' for certain.
    pub(crate) fn pod_labels(&self) -> Option<&str> {
        self.pods.labels()
    }

    /// Where the API is. Flag, then `KUBECONFIG`, then the home's file, then the pod's service account, as kubectl does.
    pub(crate) fn access(&self, environment: &Environment) -> Access {
        let of_home = || {
            let path = PathBuf::from(environment.get("HOME")?).join(".kube/config");
            path.is_file().then(|| vec![path])
        };
        let paths = |list: &str| std::env::split_paths(list).filter(|p| p.is_file()).collect();
        let named = self.kubeconfig.clone().map(|path| vec![path]);
        let kubeconfig =
            named.or_else(|| environment.get("KUBECONFIG").map(paths)).or_else(of_home);
        Access {
            kubeconfig: kubeconfig.unwrap_or_default(),
            in_pod: environment.get("KUBERNETES_SERVICE_HOST").is_some(),
            context: self.context.clone(),
            namespace: self.namespace.clone(),
        }
    }

    /// The names of labels and annotations.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            racks: self.rack_labels.clone(),
            instance_types: self.instance_type_labels.clone(),
            node_groups: self.node_group_labels.clone(),
            ..self.pods.rules()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        kubernetes: KubernetesArgs,
    }

    #[test]
    fn another_command_gets_each_flag_and_no_default() {
        let flags = [
            "--kubeconfig=/etc/kube",
            "--context=blue",
            "--namespace=kafka",
            "--pod-labels=app=kafka,tier=data",
            "--identity=label:id,ordinal",
            "--broker-id-base=1000",
            "--rack-labels=zone",
            "--instance-type-labels=type",
            "--node-group-labels=group,pool",
        ];
        let passed =
            |words: &[&str]| Line::parse_from(["line"].iter().chain(words)).kubernetes.as_flags();
        assert_eq!(passed(&flags), flags);
        assert!(passed(&[]).is_empty());
        let given = |name: &str| flags.iter().any(|flag| flag.starts_with(&format!("--{name}=")));
        let line = Line::command();
        let known = line.get_arguments().filter_map(|one| one.get_long());
        assert!(known.filter(|name| *name != "help").all(given), "a new flag is not passed on");
    }
}
