//! One look at the controllers: through a broker, and for listeners of new ones through a controller.

use crate::error::Error;
use crate::live;
use execute::controllers::{QuorumMember, QuorumScene};
use kafka::Client;
use kafka::admin::{ControllerEndpoint, QuorumMembers, QuorumReplica};
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How to reach the controllers.
#[derive(Debug, Clone, Default)]
pub struct ControllersReach {
    /// The client properties for their listeners.
    pub properties: Option<PathBuf>,
    /// The listeners of the controller that gets a vote; empty: the controllers know them.
    pub endpoints: Vec<ControllerEndpoint>,
}

/// A dynamic or static quorum, seen through the brokers.
pub struct Controllers {
    client: Client,
    reach: ControllersReach,
}

/// The result of a look.
#[derive(Debug)]
pub struct ControllersSight {
    /// All that the active controller reports.
    pub members: QuorumMembers,
    /// The level of `kraft.version`; 0: the quorum is static.
    pub kraft_version: u16,
    /// The input of `execute::controllers::next`.
    pub scene: QuorumScene,
    /// The listeners of controllers without a vote, as far as they were asked for.
    pub endpoints: BTreeMap<BrokerId, Vec<ControllerEndpoint>>,
    /// Why no controller told of its listeners.
    pub unreachable: Option<kafka::Error>,
}

/// The listeners that controllers have registered.
#[derive(Default)]
struct Registrations {
    endpoints: BTreeMap<BrokerId, Vec<ControllerEndpoint>>,
    problem: Option<kafka::Error>,
}

impl Controllers {
    /// The controllers behind this client.
    pub fn of(client: Client, reach: ControllersReach) -> Self {
        Self { client, reach }
    }

    /// Its client of the brokers.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Looks at the quorum. `candidate`: the controller that is to get a vote. Only then are controllers asked.
    ///
    /// # Errors
    /// [`Error::NoQuorum`] in ZooKeeper mode; a broker or the active controller does not answer.
    pub async fn look(&self, candidate: Option<BrokerId>) -> Result<ControllersSight, Error> {
        let members = self.client.quorum_members().await?.ok_or(Error::NoQuorum)?;
        let kraft_version = self.client.kraft_version().await?;
        let brokers = self.client.describe_cluster().await?.brokers.keys().copied().collect();
        let has_vote = |id: &BrokerId| members.voters.iter().any(|voter| voter.id == *id);
        let is_renewed = |id: &BrokerId| members.observers.iter().any(|other| other.id == *id);
        let asked = candidate.filter(|id| kraft_version > 0 && (!has_vote(id) || is_renewed(id)));
        let Registrations { endpoints, problem } = match asked {
            Some(id) if !self.reach.endpoints.is_empty() => {
                let endpoints = [(id, self.reach.endpoints.clone())].into();
                Registrations { endpoints, problem: None }
            }
            Some(_) => self.registrations(&members).await?,
            None => Registrations::default(),
        };
        let scene = QuorumScene {
            leader: members.leader,
            voters: members.voters.iter().map(member).collect(),
            observers: members.observers.iter().map(member).collect(),
            brokers,
            reachable: endpoints.keys().copied().collect(),
        };
        Ok(ControllersSight { members, kraft_version, scene, endpoints, unreachable: problem })
    }

    /// The listeners that all controllers have registered. A controller tells only the addresses of the listener that
    /// it is asked at, so each one is asked.
    async fn registrations(&self, members: &QuorumMembers) -> Result<Registrations, Error> {
        let all = || members.voters.iter().flat_map(|voter| &voter.endpoints);
        let listeners: BTreeSet<&str> = all().map(|one| one.listener.as_str()).collect();
        let mut found = Registrations::default();
        for listener in listeners {
            let of_it = all().filter(|one| one.listener == listener);
            let addresses: Vec<String> = of_it.map(|one| one.address.to_string()).collect();
            let properties = self.reach.properties.as_deref();
            let settings = live::hasty(live::settings(&addresses.join(","), properties)?);
            match Client::connect_to_controller(settings).await {
                Ok(client) => {
                    for (id, node) in &client.cluster().brokers {
                        let endpoint = node.address.clone().map(|address| ControllerEndpoint {
                            listener: listener.to_owned(),
                            address,
                        });
                        found.endpoints.entry(*id).or_default().extend(endpoint);
                    }
                }
                Err(error) => found.problem = Some(error),
            }
        }
        found.endpoints.retain(|_, endpoints| !endpoints.is_empty());
        found.problem = found.problem.filter(|_| found.endpoints.is_empty());
        Ok(found)
    }
}

fn member(replica: &QuorumReplica) -> QuorumMember {
    QuorumMember {
        id: replica.id,
        directory: replica.directory.clone(),
        behind_ms: replica.behind_ms,
        silent_ms: replica.silent_ms,
    }
}
