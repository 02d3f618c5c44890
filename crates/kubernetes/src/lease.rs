//! A Lease: one holder at a time. A holder that loses it must stop.
//!
//! It trusts only its own clock. It takes over another holder's Lease only if that Lease did not change for its whole
//! duration while we watched. Each write is sent once, and only if the Lease has not changed since it was read.

mod campaign;

pub use campaign::KeptLease;

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::facts::Name;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::PostParams;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const RESOURCE: &str = "leases.coordination.k8s.io";
/// How many times a holder renews within the duration.
const RENEWALS: u32 = 3;

/// The terms of a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseTerms {
    /// The Lease's namespace and name.
    pub name: Name,
    /// Our name for other processes: host and process, or a pod's name.
    pub holder: String,
    /// How long it is ours without a renewal: whole seconds, at least 3.
    pub duration: Duration,
}

/// The name of a Lease in a flag: `kafka/autothrottle`, or a name in our own namespace.
///
/// # Errors
/// A sentence, for any name that Kubernetes would refuse.
pub fn lease_name(text: &str) -> Result<Name, String> {
    let (namespace, name) = text.split_once('/').unwrap_or(("", text));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    // Its records have longer names, so it must leave room for them.
    let sound = |part: &str| part.chars().all(allowed) && part.len() <= 200;
    match !name.is_empty() && sound(name) && sound(namespace) {
        true => Ok(Name::new(namespace, name)),
        false => Err("write NAMESPACE/NAME, in the letters that Kubernetes allows".to_owned()),
    }
}

/// A Lease that we hold until its deadline.
struct Held {
    kubernetes: Kubernetes,
    terms: LeaseTerms,
    object: Object,
    renewed: Instant,
}

/// An attempt to take a Lease: it is ours, or its holder's.
type Candidacy = Result<Held, String>;

impl Kubernetes {
    /// The holder of the Lease, without taking it. `None` if it was not renewed for its duration, by the holder's own
    /// clock. Right: `get leases.coordination.k8s.io`.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn lease_holder(&self, name: &Name) -> Result<Option<String>, Error> {
        let spec = self.lease(name).await?.and_then(|found| found.spec);
        let spec = spec.filter(is_fresh);
        Ok(spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty()))
    }

    fn lease<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Option<Object>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("get", RESOURCE, name);
            let api: Api<Object> = Api::namespaced(self.client(), &name.namespace);
            if_found(self.read(&request, || api.get(&name.name)).await)
        })
    }

    fn create<'a>(
        &'a self,
        terms: &'a LeaseTerms,
        asked: Instant,
    ) -> BoxFuture<'a, Result<Candidacy, Error>> {
        Box::pin(async move {
            let mut object = Object { spec: Some(spec(terms, None)), ..Object::default() };
            object.metadata.name = Some(terms.name.name.clone());
            object.metadata.namespace = Some(terms.name.namespace.clone());
            let request = ApiRequest::about("create", RESOURCE, &terms.name);
            let api: Api<Object> = Api::namespaced(self.client(), &terms.name.namespace);
            let made = self.send(&request, api.create(&PostParams::default(), &object)).await;
            self.taken(terms, made, asked).await
        })
    }

    async fn take_over(
        &self,
        terms: &LeaseTerms,
        found: Object,
        asked: Instant,
    ) -> Result<Candidacy, Error> {
        let spec = spec(terms, found.spec.as_ref());
        let taken = self.put(&terms.name, Object { spec: Some(spec), ..found }).await;
        self.taken(terms, taken, asked).await
    }

    /// Takes it, unless another process was faster.
    async fn taken(
        &self,
        terms: &LeaseTerms,
        taken: Result<Object, Error>,
        asked: Instant,
    ) -> Result<Candidacy, Error> {
        match taken {
            Ok(object) => {
                let (kubernetes, terms) = (self.clone(), terms.clone());
                Ok(Ok(Held { kubernetes, terms, object, renewed: asked }))
            }
            Err(Error::Conflict { .. }) => {
                let found = self.lease(&terms.name).await?;
                Ok(Err(holder(&found.and_then(|found| found.spec).unwrap_or_default())))
            }
            Err(error) => Err(error),
        }
    }

    fn put<'a>(&'a self, name: &'a Name, object: Object) -> BoxFuture<'a, Result<Object, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("update", RESOURCE, name);
            let api: Api<Object> = Api::namespaced(self.client(), &name.namespace);
            self.send(&request, api.replace(&name.name, &PostParams::default(), &object)).await
        })
    }
}

