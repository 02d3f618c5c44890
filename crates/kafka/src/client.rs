//! A connection to a cluster. It opens one connection for each broker, with the first request to that broker.

use crate::address::Address;
use crate::bootstrap::first_to_answer;
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::dialer::Dialer;
use crate::error::{Denied, Error, Operation, ProtocolFault, Resource, Spoken, Unreached};
use crate::listener;
use crate::no_answer::NoAnswer;
use crate::properties::Settings;
use crate::versions::api_name;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::Request;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

/// How many times a request to the controller follows it to another broker.
const CONTROLLER_HOPS: u32 = 5;
/// The pause before the next attempt to find a new controller, times the number of attempts.
const CONTROLLER_PAUSE: Duration = Duration::from_millis(200);

/// The broker that a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The broker that answered at the bootstrap address.
    Any,
    /// This broker, at the address it advertises.
    Broker(BrokerId),
}

type Slot = Arc<AsyncMutex<Option<Connection>>>;

/// The kind of nodes at the bootstrap addresses (`EndpointType` of KIP-919).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoints {
    Brokers,
    Controllers,
}

/// A client of one cluster.
pub struct Client {
    dialer: Dialer,
    bootstrap: Address,
    pub(crate) endpoints: Endpoints,
    known: Mutex<Arc<Cluster>>,
    slots: Mutex<BTreeMap<Target, Slot>>,
    /// The number of changing requests sent so far.
    changes: AtomicU64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the first bootstrap address that answers, and reads the list of brokers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with the result for each address. An error about the certificate, the password or the
    /// protocol returns at once, because the other addresses would give the same.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        Self::connect_to(Endpoints::Brokers, settings).await
    }

    /// Connects to a KRaft controller at its own listener (Kafka 3.7 and later). It lists controllers where a broker
    /// lists brokers, and supports little except [`quorum`](Self::quorum).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_to_controller(settings: Settings) -> Result<Self, Error> {
        Self::connect_to(Endpoints::Controllers, settings).await
    }

    async fn connect_to(endpoints: Endpoints, settings: Settings) -> Result<Self, Error> {
        let dialer = Dialer::new(settings)?;
        let connection = first_to_answer(&dialer).await?;
        let bootstrap = connection.address().clone();
        let slot = Arc::new(AsyncMutex::new(Some(connection)));
        let client = Self {
            dialer,
            bootstrap,
            endpoints,
            known: Mutex::default(),
            slots: Mutex::new([(Target::Any, slot)].into()),
            changes: AtomicU64::new(0),
        };
        match client.describe_cluster().await {
            Ok(_) => Ok(client),
            Err(Error::Closed { .. }) if client.dialer.settings.sasl.is_none() => {
                Err(client.turned_away().await)
            }
            Err(error) => Err(error),
        }
    }

    /// The bootstrap address that answered.
    pub fn bootstrap(&self) -> &Address {
        &self.bootstrap
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.dialer.settings
    }

    /// The result of the last [`describe_cluster`](Self::describe_cluster).
    pub fn cluster(&self) -> Arc<Cluster> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn learn(&self, cluster: Cluster) -> Arc<Cluster> {
        let cluster = Arc::new(cluster);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = cluster.clone();
        cluster
    }

    /// Sends a request that only reads. If the broker had closed the idle connection, sends it again on a new one.
    pub(crate) async fn ask<R: Request>(
        &self,
        target: Target,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, Error> {
        let slot = self.slot(target);
        // The connection leaves its slot while in use, so a failed or dropped call leaves no half-read connection
        // behind.
        let mut slot = slot.lock().await;
        if let Some(mut connection) = slot.take().filter(Connection::is_fresh) {
            match connection.call(&build).await {
                Err(Error::Closed { address, cause, .. }) => {
                    tracing::debug!(%address, ?cause, "the idle connection was closed");
                }
                answer => {
                    *slot = answer.as_ref().is_ok().then_some(connection);
                    return answer;
                }
            }
        }
        let mut connection = self.open(target).await?;
        let answer = connection.call(&build).await?;
        *slot = Some(connection);
        Ok(answer)
    }

    /// Sends a request that only reads to this address, on a separate connection.
    pub(crate) async fn ask_at<R: Request>(
        &self,
        address: &Address,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, Error> {
        self.dialer.open(address).await?.call(&build).await
    }

    /// The requests that a broker offers: key, first version, last version.
    pub(crate) async fn offered(&self, target: Target) -> Result<Vec<(i16, i16, i16)>, Error> {
        let slot = self.slot(target);
        let mut slot = slot.lock().await;
        let connection = match slot.take().filter(Connection::is_fresh) {
            Some(connection) => connection,
            None => self.open(target).await?,
        };
        let offered = connection.offered();
        *slot = Some(connection);
        Ok(offered)
    }

    /// The finalized level of a feature, read from the greeting of a new connection; 0 if it is not in use.
    pub(crate) async fn feature(&self, name: &str) -> Result<i16, Error> {
        let slot = self.slot(Target::Any);
        let mut slot = slot.lock().await;
        let connection = self.open(Target::Any).await?;
        let level = connection.feature(name);
        *slot = Some(connection);
        Ok(level)
    }

    /// Sends a read request that, without KRaft, only the controller answers. `code` extracts the answer's error code.
    pub(crate) async fn ask_controller<R: Request>(
        &self,
        build: impl Fn(i16) -> R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, Error> {
        let mut target = Target::Any;
        for hop in 1..=CONTROLLER_HOPS {
            let answer = match self.ask(target, &build).await {
                // With KRaft, the broker asks the controller for us. For one that died with its machine it waits as
                // long as we wait for the broker (`request.timeout.ms`). Then it knows the next one.
                Err(Error::Timeout { api, .. }) if hop == 1 && api == api_name::<R>() => continue,
                answer => answer?,
            };
            if code(&answer) != ResponseError::NotController.code() {
                return Ok(answer);
            }
            target = self.controller_after(target, hop).await?;
        }
        Err(self.no_controller::<R>(target))
    }

    /// Sends a request that changes something, on a new connection and never twice.
    ///
    /// The broker may already have closed an idle connection at its end. A request written to it gets no answer, and it
    /// stays unknown whether it arrived.
    pub(crate) async fn tell<R: Request>(
        &self,
        target: Target,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, NoAnswer> {
        let slot = self.slot(target);
        let mut slot = slot.lock().await;
        drop(slot.take());
        let mut connection = self.open(target).await.map_err(NoAnswer::NotMade)?;
        let answer = connection.call(&build).await.map_err(|error| match error {
            Error::Protocol {
                fault: ProtocolFault::NotOffered { .. } | ProtocolFault::NoCommonVersion { .. },
                ..
            } => NoAnswer::NotMade(error),
            error => NoAnswer::Unknown(error),
        });
        if !matches!(answer, Err(NoAnswer::NotMade(_))) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        let answer = answer?;
        *slot = Some(connection);
        Ok(answer)
    }

    /// The number of changing requests that this client has sent.
    pub fn changes_sent(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Sends a change that, without KRaft, only the controller makes. `turned_away` detects that a broker is not the
    /// controller and has changed nothing.
    pub(crate) async fn tell_controller<R: Request>(
        &self,
        build: impl Fn(i16) -> R,
        turned_away: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response, NoAnswer> {
        let mut target = Target::Any;
        for hop in 1..=CONTROLLER_HOPS {
            let answer = self.tell(target, &build).await?;
            if !turned_away(&answer) {
                return Ok(answer);
            }
            target = self.controller_after(target, hop).await.map_err(NoAnswer::NotMade)?;
        }
        Err(NoAnswer::NotMade(self.no_controller::<R>(target)))
    }

    /// The next broker to ask, because this one is not the controller.
    async fn controller_after(&self, target: Target, hop: u32) -> Result<Target, Error> {
        tracing::debug!(?target, "not the controller");
        tokio::time::sleep(CONTROLLER_PAUSE * (hop - 1)).await;
        let controller = self.describe_cluster().await?.controller;
        Ok(controller.map_or(Target::Any, Target::Broker))
    }

    fn no_controller<R>(&self, target: Target) -> Error {
        let message = Some(format!("no controller was found in {CONTROLLER_HOPS} attempts"));
        self.refused::<R>(target, ResponseError::NotController, message)
    }

    /// The error for an answer with an error code.
    pub(crate) fn refused<R>(
        &self,
        target: Target,
        code: ResponseError,
        message: Option<String>,
    ) -> Error {
        self.refused_to::<R>(target, Operation::Describe, code, message)
    }

    /// The same for a request that needs a different right.
    pub(crate) fn refused_to<R>(
        &self,
        target: Target,
        operation: Operation,
        code: ResponseError,
        message: Option<String>,
    ) -> Error {
        let resource = match code {
            ResponseError::ClusterAuthorizationFailed => Resource::Cluster,
            ResponseError::TopicAuthorizationFailed => Resource::Topics,
            code => {
                let address = self.address(target);
                return Error::Refused { address, api: api_name::<R>(), code, message };
            }
        };
        Error::Authorization(Box::new(self.denied::<R>(resource, operation)))
    }

    /// Runs a call with this deadline, which includes connecting. It bounds the cost of a dead broker.
    pub(crate) async fn within<R, T, E>(
        &self,
        target: Target,
        patience: Duration,
        late: impl FnOnce(Error) -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout(patience, call).await {
            Ok(answer) => answer,
            Err(_) => {
                let (address, api) = (self.address(target), api_name::<R>());
                Err(late(Error::Timeout { address, api, after: patience }))
            }
        }
    }

    /// The missing ACL for a refused request.
    pub(crate) fn denied<R>(&self, resource: Resource, operation: Operation) -> Denied {
        Denied { api: api_name::<R>(), resource, operation, principal: self.principal() }
    }

    /// The error for topics that were requested by name but that we may not describe.
    pub fn hidden(&self, topics: BTreeSet<String>) -> Error {
        Error::HiddenTopics { topics, principal: self.principal() }
    }

    /// Our principal in the cluster, as far as the settings tell.
    pub(crate) fn principal(&self) -> Option<String> {
        self.settings().principal()
    }

    fn slot(&self, target: Target) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(target).or_default().clone()
    }

    pub(crate) fn address(&self, target: Target) -> Address {
        let advertised = match target {
            Target::Any => None,
            Target::Broker(id) => self.cluster().brokers.get(&id).and_then(|b| b.address.clone()),
        };
        advertised.unwrap_or_else(|| self.bootstrap.clone())
    }

    async fn open(&self, target: Target) -> Result<Connection, Error> {
        let Target::Broker(broker) = target else {
            return first_to_answer(&self.dialer).await;
        };
        let advertised = self.address(target);
        match self.dialer.open(&advertised).await {
            Err(Error::Unreachable { failures }) => {
                let bootstrap = self.bootstrap.clone();
                let cause = failures.into_values().next();
                let cause = cause.unwrap_or(Unreached::Silent(self.settings().setup_timeout));
                Err(Error::AdvertisedUnreachable { bootstrap, broker, advertised, cause })
            }
            opened => opened,
        }
    }

    /// Why a listener that answered our greeting closes the connection on the first request. Most likely it requires
    /// authentication.
    async fn turned_away(&self) -> Error {
        let address = self.bootstrap.clone();
        match listener::sasl_mechanisms(&self.dialer, &address).await {
            Some(mechanisms) => {
                let configured = self.dialer.settings.protocol;
                Error::WrongProtocol { address, configured, spoken: Spoken::Sasl(mechanisms) }
            }
            None => Error::Closed { address, api: "the first request", cause: None },
        }
    }
}

#[cfg(test)]
mod tests;
