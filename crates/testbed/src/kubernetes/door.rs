//! The connection to the API: a client, and the thread that runs it.
//!
//! Its calls block, with a deadline, inside or outside a runtime.

use std::collections::BTreeMap;
use std::error;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use futures::{TryStreamExt, pin_mut};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, file};

/// Why a request failed.
pub type Failure = Box<dyn error::Error + Send + Sync>;

/// A client of the API and the thread that runs it.
pub(super) struct Door {
    runtime: Option<Runtime>,
    config: Config,
    client: Client,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    /// Opens the connection with a kubeconfig. The API need not be running yet.
    pub(super) fn open(kubeconfig: &Path) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = file(runtime, "start a runtime for", kubeconfig)?;
        let within = Duration::from_secs(10);
        let client = client(kubeconfig.to_owned());
        let (config, client) = wait(&runtime, "a client of the API", within, client)?;
        Ok(Self { runtime: Some(runtime), config, client })
    }

    /// Runs `work` to its end or to the deadline.
    pub(super) fn run<T, F>(
        &self,
        what: &str,
        within: Duration,
        work: impl FnOnce(Client) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else {
            unreachable!("the runtime is taken in drop only");
        };
        wait(runtime, what, within, work(self.client.clone()))
    }

    /// Whether a component answers successfully at this address and path.
    pub(super) fn answers(&self, (address, path): &(String, &'static str)) -> bool {
        let mut config = self.config.clone();
        let (address, path) = (address.clone(), *path);
        let asked = self.run(path, Duration::from_secs(5), |_| async move {
            config.cluster_url = address.parse()?;
            let request = Request::get(path).body(Vec::new())?;
            Ok(Client::try_from(config)?.request_text(request).await?)
        });
        asked.is_ok()
    }

    /// Watches all objects of that kind, by name, until `look` returns something.
    pub(super) fn watch<K, T>(
        &self,
        what: &str,
        within: Duration,
        api: impl FnOnce(Client) -> Api<K>,
        selector: &str,
        look: impl Fn(&BTreeMap<String, K>) -> Option<T> + Send + 'static,
    ) -> Result<T, Error>
    where
        K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static,
        T: Send + 'static,
    {
        let config = watcher::Config::default().labels(selector);
        self.run(what, within, move |client| {
            let api = api(client);
            async move { Ok(each(api, config, look).await) }
        })
    }

    /// Passes all objects of that kind to `tell`, and again after each change, until `tell` stops it.
    pub(super) fn follow<K>(
        &self,
        api: impl FnOnce(Client) -> Api<K>,
        tell: impl Fn(&BTreeMap<String, K>) -> bool + Send + 'static,
    ) where
        K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static,
    {
        let api = api(self.client.clone());
        if let Some(runtime) = &self.runtime {
            runtime.spawn(each(api, watcher::Config::default(), move |all: &_| {
                (!tell(all)).then_some(())
            }));
        }
    }
}

/// Passes all objects to `look`, and again after each change, until it returns something.
async fn each<K, T>(
    api: Api<K>,
    config: watcher::Config,
    look: impl Fn(&BTreeMap<String, K>) -> Option<T>,
) -> T
where
    K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static,
{
    let events = watcher::watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut all = BTreeMap::new();
    let mut complete = false;
    loop {
        // The watcher restarts by itself after an error. A deadline, if any, ends it.
        let Ok(Some(event)) = events.try_next().await else { continue };
        match event {
            Event::Init => (all, complete) = (BTreeMap::new(), false),
            Event::InitDone => complete = true,
            Event::InitApply(object) | Event::Apply(object) => {
                all.insert(object.name_any(), object);
            }
            Event::Delete(object) => {
                all.remove(&object.name_any());
            }
        }
        if let Some(seen) = complete.then(|| look(&all)).flatten() {
            return seen;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Waiting for it would panic inside a caller's runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn client(kubeconfig: PathBuf) -> Result<(Config, Client), Failure> {
    // rustls does not choose between two providers. Only the first of a process counts.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    // A test must see the API's first answer, not that of a retry.
    config.default_retry = false;
    let client = Client::try_from(config.clone())?;
    Ok((config, client))
}

fn wait<T: Send + 'static>(
    runtime: &Runtime,
    what: &str,
    within: Duration,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Error> {
    let (tell, told) = mpsc::channel();
    runtime.spawn(async move {
        // The receiver is gone if the caller's thread has ended.
        let _ = tell.send(tokio::time::timeout(within, work).await);
    });
    match told.recv() {
        Ok(Ok(Ok(done))) => Ok(done),
        Ok(Ok(Err(source))) => Err(Error::Api { what: what.to_owned(), source }),
        Ok(Err(_)) | Err(_) => {
            Err(Error::Timeout { what: what.to_owned(), within, log: String::new() })
        }
    }
}
