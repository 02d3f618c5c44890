//! Events: what we do, told to whoever describes an object.

use crate::connect::Kubernetes;
use crate::error::{Error, Request};
use crate::facts::Name;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use std::fmt;

/// The API's limit of a note, in bytes.
const NOTE: usize = 1024;

/// Tells Events about one Lease: `kubectl describe lease NAME` shows them.
#[derive(Clone)]
pub struct Announcer {
    kubernetes: Kubernetes,
    recorder: Recorder,
    lease: Name,
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Tells Events in the name of a program and one instance of it.
    pub fn announcer(&self, program: &str, instance: &str, lease: &Name) -> Announcer {
        let reporter =
            Reporter { controller: program.to_owned(), instance: Some(instance.to_owned()) };
        let recorder = Recorder::new(self.client(), reporter);
        Announcer { kubernetes: self.clone(), recorder, lease: lease.clone() }
    }
}

impl Announcer {
    /// Tells one; the same again within minutes is counted by the first. Right: `create`, `patch events.events.k8s.io`.
    ///
    /// # Errors
    /// Why it is not told.
    pub async fn tell(&self, reason: &str, note: &str) -> Result<(), Error> {
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
            api_version: Some("coordination.k8s.io/v1".to_owned()),
            kind: Some("Lease".to_owned()),
            name: Some(self.lease.name.clone()),
            namespace: Some(self.lease.namespace.clone()),
            ..ObjectReference::default()
        };
        let request = Request::about("create", "events.events.k8s.io", &self.lease);
        self.kubernetes.send(&request, self.recorder.publish(&event, &about)).await
    }
}
