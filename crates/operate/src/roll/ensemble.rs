//! One look at pods and their ZooKeeper servers.
//!
//! A server has caught up when it reports that it leads or follows; before that it serves no client. All servers of
//! the ensemble are asked, including those outside our pods. Servers are numbered from 1, in the order of their
//! addresses.

use super::look::Sight;
use super::pods::RollPods;
use crate::error::Error;
use ::kubernetes::Name;
use execute::roll::{RollScene, Voters};
use futures::future::join_all;
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::time::Duration;
use zookeeper::{ZooKeeperAccess, ZooKeeperAddress};

/// The time limit for one server: a server that serves answers at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at the pods and their ZooKeeper ensemble.
pub(super) struct Ensemble<'a> {
    pub(super) pods: RollPods<'a>,
    addresses: Vec<String>,
    access: ZooKeeperAccess,
    /// The server address of a pod, where it does not begin with the pod's name.
    named: BTreeMap<String, String>,
}

impl<'a> Ensemble<'a> {
    pub(super) fn of(
        pods: RollPods<'a>,
        ensemble: &ZooKeeperAddress,
        named: &BTreeMap<String, String>,
    ) -> Self {
        let (mut addresses, access) = (ensemble.servers().to_vec(), ensemble.access().clone());
        let more = named.values().filter(|address| !ensemble.servers().contains(address));
        addresses.extend(more.cloned());
        Self { pods, addresses, access, named: named.clone() }
    }

    /// Looks at pods first, then servers. So a server that serves now did so after its pod was seen.
    pub(super) async fn look(&mut self) -> Result<Sight, Error> {
        let sets = self.pods.look().await?;
        let pods = self.pods.of(&sets, |pod| self.id_of(pod), |_| None)?;
        let ask = |at| zookeeper::server_mode(at, &self.access, PATIENCE);
        let asked = self.addresses.iter().map(|at| ask(at));
        let (mut voters, mut scene) =
            (Voters::default(), RollScene { pods, ..RollScene::default() });
        voters.zookeeper = true;
        for (number, told) in (1..).zip(join_all(asked).await) {
            let id = BrokerId(number);
            match told.as_deref() {
                Ok("leader" | "standalone") => {
                    voters.active = Some(id);
                    voters.behind_ms.insert(id, Some(0));
                }
                Ok("follower") => drop(voters.behind_ms.insert(id, Some(0))),
                // An observer has no vote to lose, so a restart only has to wait until it serves.
                Ok("observer") => drop(scene.cluster.live.insert(id)),
                Ok(_) | Err(_) => drop(voters.behind_ms.insert(id, None)),
            }
        }
        scene.voters = Some(voters);
        Ok(Sight::of(scene, sets))
    }

    fn id_of(&self, pod: &Name) -> Result<BrokerId, Error> {
        let address = self.named.get(&pod.name);
        let is_its_own = |at: &&String| match address {
            Some(address) => *at == address,
            None => at.split(['.', ':']).next() == Some(&pod.name),
        };
        let found = (1..).zip(&self.addresses).find(|(_, at)| is_its_own(at));
        found.map(|(number, _)| BrokerId(number)).ok_or_else(|| {
            local::Error::Flags(format!(
                "which ZooKeeper server is in pod {pod}? --zookeeper names none that begins with {name}. (it has {}); \
                 --server {name}=HOST:PORT tells it",
                self.addresses.join(", "),
                name = pod.name
            )).into()
        })
    }
}
