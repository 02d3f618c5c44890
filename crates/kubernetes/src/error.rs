//! Errors between us and the Kubernetes API, with the evidence.

use crate::facts::Name;
use std::fmt;

/// Why the API gave no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no kubeconfig, and this process does not run in a pod.
    #[error(
        "nothing tells where the Kubernetes API is: there is no kubeconfig, and this is no pod"
    )]
    NoConfig,
    /// An invalid kubeconfig, or one without the requested context.
    #[error("the Kubernetes configuration cannot be used: {reason}")]
    BadConfig {
        /// What is wrong with it.
        reason: String,
    },
    /// The server did not answer.
    #[error("the Kubernetes API at {server} gives no answer to {request}: {reason}")]
    Unreachable {
        /// Its URL.
        server: String,
        /// The request.
        request: ApiRequest,
        /// What happened.
        reason: String,
    },
    /// The API rejects our credentials.
    #[error("the Kubernetes API at {server} does not accept our credentials: {message}")]
    Unauthorized {
        /// Its URL.
        server: String,
        /// The API's message.
        message: String,
    },
    /// Our user lacks a right.
    #[error("{} may not {request}", user.as_deref().unwrap_or("we"))]
    Forbidden {
        /// The request: verb and resource.
        request: ApiRequest,
        /// Our user, if the API names it.
        user: Option<String>,
        /// The API's message.
        message: String,
    },
    /// The object does not exist.
    #[error("there is no {}", request.object())]
    NotFound {
        /// The request.
        request: ApiRequest,
    },
    /// These pods belong to Strimzi, whose operator restarts them.
    #[error("{set} is a StrimziPodSet: only Strimzi's operator restarts its pods")]
    Strimzi {
        /// The StrimziPodSet.
        set: Name,
    },
    /// Another client changed the object, or created it first.
    #[error("another client has changed {}", request.object())]
    Conflict {
        /// The request.
        request: ApiRequest,
    },
    /// Any other error of the API.
    #[error("the Kubernetes API refuses to {request}: {message} ({code})")]
    Refused {
        /// The request.
        request: ApiRequest,
        /// The HTTP status.
        code: u16,
        /// The API's message.
        message: String,
    },
}

/// One request, in the terms of RBAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// `get`, `list`, `create`, `update`, `delete`.
    pub verb: &'static str,
    /// `pods`, `statefulsets.apps`: the resource with its group.
    pub resource: &'static str,
    /// The namespace; `None` for resources that have none.
    pub namespace: Option<Box<str>>,
    /// The object, if the request is about a single one.
    pub name: Option<Box<str>>,
}

impl ApiRequest {
    /// A request about all objects of a namespace or of the whole cluster.
    pub fn about_all(verb: &'static str, resource: &'static str, namespace: Option<&str>) -> Self {
        Self { verb, resource, namespace: namespace.map(Box::from), name: None }
    }

    /// A request about one object of a namespace.
    pub fn about(verb: &'static str, resource: &'static str, name: &Name) -> Self {
        let (namespace, name) = (name.namespace.as_str().into(), name.name.as_str().into());
        Self { verb, resource, namespace: Some(namespace), name: Some(name) }
    }

    /// A request about one cluster-wide object.
    pub fn about_global(verb: &'static str, resource: &'static str, name: &str) -> Self {
        Self { verb, resource, namespace: None, name: Some(name.into()) }
    }

    /// What to do if the request is forbidden.
    pub fn grant(&self) -> String {
        let place = match &self.namespace {
            Some(namespace) => format!("a Role in namespace {namespace}"),
            None => "a ClusterRole".to_owned(),
        };
        format!("grant verb {} on {} in {place}", self.verb, self.resource)
    }

    /// The object: `configmaps kafka/topic-maps`.
    fn object(&self) -> String {
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => format!("{} {namespace}/{name}", self.resource),
            (None, Some(name)) => format!("{} {name}", self.resource),
            (Some(namespace), None) => format!("{} in namespace {namespace}", self.resource),
            (None, None) => self.resource.to_owned(),
        }
    }
}