impl Held {
    /// After this moment another process may hold it, so nothing may be changed any more.
    fn deadline(&self) -> Instant {
        self.renewed + self.terms.duration
    }

    /// Extends it by the duration, counted from the start of the request.
    async fn renew(&mut self) -> Result<(), Error> {
        let asked = Instant::now();
        let spec = spec(&self.terms, self.object.spec.as_ref());
        let object = Object { spec: Some(spec), ..self.object.clone() };
        self.object = self.kubernetes.put(&self.terms.name, object).await?;
        self.renewed = asked;
        Ok(())
    }

    /// Renews it for as long as possible, and reports each new deadline. Returns only when it is lost, and why: a third
    /// of the duration before the deadline, so that there is time to stop.
    async fn keep(&mut self, mut tell: impl FnMut(Instant)) -> String {
        let period = self.terms.duration / RENEWALS;
        let mut wait = period;
        loop {
            let last_chance = self.deadline() - period;
            sleep_until((Instant::now() + wait).min(last_chance)).await;
            if Instant::now() >= self.deadline() {
                return "it was not renewed in time".to_owned();
            }
            let renewed = tokio::time::timeout_at(last_chance + period / 2, self.renew()).await;
            wait = match renewed {
                Ok(Ok(())) => {
                    tell(self.deadline());
                    period
                }
                Ok(Err(error @ (Error::Conflict { .. } | Error::NotFound { .. }))) => {
                    return error.to_string();
                }
                Ok(Err(error)) if Instant::now() < last_chance => {
                    tracing::warn!(%error, lease = %self.terms.name, "the lease could not be renewed");
                    period / 4
                }
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "the API does not answer".to_owned(),
            };
        }
    }

    /// Releases it, so that the next holder does not have to wait. Does nothing if another process holds it by now. After
    /// an error, it stays ours until its deadline.
    async fn release(self) -> Result<(), Error> {
        let Self { kubernetes, terms, object, .. } = self;
        let old = object.spec.clone().unwrap_or_default();
        let spec = LeaseSpec { holder_identity: None, ..old };
        match kubernetes.put(&terms.name, Object { spec: Some(spec), ..object }).await {
            Ok(_) | Err(Error::Conflict { .. } | Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The spec with us as the holder, as of now. Counts changes of the holder.
fn spec(terms: &LeaseTerms, old: Option<&LeaseSpec>) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let same = old.filter(|old| old.holder_identity.as_deref() == Some(&terms.holder));
    let transitions = old.and_then(|old| old.lease_transitions).unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(terms.holder.clone()),
        lease_duration_seconds: i32::try_from(terms.duration.as_secs()).ok(),
        acquire_time: same.and_then(|old| old.acquire_time.clone()).or(Some(now.clone())),
        renew_time: Some(now),
        lease_transitions: Some(transitions + i32::from(old.is_some() && same.is_none())),
        ..LeaseSpec::default()
    }
}

/// Whether the holder renewed it within the duration, by its own clock.
fn is_fresh(spec: &LeaseSpec) -> bool {
    let Some(renewed) = &spec.renew_time else { return false };
    let age = Timestamp::now().duration_since(renewed.0);
    u64::try_from(age.as_secs()).is_ok_and(|age| age < duration(spec).as_secs())
}

/// The Lease's duration, or client-go's default if it names none.
fn duration(spec: &LeaseSpec) -> Duration {
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

fn holder(spec: &LeaseSpec) -> String {
    spec.holder_identity.clone().unwrap_or_else(|| "another process".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_names_a_lease_with_a_namespace_or_without_one() {
        assert_eq!(lease_name("kafka/autothrottle"), Ok(Name::new("kafka", "autothrottle")));
        assert_eq!(lease_name("autothrottle"), Ok(Name::new("", "autothrottle")));
        for wrong in ["", "kafka/", "a/b/c", "Kafka/a", &"a".repeat(201)] {
            assert!(lease_name(wrong).is_err(), "{wrong}");
        }
    }
}
