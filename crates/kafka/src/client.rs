//! A cluster to call: one connection for each broker that is asked something, opened when it is.

use crate::address::Address;
use crate::admin::{Cluster, NoAnswer};
use crate::connection::Connection;
use crate::dialer::Dialer;
use crate::error::{Denied, Error, Operation, ProtocolFault, Resource, Spoken, Unreached};
use crate::listener;
use crate::properties::Settings;
use crate::versions::api_name;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::Request;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

/// How long the next bootstrap address waits for one that neither answers nor fails.
const STAGGER: Duration = Duration::from_millis(500);
/// How often a request to the controller follows it to another broker.
const CONTROLLER_HOPS: u32 = 5;
/// How long a new controller is given, times the number of the hop.
const CONTROLLER_PAUSE: Duration = Duration::from_millis(200);

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Whoever answered at the bootstrap address.
    Any,
    /// This broker, at the address it advertises.
    Broker(BrokerId),
}

type Slot = Arc<AsyncMutex<Option<Connection>>>;

/// Who listens at the bootstrap addresses (`EndpointType` of KIP-919).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoints {
    Brokers,
    Controllers,
}

/// A cluster that answered.
pub struct Client {
    dialer: Dialer,
    bootstrap: Address,
    pub(crate) endpoints: Endpoints,
    known: Mutex<Arc<Cluster>>,
    slots: Mutex<BTreeMap<Target, Slot>>,
    /// Requests sent that change something.
    changes: AtomicU64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the first bootstrap address that answers, and learns who the brokers are.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with what each address said; and at once, whatever the other addresses would say,
    /// what is wrong with the certificate, the password or the protocol.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        Self::connect_to(Endpoints::Brokers, settings).await
    }

    /// Connects to a KRaft controller at its own listener (Kafka 3.7 and later): it tells of controllers where a broker
    /// tells of brokers, and answers little else but [`quorum`](Self::quorum).
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

    /// What [`describe_cluster`](Self::describe_cluster) said last.
    pub fn cluster(&self) -> Arc<Cluster> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn learn(&self, cluster: Cluster) -> Arc<Cluster> {
        let cluster = Arc::new(cluster);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = cluster.clone();
        cluster
    }

    /// Sends a request that only reads. One whose connection had been closed while it lay idle is sent again.
    pub(crate) async fn ask<R: Request>(
        &self,
        target: Target,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, Error> {
        let slot = self.slot(target);
        // Taken out while in use: a call that fails or is dropped half-way leaves no half-read connection behind.
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

    /// Sends a request that only reads to whoever listens at this address, on a connection of its own.
    pub(crate) async fn ask_at<R: Request>(
        &self,
        address: &Address,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, Error> {
        self.dialer.open(address).await?.call(&build).await
    }

    /// The requests that a broker offers: key, first and last version.
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

    /// Sends a request that, without KRaft, only the controller answers. `code` finds the answer's error code.
    pub(crate) async fn ask_controller<R: Request>(
        &self,
        build: impl Fn(i16) -> R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, Error> {
        let mut target = Target::Any;
        for hop in 1..=CONTROLLER_HOPS {
            let answer = self.ask(target, &build).await?;
            if code(&answer) != ResponseError::NotController.code() {
                return Ok(answer);
            }
            target = self.controller_after(target, hop).await?;
        }
        Err(self.no_controller::<R>(target))
    }

    /// Sends a request that changes something: on a connection that was just opened, and never twice.
    ///
    /// A connection that has lain idle may be closed at its other end already; a request written to it would be
    /// neither answered nor surely lost.
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

    /// How many requests that change something this client has sent.
    pub fn changes_sent(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Sends a change that, without KRaft, only the controller makes. `turned_away` finds out that a broker is not it,
    /// and has changed nothing.
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

    /// Whom to ask next, since this broker is not the controller.
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

    /// The same for a request that needs another right.
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

    /// A call that is given up after this time, connecting included: what a dead broker costs.
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

    /// The ACL that a request was refused for the want of.
    pub(crate) fn denied<R>(&self, resource: Resource, operation: Operation) -> Denied {
        Denied { api: api_name::<R>(), resource, operation, principal: self.principal() }
    }

    /// The error for topics that were asked for by name, and that we may not see.
    pub fn hidden(&self, topics: BTreeSet<String>) -> Error {
        Error::HiddenTopics { topics, principal: self.principal() }
    }

    /// Who we are to the cluster, as far as we know ourselves.
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

    /// Why a listener that greeted us hangs up on the first question: most likely it wanted to know who asks.
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

/// Tries the bootstrap addresses in turn, the next as soon as one has failed or is slow, and takes the first that
/// works.
async fn first_to_answer(dialer: &Dialer) -> Result<Connection, Error> {
    let mut waiting = dialer.settings.bootstrap.iter();
    let mut attempts = FuturesUnordered::new();
    let mut unreached = BTreeMap::new();
    let mut silent = None;
    loop {
        attempts.extend(waiting.next().map(|address| dialer.open(address)));
        let Ok(ended) = timeout(STAGGER, attempts.next()).await else { continue };
        match ended {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(Error::Unreachable { failures })) => unreached.extend(failures),
            Some(Err(error @ (Error::Timeout { .. } | Error::Closed { .. }))) => {
                silent.get_or_insert(error);
            }
            // Another address of the cluster would say the same.
            Some(Err(error)) => return Err(error),
            None => return Err(silent.unwrap_or(Error::Unreachable { failures: unreached })),
        }
    }
}

#[cfg(test)]
mod tests;
