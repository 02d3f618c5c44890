//! The way into the API: a client, and the thread that runs it.
//!
//! Callers block, with a deadline, whether they are inside a runtime of their own or not.

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
    /// Opens with a kubeconfig; the API need not be up.
    pub(super) fn open(kubeconfig: &Path) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = file(runtime, "start a runtime for", kubeconfig)?;
        let within = Duration::from_secs(10);
        let client = client(kubeconfig.to_owned());
        let (config, client) = wait(&runtime, "a client of the API", within, client)?;
        Ok(Self { runtime: Some(runtime), config, client })
    }

    /// Runs `work` to its end, or to the deadline.
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

    /// Whether a component answers at this address and path with success.
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

    /// Watches until `look` sees something in all objects of that kind, by name.
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

    /// Tells all objects of that kind, again whenever one changes, for as long as `tell` wants to hear it.
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

/// Looks at all objects, again whenever one changes, until `look` sees something.
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
        // A watcher begins again by itself after an error; a deadline, if any, ends it.
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
        // To wait for it would panic inside a runtime of the caller.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn client(kubeconfig: PathBuf) -> Result<(Config, Client), Failure> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    // A test wants to see what the API said, not the answer to a second try.
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
        // Nobody listens any more if the caller's thread is gone.
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
