//! Where Kubernetes is, and by which names things go there.

use crate::layers::Environment;
use ::kubernetes::Access;
use ::kubernetes::brokers::Rules;
use ::kubernetes::identity::{Order, Rule};
use std::path::PathBuf;

/// Which pods are brokers', and which brokers they are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct PodArgs {
    /// Find broker pods by these labels (app=kafka)
    ///
    /// Default: the pods of StatefulSets, and pods that state a broker id.
    #[arg(long, value_name = "KEY=VALUE,...", global = true)]
    pod_labels: Option<String>,
    /// Set the rules that find a pod's broker id
    #[arg(
        long,
        value_name = "RULE,...",
        global = true,
        value_delimiter = ',',
        default_value = "annotation,label,strimzi,env,ordinal,node-label",
        long_help = "Set the rules that find a pod's broker id\n\nThe first rule that applies wins. The rules are \
                     annotation[:KEY], label[:KEY], strimzi, env[:NAME], ordinal and node-label[:KEY]. Without KEY, \
                     any key counts that is broker-id or ends in /broker-id. Without NAME, the variables are \
                     KAFKA_BROKER_ID, KAFKA_NODE_ID, KAFKA_CFG_BROKER_ID and KAFKA_CFG_NODE_ID."
    )]
    identity: Vec<Rule>,
    /// Add this base to pod ordinals
    ///
    /// The variable BROKER_ID_BASE of a container overrides it. So does an annotation or label broker-id-base of the
    /// pod or its StatefulSet.
    #[arg(long, value_name = "N", global = true, default_value_t = 0)]
    broker_id_base: u32,
}

impl PodArgs {
    /// The labels of broker pods; `None`: any.
    #[must_use]
    pub fn labels(&self) -> Option<&str> {
        self.pod_labels.as_deref()
    }

    /// The names of labels and annotations that concern pods.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            identity: Order { rules: self.identity.clone(), base: self.broker_id_base },
            pods_are_chosen: self.pod_labels.is_some(),
            ..Rules::default()
        }
    }
}

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
        file.into_iter().chain(context).chain(namespace).collect()
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
