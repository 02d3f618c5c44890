//! `--lease`: a Lease names the leader, and ConfigMaps next to it keep the ledger and the overrides.
//!
//! Before each write to the cluster, the daemon checks two things: the Lease is still ours by our own monotonic
//! clock, and the records are unchanged. A new leader rewrites every record first. So an earlier leader that was
//! stopped and continues fails its next check or write, whatever its clock says.

use super::records::{Records, RecordsError};
use super::{Leader, Place};
use crate::error::Error;
use crate::kubernetes_args::KubernetesArgs;
use console::Environment;
use execute::{Ledger, LedgerEntry};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use kubernetes::lease::{Kept, LeaseError, Terms, lease_name};
use kubernetes::{About, Access, Announcer, Kubernetes, Name};
use mapper::counted;
use operate::marks::{Common, LEASE};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for an Event; the round does not depend on it.
const TOLD: Duration = Duration::from_secs(5);

/// The flags of a place in Kubernetes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct LeaseArgs {
    /// Elect the leading daemon with this Lease
    ///
    /// Ledger and overrides are in the ConfigMaps NAME-state next to it. Default in a pod without --state-file:
    /// autothrottle in the pod's namespace. With --state-file, the mark is in the namespace of the Lease.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = lease_name)]
    lease: Option<Name>,
    /// Wait this long for a leader that has died
    #[arg(long, value_name = "TIME", default_value = "7s", value_parser = duration)]
    lease_duration: Duration,
    #[command(flatten)]
    pub(crate) api: KubernetesArgs,
}

impl LeaseArgs {
    /// The place, if a flag asks for it. In a pod it is the default without another place.
    pub(crate) fn place(&self, environment: &Environment, other: bool) -> Option<LeasePlace> {
        let access = self.api.access(environment);
        let default = || (access.in_pod && !other).then(|| Name::new("", LEASE));
        let name = self.lease.clone().or_else(default)?;
        let pod = environment.get("POD_NAME").map_or_else(crate::host, str::to_owned);
        // Two processes of one host may have the same number, in different namespaces.
        let holder = format!("{pod}-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let (duration, leader) = (self.lease_duration, Leader::default());
        Some(LeasePlace { access, name, duration, holder, leader, held: None })
    }
}

impl LeaseArgs {
    /// Where a daemon with its ledger in a file leaves its mark: in a pod, or with a named Lease.
    pub(crate) fn marks(&self, environment: &Environment) -> Option<Common> {
        let access = self.api.access(environment);
        let named = self.lease.as_ref().map(|name| name.namespace.clone());
        let namespace = named.clone().filter(|namespace| !namespace.is_empty());
        (access.in_pod || named.is_some()).then_some(Common::Kubernetes(access, namespace))
    }
}

/// A Lease holds whole seconds. A shorter time would be too much for a busy API server.
fn duration(text: &str) -> Result<Duration, String> {
    let time = console::units::duration(text)?;
    match time.subsec_nanos() == 0 && (3..=600).contains(&time.as_secs()) {
        true => Ok(time),
        false => Err("write whole seconds from 3s to 10m".to_owned()),
    }
}

fn in_namespace(name: &Name, kubernetes: &Kubernetes) -> Name {
    match name.namespace.as_str() {
        "" => Name::new(kubernetes.namespace(), &name.name),
        _ => name.clone(),
    }
}

/// A Lease, and the records next to it.
#[derive(Debug)]
pub(crate) struct LeasePlace {
    access: Access,
    name: Name,
    duration: Duration,
    /// Our name for others; no two processes share it.
    holder: String,
    leader: Leader,
    held: Option<Lead>,
}

#[derive(Debug)]
struct Lead {
    kept: Kept,
    records: Records,
    announcer: Announcer,
}

impl LeasePlace {
    /// Reads the records without taking or changing anything.
    pub(crate) async fn peek(&self) -> Result<Vec<LedgerEntry>, Error> {
        let kubernetes = Kubernetes::connect(&self.access).await.map_err(operate::Error::from)?;
        let name = in_namespace(&self.name, &kubernetes);
        Records::read(kubernetes, &name).await.map_err(|error| self.record(error))
    }

