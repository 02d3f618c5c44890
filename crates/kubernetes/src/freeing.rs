//! Deletes the objects that keep a lost broker's pod from running. It deletes only objects that have not been replaced
//! since they were seen.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::fate::Step;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::client::Body;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The object was deleted.
    Yes,
    /// The object no longer exists, and has no successor.
    Gone,
    /// Nothing was deleted: the object has changed, or another object has its name.
    Changed,
}

impl Kubernetes {
    /// Carries out a step if the object still has the step's uid and, if given, this `resourceVersion`. Rights:
    /// `delete` and `get` on `nodes`, `persistentvolumeclaims` or `pods`. Sent once.
    ///
    /// # Errors
    /// Why the deletion was not made, or may not have been made.
    pub fn delete_seen<'a>(
        &'a self,
        step: &'a Step,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Deleted, Error>> {
        Box::pin(async move {
            match step {
                Step::Node { node, uid } => {
                    let about = |verb| ApiRequest::about_global(verb, "nodes", node);
                    let api: Api<Node> = Api::all(self.client());
                    self.delete_if(&api, about, node, how(uid, version, false)).await
                }
                Step::Claim { claim, uid } => {
                    let about = |verb| ApiRequest::about(verb, "persistentvolumeclaims", claim);
                    let api: Api<PersistentVolumeClaim> =
                        Api::namespaced(self.client(), &claim.namespace);
                    self.delete_if(&api, about, &claim.name, how(uid, version, false)).await
                }
                Step::Pod { pod, uid, force } => {
                    let about = |verb| ApiRequest::about(verb, "pods", pod);
                    let api: Api<Pod> = Api::namespaced(self.client(), &pod.namespace);
                    self.delete_if(&api, about, &pod.name, how(uid, version, *force)).await
                }
            }
        })
    }

    async fn delete_if<K: Clone + DeserializeOwned + Debug>(
        &self,
        api: &Api<K>,
        about: impl Fn(&'static str) -> ApiRequest,
        name: &str,
        how: DeleteParams,
    ) -> Result<Deleted, Error> {
        match self.send(&about("delete"), api.delete(name, &how)).await {
            Ok(_) => Ok(Deleted::Yes),
            Err(Error::Conflict { .. }) => Ok(Deleted::Changed),
            Err(Error::NotFound { .. }) => {
                let successor = self.read(&about("get"), || api.get_metadata(name)).await;
                Ok(if_found(successor)?.map_or(Deleted::Gone, |_| Deleted::Changed))
            }
            Err(error) => Err(error),
        }
    }

    /// The API server's current time, to the second. Compare the times in its objects with it. Needs only the rights of
    /// every account.
    ///
    /// # Errors
    /// Why it is unknown.
    pub fn server_time<'a>(&'a self) -> BoxFuture<'a, Result<Timestamp, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about_global("get", "the server's time", "/version");
            let odd = |reason: String| Error::Unreachable {
                server: self.server().to_owned(),
                request: request.clone(),
                reason,
            };
            let asked = kube::core::Request::new("/version").list(&ListParams::default());
            let asked = asked.map_err(|error| odd(error.to_string()))?.map(Body::from);
            let answer = self.send(&request, self.client().send(asked)).await?;
            let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
            let date = date.ok_or_else(|| odd("its answer has no Date header".to_owned()))?;
            time_of(date).map_err(|error| odd(format!("its Date header {date:?}: {error}")))
        })
    }
}

/// RFC 9110: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn time_of(date: &str) -> Result<Timestamp, jiff::Error> {
    DateTimeParser::new().parse_timestamp(date)
}

fn how(uid: &str, version: Option<&str>, force: bool) -> DeleteParams {
    let resource_version = version.map(str::to_owned);
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version };
    let grace_period_seconds = force.then_some(0);
    DeleteParams {
        preconditions: Some(preconditions),
        grace_period_seconds,
        ..DeleteParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_http_answer_is_a_time() {
        let time = time_of("Fri, 20 Nov 2026 07:00:00 GMT").unwrap();
        assert_eq!(time.to_string(), "2026-11-20T07:00:00Z");
        assert!(time_of("yesterday").is_err());
    }

    #[test]
    fn every_deletion_names_the_uid_that_was_seen() {
        let how = how("u", Some("7"), true);
        let preconditions = how.preconditions.unwrap();
        assert_eq!((preconditions.uid.as_deref(), how.grace_period_seconds), (Some("u"), Some(0)));
        assert_eq!(preconditions.resource_version.as_deref(), Some("7"));
    }
}