impl fmt::Display for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.object())
    }
}

impl Error {
    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoConfig => {
                "name a kubeconfig with --kubeconfig or KUBECONFIG, or run in a pod with a service account".to_owned()
            }
            Self::BadConfig { .. } => {
                "kubectl config get-contexts lists what --context can name".to_owned()
            }
            Self::Unreachable { .. } => {
                "is the cluster up, and is --context the right one? kubectl version shows it".to_owned()
            }
            Self::Unauthorized { .. } => {
                "the token or certificate has expired, or belongs to another cluster".to_owned()
            }
            Self::Forbidden { request, .. } => {
                format!("{}; deploy/manifests has the least rights of each command", request.grant())
            }
            Self::NotFound { request } => match &request.namespace {
                Some(namespace) => {
                    format!("kubectl get {} --namespace {namespace} lists what is there", request.resource)
                }
                None => format!("kubectl get {} lists what is there", request.resource),
            },
            Self::Strimzi { set } => format!(
                "kubectl annotate strimzipodset {} strimzi.io/manual-rolling-update=true --namespace {} has it restart them",
                set.name, set.namespace
            ),
            Self::Conflict { .. } => "run the command again: it reads what is there now".to_owned(),
            Self::Refused { .. } => return None,
        })
    }

    /// The error for a ConfigMap that another client has written.
    pub(crate) fn changed(name: &Name) -> Self {
        Self::Conflict { request: ApiRequest::about("update", "configmaps", name) }
    }

    /// Whether a retry after a pause may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => matches!(code, 429 | 500 | 502..=504),
            _ => false,
        }
    }

    /// Whether a list took longer than the API keeps its continue token.
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self, Self::Refused { code: 410, .. })
    }

    /// Converts the client library's error.
    pub(crate) fn of(error: kube::Error, request: ApiRequest, server: &str) -> Self {
        let status = match error {
            kube::Error::Api(status) => status,
            other => {
                let (server, reason) = (server.to_owned(), chain(&other));
                return Self::Unreachable { server, request, reason };
            }
        };
        let message = status.message;
        match status.code {
            401 => Self::Unauthorized { server: server.to_owned(), message },
            403 => Self::Forbidden { request, user: user(&message), message },
            404 => Self::NotFound { request },
            409 => Self::Conflict { request },
            code => Self::Refused { request, code, message },
        }
    }
}

/// Turns [`Error::NotFound`] into `None`: a missing object is an answer, too.
pub(crate) fn if_found<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `... User "system:serviceaccount:kafka:kit" cannot ...`.
fn user(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    Some(user.to_owned())
}

/// An error with its causes. The outermost one is often "service error", the innermost "connection refused".
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16, message: &str) -> Error {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        let request = ApiRequest::about_all("list", "statefulsets.apps", Some("kafka"));
        Error::of(kube::Error::Api(Box::new(status)), request, "https://k8s")
    }

    #[test]
    fn a_missing_right_names_who_verb_and_resource() {
        let error = api(
            403,
            "statefulsets.apps is forbidden: User \"system:serviceaccount:kafka:kit\" cannot list resource \
             \"statefulsets\" in API group \"apps\" in the namespace \"kafka\"",
        );
        assert_eq!(
            error.to_string(),
            "system:serviceaccount:kafka:kit may not list statefulsets.apps in namespace kafka"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.starts_with("grant verb list on statefulsets.apps in a Role in namespace kafka")
        );
        assert_eq!(
            api(403, "").to_string(),
            "we may not list statefulsets.apps in namespace kafka"
        );
    }

    #[test]
    fn what_the_api_answers_is_told_apart() {
        assert!(matches!(api(401, "Unauthorized"), Error::Unauthorized { .. }));
        assert!(matches!(api(404, ""), Error::NotFound { .. }));
        assert!(matches!(api(409, ""), Error::Conflict { .. }));
        assert!(api(503, "").is_passing() && !api(422, "").is_passing());
        assert!(api(410, "").is_expired());
    }
}