    async fn taken(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // A Lease that we had before ends by itself, if it has not been lost.
        self.held = None;
        let kubernetes = Kubernetes::connect(&self.access).await.map_err(operate::Error::from)?;
        let name = in_namespace(&self.name, &kubernetes);
        let duration = self.duration;
        let terms = Terms { name: name.clone(), holder: self.holder.clone(), duration };
        let tell = |holder: &str| {
            self.leader.is(holder);
            tracing::info!(lease = %name, holder, "another daemon leads");
        };
        let held = kubernetes.campaign(&terms, tell).await;
        let kept = held.map_err(|error| self.not_ours(error))?.kept();
        let claimed = Records::claim(kubernetes.clone(), &name, &self.holder).await;
        let (records, entries) = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                kept.release().await;
                return Err(self.record(error));
            }
        };
        let announcer =
            kubernetes.announcer("autothrottle", &self.holder, About::lease(name.clone()));
        let lead = Lead { kept, records, announcer };
        lead.tell("Leading", format!("{} leads", self.holder));
        tracing::info!(lease = %name, holder = self.holder, "leading");
        self.held = Some(lead);
        Ok(entries)
    }

    /// The lead while the Lease is ours; otherwise the reason why it is not.
    fn lead(&mut self) -> Result<&mut Lead, Error> {
        let place = self.place();
        let lead = self.held.as_mut().ok_or_else(|| Error::lost(&place, "it was never taken"))?;
        match lead.kept.until() {
            Ok(_) => Ok(lead),
            Err(why) => Err(Error::lost(&place, why)),
        }
    }

    async fn write(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
        let lead = self.lead()?;
        let written = lead.records.write(&all.entries()).await;
        if written.is_ok() {
            told(new).into_iter().for_each(|(reason, note)| lead.tell(reason, note));
        }
        written.map_err(|error| self.record(error))
    }

    async fn confirm(&mut self) -> Result<(), Error> {
        let confirmed = self.lead()?.records.confirm().await;
        confirmed.map_err(|error| self.record(error))?;
        // The API may have taken its time.
        self.lead().map(drop)
    }

    fn place(&self) -> String {
        format!("lease {}", self.name)
    }

    fn record(&self, error: RecordsError) -> Error {
        match error {
            RecordsError::Taken { name, .. } => {
                Error::lost(&self.place(), format!("another process writes ConfigMap {name}"))
            }
            RecordsError::Unreadable { name, problem } => {
                Error::Records { name: name.to_string(), problem }
            }
            RecordsError::Api(error) => Error::Operate(error.into()),
        }
    }

    fn not_ours(&self, error: LeaseError) -> Error {
        match error {
            LeaseError::Api(error) => Error::Operate(error.into()),
            other => Error::lost(&self.place(), other.to_string()),
        }
    }
}

impl Lead {
    fn tell(&self, reason: &'static str, note: String) {
        let announcer = self.announcer.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(TOLD, announcer.tell(reason, &note)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, reason, "no Event"),
                Err(_) => tracing::debug!(reason, "no Event in time"),
            }
        });
    }
}

/// The Events for new lines, shown when an operator describes the Lease.
fn told(new: &[LedgerEntry]) -> Vec<(&'static str, String)> {
    let (mut held, mut released, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let whom = |broker: &Option<mapper::BrokerId>| match broker {
        Some(id) => format!("broker {id}"),
        None => "all brokers that take part".to_owned(),
    };
    for entry in new {
        match entry {
            LedgerEntry::Opened { .. } => {}
            LedgerEntry::Held { setting, .. } => held.push(setting.to_string()),
            LedgerEntry::Released { setting } => released.push(setting.to_string()),
            LedgerEntry::Asked { broker, asked } => {
                let note = format!("{} B/s for {}", asked.rate_bytes_per_second.0, whom(broker));
                told.push(("OverrideSet", note));
            }
            LedgerEntry::Withdrawn { broker } => told.push(("OverrideRemoved", whom(broker))),
        }
    }
    let some = |all: Vec<String>| format!("{}: {}", counted(all.len(), "config"), all.join(", "));
    if !held.is_empty() {
        told.push(("ThrottleSet", some(held)));
    }
    if !released.is_empty() {
        told.push(("ThrottleRemoved", some(released)));
    }
    told
}

impl Place for LeasePlace {
    fn name(&self) -> String {
        self.place()
    }

    fn us(&self) -> String {
        self.holder.clone()
    }

    fn leader(&self) -> Leader {
        self.leader.clone()
    }

    fn take(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        self.taken().boxed()
    }

    fn keep<'a>(
        &'a mut self,
        new: &'a [LedgerEntry],
        all: &'a Ledger,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.write(new, all).boxed()
    }

    fn hold(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        self.confirm().boxed()
    }

    /// Overrides come through the leader.
    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        ready(self.lead().map(|_| Vec::new())).boxed()
    }

    fn until(&self) -> Option<Instant> {
        self.held.as_ref().map(|lead| lead.kept.until().unwrap_or_else(|_| Instant::now()))
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        async {
            if let Some(lead) = self.held.take() {
                lead.kept.release().await;
            }
        }
        .boxed()
    }
}
