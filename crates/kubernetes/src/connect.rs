//! The connection to the API: from a kubeconfig, or from the service account of our own pod.

use crate::error::{ApiRequest, Error};
use futures::future::BoxFuture;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The deadline for one answer: longer than a busy API server takes for 500 pods.
const ANSWER: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);
/// The pauses before each retry of a read.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// How to reach the API, and as which user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig files. For each setting, the first file that has it counts.
    pub kubeconfig: Vec<PathBuf>,
    /// Without a kubeconfig: whether we run in a pod and use its service account.
    pub in_pod: bool,
    /// The context; `None`: the current one.
    pub context: Option<String>,
    /// The namespace for names without one; `None`: the context's.
    pub namespace: Option<String>,
}

/// A Kubernetes API. Clones share one connection.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
    server: Arc<str>,
    namespace: Arc<str>,
    calls: Arc<AtomicU32>,
}

impl Kubernetes {
    /// Prepares the connection. Sends no request yet.
    ///
    /// # Errors
    /// [`Error::NoConfig`] and [`Error::BadConfig`].
    pub fn connect<'a>(access: &'a Access) -> BoxFuture<'a, Result<Self, Error>> {
        Box::pin(async move {
            // Only the first provider of a process counts, and ours is the same everywhere.
            let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
            let mut config = config(access).await?;
            // By default, the client retries refused requests for minutes, even creates and evictions.
            config.default_retry = false;
            config.connect_timeout = Some(CONNECT);
            config.read_timeout = Some(ANSWER);
            let namespace = access.namespace.clone().unwrap_or(config.default_namespace.clone());
            let server: Arc<str> = config.cluster_url.to_string().trim_end_matches('/').into();
            let bad = |error: kube::Error| Error::BadConfig { reason: error.to_string() };
            let client = Client::try_from(config).map_err(bad)?;
            Ok(Self { client, server, namespace: namespace.into(), calls: Arc::default() })
        })
    }

    /// The namespace for names without one.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The number of requests sent so far.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sends one request, once.
    pub(crate) async fn send<T>(
        &self,
        request: &ApiRequest,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%request, "Kubernetes request");
        answer.await.map_err(|error| Error::of(error, request.clone(), &self.server))
    }

    /// Sends a request that changes nothing, and retries failures that may pass.
    pub(crate) async fn read<T, F: Future<Output = Result<T, kube::Error>>>(
        &self,
        request: &ApiRequest,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, Error> {
        for pause in PAUSES {
            match self.send(request, ask()).await {
                Err(error) if error.is_passing() => {
                    tracing::info!(%error, ?pause, "retrying");
                    tokio::time::sleep(pause).await;
                }
                answer => return answer,
            }
        }
        self.send(request, ask()).await
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Why a kubeconfig is invalid. It leaves out the YAML parser's text, which quotes the file, because the file contains
/// tokens and keys.
fn reason(error: &KubeconfigError) -> String {
    let KubeconfigError::Parse(error) = error else {
        return error.to_string();
    };
    let place = error.location().map(|at| format!("line {}, column {}: ", at.line(), at.column()));
    format!("{}not a kubeconfig in YAML", place.unwrap_or_default())
}

async fn config(access: &Access) -> Result<Config, Error> {
    let bad = |error: KubeconfigError| Error::BadConfig { reason: reason(&error) };
    if access.kubeconfig.is_empty() {
        return match access.in_pod {
            true => {
                Config::incluster().map_err(|error| Error::BadConfig { reason: error.to_string() })
            }
            false => Err(Error::NoConfig),
        };
    }
    let mut merged = Kubeconfig::default();
    for path in &access.kubeconfig {
        merged = merged.merge(Kubeconfig::read_from(path).map_err(bad)?).map_err(bad)?;
    }
    let options = KubeConfigOptions { context: access.context.clone(), ..Default::default() };
    Config::from_custom_kubeconfig(merged, &options).await.map_err(bad)
}
