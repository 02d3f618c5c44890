//! Flags that select broker pods.

use kubernetes::brokers::Rules;
use kubernetes::identity::{Order, Rule};

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
    /// The label selector of broker pods; `None`: pods with any labels.
    #[must_use]
    pub fn labels(&self) -> Option<&str> {
        self.pod_labels.as_deref()
    }

    /// The same, for another command of the program.
    #[must_use]
    pub fn as_flags(&self) -> Vec<String> {
        let (own, usual) = (self.rules().identity, Order::default());
        let labels = self.pod_labels.as_ref().map(|labels| format!("--pod-labels={labels}"));
        let rules: Vec<String> = own.rules.iter().map(Rule::to_string).collect();
        let rules = (own.rules != usual.rules).then(|| format!("--identity={}", rules.join(",")));
        let base = (own.base != usual.base).then(|| format!("--broker-id-base={}", own.base));
        labels.into_iter().chain(rules).chain(base).collect()
    }

    /// The rules that find broker ids in the labels and annotations of pods.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            identity: Order { rules: self.identity.clone(), base: self.broker_id_base },
            pods_are_chosen: self.pod_labels.is_some(),
            ..Rules::default()
        }
    }
}
