//! What runs in pods: their logs, the end of Jobs, and why a pod is not ready.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use super::Nodes;
use crate::error::Error;

/// Lines of a container's log that explain a failure.
const LAST_LINES: i64 = 15;

impl Nodes {
    /// Waits until exactly `count` pods match the selector and all are ready. Returns them sorted by name. The error
    /// contains what each container waits for, and the end of its log.
    pub fn ready_pods(
        &self,
        namespace: &str,
        selector: &str,
        count: usize,
    ) -> Result<Vec<Pod>, Error> {
        let ready = self.kubernetes().ready_pods(namespace, selector, count);
        ready.map_err(|why| self.explained(why, namespace, selector))
    }

    /// Waits until the pod of a Job without retries has ended. Returns what it printed, and fails if the Job did.
    pub fn job(&self, namespace: &str, name: &str) -> Result<String, Error> {
        let selector = format!("batch.kubernetes.io/job-name={name}");
        let what = format!("end of job {namespace}/{name}");
        let ended = self.kubernetes().pods(&what, namespace, &selector, |pods| {
            let phase = pods.first()?.status.as_ref()?.phase.clone()?;
            ["Succeeded", "Failed"].contains(&&*phase).then(|| (pods[0].name_any(), phase))
        });
        let (pod, phase) = ended.map_err(|why| self.explained(why, namespace, &selector))?;
        let log = self.logs(namespace, &pod, "")?;
        if phase == "Succeeded" {
            return Ok(log);
        }
        Err(Error::Died { node: format!("job {namespace}/{name}"), status: phase, log })
    }

    /// What a container has printed so far. `container` is empty if the pod has only one.
    pub fn logs(&self, namespace: &str, pod: &str, container: &str) -> Result<String, Error> {
        let how = LogParams { container: named(container), ..LogParams::default() };
        self.read_log(namespace, pod, how)
    }

    fn read_log(&self, namespace: &str, pod: &str, how: LogParams) -> Result<String, Error> {
        let (within, name) = (namespace.to_owned(), pod.to_owned());
        self.kubernetes().run(&format!("logs of {namespace}/{pod}"), |client| async move {
            let pods = Api::<Pod>::namespaced(client, &within);
            Ok(match pods.logs(&name, &how).await {
                // The API server keeps connections to kubelets. If the node was off since, the first request meets one that is gone.
                Err(kube::Error::Api(status)) if status.code == 500 => {
                    pods.logs(&name, &how).await?
                }
                answer => answer?,
            })
        })
    }

    /// Adds the states of the pods to an error of time.
    fn explained(&self, why: Error, namespace: &str, selector: &str) -> Error {
        let Error::Timeout { what, within, .. } = why else {
            return why;
        };
        let (space, labels) = (namespace.to_owned(), selector.to_owned());
        let pods = self.kubernetes().run("pods", |client| async move {
            let pods = Api::<Pod>::namespaced(client, &space);
            Ok(pods.list(&ListParams::default().labels(&labels)).await?.items)
        });
        // Without an answer, the error of time has to do.
        let pods = pods.unwrap_or_default();
        let log = pods.iter().map(|pod| self.state(namespace, pod)).collect();
        Error::Timeout { what, within, log }
    }

    fn state(&self, namespace: &str, pod: &Pod) -> String {
        let name = pod.name_any();
        let status = pod.status.clone().unwrap_or_default();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        let mut text = format!(
            "\npod {name} on {}: {}",
            node.unwrap_or("no node"),
            status.phase.unwrap_or_default()
        );
        for condition in status.conditions.unwrap_or_default() {
            if condition.status != "True" {
                let message = condition.message.unwrap_or_default();
                text += &format!("\n  not {}: {message}", condition.type_);
            }
        }
        let all = [status.init_container_statuses, status.container_statuses];
        for container in all.into_iter().flatten().flatten() {
            let how = LogParams {
                container: named(&container.name),
                tail_lines: Some(LAST_LINES),
                ..LogParams::default()
            };
            let log = self.read_log(namespace, &name, how).unwrap_or_default();
            text += &format!("\n  {}: {}\n{log}", container.name, told(&container));
        }
        text
    }
}

/// The state of a container, in the kubelet's words.
fn told(container: &ContainerStatus) -> String {
    let state = container.state.clone().unwrap_or_default();
    let restarts = container.restart_count;
    if let Some(waiting) = state.waiting {
        let [reason, message] = [waiting.reason, waiting.message].map(Option::unwrap_or_default);
        return format!("waits, {restarts} restarts: {reason} {message}");
    }
    if let Some(ended) = state.terminated {
        let reason = ended.reason.unwrap_or_default();
        return format!("ended with {}, {restarts} restarts: {reason}", ended.exit_code);
    }
    format!("runs, {restarts} restarts, ready: {}", container.ready)
}

fn named(container: &str) -> Option<String> {
    (!container.is_empty()).then(|| container.to_owned())
}
