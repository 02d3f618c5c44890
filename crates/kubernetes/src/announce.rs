//! Events: report what we do to anyone who describes an object.

use crate::configmaps::ConfigMap;
use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error};
use crate::facts::{Name, PodFacts};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;

/// The API's limit of a note, in bytes.
const NOTE: usize = 1024;

/// Waits for an Event that `told` writes, at most for this time. A failure is only logged.
pub async fn in_time(
    patience: Duration,
    reason: &str,
    told: impl Future<Output = Result<(), Error>>,
) {
    match timeout(patience, told).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, reason, "no Event"),
        Err(_) => tracing::warn!(reason, "no Event in time"),
    }
}

/// An object that Events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    kind: &'static str,
    api_version: &'static str,
    name: Name,
    /// `kubectl describe` shows only the Events with this uid.
    uid: Option<String>,
}

impl About {
    /// A Lease with this name.
    pub fn lease(name: Name) -> Self {
        Self { kind: "Lease", api_version: "coordination.k8s.io/v1", name, uid: None }
    }

    /// A ConfigMap, as it was read.
    pub fn config_map(map: &ConfigMap) -> Self {
        let uid = map.uid().map(str::to_owned);
        Self { kind: "ConfigMap", api_version: "v1", name: map.name.clone(), uid }
    }

    /// A pod, as it was read.
    pub fn pod(pod: &PodFacts) -> Self {
        let uid = Some(pod.uid.clone()).filter(|uid| !uid.is_empty());
        Self { kind: "Pod", api_version: "v1", name: pod.name.clone(), uid }
    }
}

/// Sends Events about one object. `kubectl describe KIND NAME` shows them.
#[derive(Clone)]
pub struct Announcer {
    kubernetes: Kubernetes,
    recorder: Recorder,
    about: About,
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("about", &self.about).finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Sends Events in the name of a program and one of its instances.
    pub fn announcer(&self, program: &str, instance: &str, about: About) -> Announcer {
        let reporter =
            Reporter { controller: program.to_owned(), instance: Some(instance.to_owned()) };
        let recorder = Recorder::new(self.client(), reporter);
        Announcer { kubernetes: self.clone(), recorder, about }
    }
}

impl Announcer {
    /// Sends one Event. A repetition within minutes only increments the count of the first. Right: `create`, `patch
    /// events.events.k8s.io`.
    ///
    /// # Errors
    /// Why the Event was not sent.
    pub fn tell<'a>(&'a self, reason: &'a str, note: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut end = note.len().min(NOTE);
            while !note.is_char_boundary(end) {
                end -= 1;
            }
            let event = Event {
                type_: EventType::Normal,
                reason: reason.to_owned(),
                note: Some(note[..end].to_owned()),
                action: reason.to_owned(),
                secondary: None,
            };
            let about = ObjectReference {
                api_version: Some(self.about.api_version.to_owned()),
                kind: Some(self.about.kind.to_owned()),
                name: Some(self.about.name.name.clone()),
                namespace: Some(self.about.name.namespace.clone()),
                uid: self.about.uid.clone(),
                ..ObjectReference::default()
            };
            let request = ApiRequest::about("create", "events.events.k8s.io", &self.about.name);
            self.kubernetes.send(&request, self.recorder.publish(&event, &about)).await
        })
    }
}
