//! The subject of a probe: its flags, and what Kubernetes knows of the pod.

use crate::error::Error;
use crate::live::flags::ForcedArgs;
use crate::session::Session;
use ::kubernetes::brokers::{Rules, brokers};
use ::kubernetes::facts::PodFacts;
use ::kubernetes::{About, Inventory, Kubernetes, Name, in_time};
use mapper::BrokerId;
use mapper::maps::{Group, Target};
use operate::cluster::Servers;
use operate::cluster::Source;
use operate::probes::{Forces, Subject, in_inventory};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait for Kubernetes: a probe must answer without it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What runs in the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProbedServer {
    /// A broker, also one that is a controller as well
    Broker,
    /// A KRaft controller: --bootstrap-server names its own listener
    Controller,
    /// A ZooKeeper server: --zookeeper names it
    Zookeeper,
}

/// The flags about it.
#[derive(Debug, clap::Args)]
pub(super) struct SubjectArgs {
    /// Choose what runs in the pod
    #[arg(long, value_enum, default_value = "broker")]
    role: ProbedServer,
    /// Set broker.id or node.id
    ///
    /// Default: the id that Kubernetes has for the pod.
    #[arg(long, value_name = "ID")]
    broker_id: Option<BrokerId>,
    /// Read the annotations of this pod [default: POD_NAMESPACE/POD_NAME]
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pod: Option<String>,
    #[command(flatten)]
    forced: ForcedArgs,
}

/// Where to ask.
pub(super) struct ProbeAddress {
    pub(super) address: String,
    pub(super) properties: Option<PathBuf>,
}

/// The subject, and the pod that it was found in.
pub(super) struct FoundSubject {
    pub(super) broker: Option<BrokerId>,
    subject: Subject,
    inventory: Option<Inventory>,
}

impl FoundSubject {
    /// The pod, as it was read.
    fn pod(&self) -> Option<&PodFacts> {
        let name = self.subject.pod.as_ref()?;
        self.inventory.iter().flat_map(|inventory| &inventory.pods).find(|pod| pod.name == *name)
    }
}

impl SubjectArgs {
    pub(super) fn role(&self) -> ProbedServer {
        self.role
    }

    pub(super) fn address(&self, session: &Session<'_, '_>) -> Result<ProbeAddress, Error> {
        let needs = |what: &str| Err(Error::flags(format!("this probe needs {what}")));
        match (self.role, session.global.source.source_if_any()?) {
            (ProbedServer::Zookeeper, Some(Source::Live(Servers::ZooKeeper(place)))) => {
                let address = place.connect.split(['/', ',']).next().unwrap_or_default();
                Ok(ProbeAddress { address: address.to_owned(), properties: place.config })
            }
            (ProbedServer::Zookeeper, _) => needs("--zookeeper HOST:PORT, the server's own"),
            (_, Some(Source::Live(Servers::Kafka { bootstrap, properties, .. }))) => {
                Ok(ProbeAddress { address: bootstrap, properties })
            }
            _ => needs("--bootstrap-server HOST:PORT, the broker's own listener"),
        }
    }

    /// What the cache file calls it.
    pub(super) fn named_as(&self, found: &FoundSubject) -> String {
        match (self.role, found.broker) {
            (ProbedServer::Broker, Some(id)) => format!("broker {id}"),
            (ProbedServer::Controller, Some(id)) => format!("controller {id}"),
            (ProbedServer::Zookeeper, _) => "zookeeper".to_owned(),
            (_, None) => "unknown".to_owned(),
        }
    }

    /// The same without a request.
    pub(super) fn named(&self, _: &Session<'_, '_>) -> Result<String, Error> {
        let broker = self.broker_id;
        if broker.is_none() && self.role != ProbedServer::Zookeeper {
            return Err(Error::flags("--cached contacts no server: it needs --broker-id ID"));
        }
        Ok(self.named_as(&FoundSubject { broker, subject: Subject::default(), inventory: None }))
    }

