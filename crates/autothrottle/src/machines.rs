//! Network capacities from the nodes of brokers. Kubernetes is asked when brokers come and go, and from time to time.
//!
//! A round hardly waits for it. The last answer counts until there is a newer one, also while Kubernetes is
//! unreachable.

use crate::error::Error;
use console::PodArgs;
use kubernetes::brokers::Rules;
use kubernetes::{Access, Kubernetes, Wanted};
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Labels of nodes change seldom. A pod moves to another node only with a restart of its broker.
const OLD: Duration = Duration::from_secs(600);
/// The pause after a missing answer.
const AGAIN: Duration = Duration::from_secs(60);
/// How long the first round waits for an answer; later rounds wait for `PATIENCE`.
const FIRST: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(1);

/// Where brokers' pods are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct MachineArgs {
    /// Read broker pods in this namespace, for --cap-label
    ///
    /// Default: the pod's own namespace, or that of the context.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    pods: PodArgs,
}

/// The question to Kubernetes.
#[derive(Debug, Clone)]
pub(crate) struct MachineQuestion {
    access: Access,
    pod_labels: Option<String>,
    rules: Rules,
    /// Of a label, or else an annotation.
    key: String,
}

impl MachineArgs {
    /// # Errors
    /// There is no Kubernetes to ask.
    pub(crate) fn question(&self, key: &str, access: Access) -> Result<MachineQuestion, Error> {
        if access.kubeconfig.is_empty() && !access.in_pod {
            return Err(local::Error::flag("--cap-label", key, "there is no Kubernetes to ask: --kubeconfig names one, --cap-snapshot a snapshot that has asked").into());
        }
        let namespace = self.namespace.clone().or(access.namespace.clone());
        Ok(MachineQuestion {
            access: Access { namespace, ..access },
            pod_labels: self.pods.labels().map(str::to_owned),
            rules: self.pods.rules(),
            key: key.to_owned(),
        })
    }
}

impl MachineQuestion {
    async fn ask(self) -> Result<NodeAnswers, kubernetes::Error> {
        let kubernetes = Kubernetes::connect(&self.access).await?;
        let namespaces = [kubernetes.namespace().to_owned()].into();
        let wanted = Wanted { namespaces, pod_labels: self.pod_labels };
        kubernetes.told_by_machines(&wanted, &self.rules, &self.key).await
    }
}

/// By broker; `None`: its node has no such label, or there is none.
pub(crate) type NodeAnswers = BTreeMap<BrokerId, Option<String>>;

/// Asks Kubernetes, and remembers when.
pub(crate) struct Machines {
    question: MachineQuestion,
    asked: Option<LastQuestion>,
    answer: Option<JoinHandle<Result<NodeAnswers, kubernetes::Error>>>,
}

/// When Kubernetes was asked, the live brokers at that time, and whether it answered.
#[derive(Debug)]
struct LastQuestion {
    at: Instant,
    live: BTreeSet<BrokerId>,
    answered: bool,
}

impl Machines {
    pub(crate) fn new(question: MachineQuestion) -> Self {
        Self { question, asked: None, answer: None }
    }

    /// The new answers of nodes, if there are any.
    pub(crate) async fn news(&mut self, live: &BTreeSet<BrokerId>) -> Option<NodeAnswers> {
        let patience = if self.asked.is_none() { FIRST } else { PATIENCE };
        if self.answer.is_none() {
            if !is_due(self.asked.as_ref(), live, Instant::now()) {
                return None;
            }
            self.answer = Some(tokio::spawn(self.question.clone().ask()));
            self.asked =
                Some(LastQuestion { at: Instant::now(), live: live.clone(), answered: false });
        }
        let answer = timeout(patience, self.answer.as_mut()?).await.ok()?;
        self.answer = None;
        match answer.ok()? {
            Ok(said) => {
                self.asked.iter_mut().for_each(|asked| asked.answered = true);
                Some(said)
            }
            Err(error) => {
                tracing::warn!(%error, again_in_seconds = AGAIN.as_secs(), "cannot read network capacities from nodes");
                None
            }
        }
    }
}

fn is_due(asked: Option<&LastQuestion>, live: &BTreeSet<BrokerId>, now: Instant) -> bool {
    let Some(asked) = asked else { return true };
    let age = now - asked.at;
    match asked.answered {
        true => asked.live != *live || age >= OLD,
        false => age >= AGAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_when_brokers_come_and_go_when_it_is_old_and_after_a_failure_in_a_minute() {
        let now = Instant::now();
        let [one, both] =
            [&[1][..], &[1, 2]].map(|ids| ids.iter().copied().map(BrokerId).collect());
        let asked = |answered| LastQuestion { at: now, live: BTreeSet::clone(&both), answered };
        let due = |answered, live: &BTreeSet<BrokerId>, seconds| {
            is_due(Some(&asked(answered)), live, now + Duration::from_secs(seconds))
        };
        assert!(is_due(None, &both, now));
        assert!(due(true, &one, 1), "a broker is gone");
        assert_eq!([due(true, &both, 599), due(true, &both, 600)], [false, true]);
        assert_eq!([due(false, &one, 59), due(false, &both, 60)], [false, true]);
    }
}
