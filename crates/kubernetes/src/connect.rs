//! The way to the API: a kubeconfig, or the service account of the pod that we run in.

use crate::error::{Error, Request};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Longer than a busy API server takes for 500 pods.
const ANSWER: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);
/// The pauses before a read is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// Where the API is, and who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig files, of which the first to name something counts.
    pub kubeconfig: Vec<PathBuf>,
    /// Without a kubeconfig: we run in a pod, and its service account is who asks.
    pub in_pod: bool,
    /// The context; `None`: the current one.
    pub context: Option<String>,
    /// The namespace for names that carry none; `None`: the context's.
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
    /// Prepares the way; nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::NoConfig`] and [`Error::BadConfig`].
    pub async fn connect(access: &Access) -> Result<Self, Error> {
        // Only the first provider of a process counts, and ours is the same everywhere.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let mut config = config(access).await?;
        // By default the client repeats refused requests by itself, creates and evictions too, for minutes.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        let namespace = access.namespace.clone().unwrap_or(config.default_namespace.clone());
        let server: Arc<str> = config.cluster_url.to_string().trim_end_matches('/').into();
        let bad = |error: kube::Error| Error::BadConfig { reason: error.to_string() };
        let client = Client::try_from(config).map_err(bad)?;
        Ok(Self { client, server, namespace: namespace.into(), calls: Arc::default() })
    }

    /// The namespace for names that carry none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How many requests have been sent so far.
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
        request: &Request,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%request, "Kubernetes request");
        answer.await.map_err(|error| Error::of(error, request.clone(), &self.server))
    }

    /// Sends a request that changes nothing, again where the failure may pass.
    pub(crate) async fn read<T, F: Future<Output = Result<T, kube::Error>>>(
        &self,
        request: &Request,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, Error> {
        for pause in PAUSES {
            match self.send(request, ask()).await {
                Err(error) if error.is_passing() => {
                    tracing::info!(%error, ?pause, "asking again");
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

/// Why a kubeconfig is refused. What the reader of YAML says quotes the file, which holds tokens and keys.
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