    /// Reads what is known of the subject. With a given id, Kubernetes may be unreachable.
    pub(super) async fn found(&self, session: &Session<'_, '_>) -> Result<FoundSubject, Error> {
        let mut found = FoundSubject {
            broker: self.broker_id,
            subject: Subject { broker: self.broker_id, ..Subject::default() },
            inventory: None,
        };
        if self.role == ProbedServer::Zookeeper || (self.pod_name(session, "").is_none()) {
            return Ok(found);
        }
        let looked = timeout(PATIENCE, self.look_at_pod(session, &mut found)).await;
        let looked = looked.unwrap_or_else(|_| {
            Err(operate::Error::NoAnswer {
                waited: PATIENCE,
                reason: "Kubernetes is silent".to_owned(),
            }
            .into())
        });
        match looked {
            Err(error) if self.broker_id.is_some() => {
                tracing::warn!(%error, "the pod's annotations are not known");
            }
            looked => looked?,
        }
        Ok(found)
    }

    async fn look_at_pod(
        &self,
        session: &Session<'_, '_>,
        found: &mut FoundSubject,
    ) -> Result<(), Error> {
        let flags = &session.global.kubernetes;
        let kubernetes = Kubernetes::connect(&flags.access(session.environment)).await?;
        let Some(name) = self.pod_name(session, kubernetes.namespace()) else { return Ok(()) };
        let inventory = kubernetes.pod(&name).await?;
        let rules = Rules { pods_are_chosen: true, ..flags.rules() };
        let maps = session.map_set_with(&kubernetes).await?;
        let groups: BTreeSet<Group> =
            maps.maps().iter().filter_map(|map| map.target.group()).collect();
        let meant = brokers(&inventory, &rules, &groups);
        let own = brokers(&inventory, &rules, &BTreeSet::new());
        let id = own.pods.first().and_then(|pod| pod.id());
        found.broker = found.broker.or(id);
        found.subject.broker = found.broker;
        let is_in = |target: &Target| match (target, target.group(), found.broker) {
            (Target::Ids(ids), _, Some(id)) => ids.contains(&id),
            (_, Some(group), Some(id)) => {
                meant.groups.get(&group).is_some_and(|members| members.contains_key(&id))
            }
            _ => false,
        };
        let mine = maps.maps().iter().filter(|map| is_in(&map.target));
        found.subject.maps = mine.map(|map| map.name.to_string()).collect();
        found.subject.pod = Some(name);
        found.inventory = Some(inventory);
        Ok(())
    }

    /// The forces that apply to the subject.
    pub(super) async fn forces(&self, found: &FoundSubject, session: &Session<'_, '_>) -> Forces {
        let mut forces = found.inventory.as_ref().map(in_inventory).unwrap_or_default();
        let access = session.global.kubernetes.access(session.environment);
        forces.extend(self.forced.read(Some(&found.subject), &access).await);
        forces
    }

    /// Writes an Event at the subject's pod, if Kubernetes knows the pod. A failure changes no answer.
    pub(super) async fn announce(
        &self,
        found: &FoundSubject,
        session: &Session<'_, '_>,
        reason: &str,
        note: &str,
    ) {
        let Some(pod) = found.pod() else { return };
        let told = async {
            let access = session.global.kubernetes.access(session.environment);
            let kubernetes = Kubernetes::connect(&access).await?;
            let announcer = kubernetes.announcer("topicmappr", &pod.name.name, About::pod(pod));
            announcer.tell(reason, note).await
        };
        in_time(PATIENCE, reason, told).await;
    }

    fn pod_name(&self, session: &Session<'_, '_>, namespace: &str) -> Option<Name> {
        let namespace = session.environment.get("POD_NAMESPACE").unwrap_or(namespace);
        let name = self.pod.as_deref().or_else(|| session.environment.get("POD_NAME"))?;
        Some(Name::parsed(name, namespace))
    }
}
