//! Waits for a Lease, and keeps it during other work.

use super::{Candidacy, Held, LeaseTerms, duration, holder};
use crate::connect::Kubernetes;
use crate::error::Error;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How often to read a Lease that another process holds.
const LOOK: Duration = Duration::from_secs(1);

/// A Lease that a separate task renews, until it is lost, released or dropped.
#[derive(Debug)]
pub struct KeptLease {
    state: watch::Receiver<LeaseStanding>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// The deadline, or why we do not hold it any more.
type LeaseStanding = Result<Instant, String>;

impl Kubernetes {
    /// Waits without a limit until the Lease is ours. It takes over from a dead holder once the Lease has not changed
    /// for its duration while we watched. Only our own clock counts. `told` gets each holder. Rights: `get`, `create`,
    /// `update leases.coordination.k8s.io`.
    ///
    /// # Errors
    /// Errors that waiting does not solve: a missing right, wrong credentials.
    pub async fn campaign(
        &self,
        terms: &LeaseTerms,
        mut told: impl FnMut(&str),
    ) -> Result<KeptLease, Error> {
        let (mut watched, mut holder) = (None, String::new());
        loop {
            match self.candidacy(terms, &mut watched).await {
                Ok(Ok(held)) => return Ok(held.kept()),
                Ok(Err(now)) if now != holder => {
                    told(&now);
                    holder = now;
                }
                Ok(Err(_)) => {}
                Err(error) if error.is_passing() => {
                    tracing::warn!(%error, lease = %terms.name, "cannot read the holder of the lease");
                }
                Err(error) => return Err(error),
            }
            sleep(LOOK).await;
        }
    }

    /// Takes it if it is free, or if it has not changed for its duration while we watched.
    async fn candidacy(
        &self,
        terms: &LeaseTerms,
        watched: &mut Option<(Option<String>, Instant)>,
    ) -> Result<Candidacy, Error> {
        let asked = Instant::now();
        let Some(found) = self.lease(&terms.name).await? else {
            return self.create(terms, asked).await;
        };
        let spec = found.spec.clone().unwrap_or_default();
        let version = found.metadata.resource_version.clone();
        let since = match watched {
            Some((seen, since)) if *seen == version => *since,
            // Counted from the answer, because the renewal may be later than our request.
            _ => watched.insert((version, Instant::now())).1,
        };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        // It may name us already, if an earlier attempt of this process was dropped before the answer came.
        let free = holder.is_empty() || holder == terms.holder;
        if free || since.elapsed() > duration(&spec) {
            return self.take_over(terms, found, Instant::now()).await;
        }
        Ok(Err(self::holder(&spec)))
    }
}

impl Held {
    /// Renews it in a separate task from now on.
    fn kept(mut self) -> KeptLease {
        let (tell, state) = watch::channel(Ok(self.deadline()));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let lost = tokio::select! {
                lost = self.keep(|deadline| drop(tell.send(Ok(deadline)))) => lost,
                _ = stopped => {
                    drop(tell.send(Err("it was given back".to_owned())));
                    if let Err(error) = self.release().await {
                        tracing::warn!(%error, "cannot release the lease: it expires in some seconds");
                    }
                    return;
                }
            };
            tracing::warn!(error = %lost, "the lease is lost");
            drop(tell.send(Err(lost)));
        });
        KeptLease { state, stop: Some(stop), task }
    }
}

impl KeptLease {
    /// The time until which no other process can have it.
    ///
    /// # Errors
    /// Why we do not hold it any more.
    pub fn until(&self) -> Result<Instant, String> {
        let until = self.state.borrow().clone()?;
        match Instant::now() < until {
            true => Ok(until),
            // The task may not have run since, because the process was stopped or the machine was busy.
            false => Err("it was not renewed in time".to_owned()),
        }
    }

    /// Releases it, so that the next holder does not have to wait.
    pub async fn release(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
            let _ = (&mut self.task).await;
        }
    }
}

impl Drop for KeptLease {
    fn drop(&mut self) {
        self.task.abort();
    }
}
