//! `/cluster/id` and `/controller`.

use super::json;
use crate::error::ZnodeFault;
use mapper::BrokerId;
use serde::Deserialize;

/// The controller of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Controller {
    /// The broker, or the `KRaft` controller.
    pub id: BrokerId,
    /// Whether the cluster is migrating to `KRaft`, or has migrated. ZooKeeper's data may then be old (KIP-866).
    pub kraft: bool,
}

#[derive(Deserialize)]
struct ControllerWire {
    brokerid: BrokerId,
    /// Since version 2; -1 while ZooKeeper elects the controller.
    #[serde(rename = "kraftControllerEpoch")]
    kraft_epoch: Option<i64>,
}

#[derive(Deserialize)]
struct ClusterWire {
    id: String,
}

pub(crate) fn controller(data: &[u8]) -> Result<Controller, ZnodeFault> {
    let wire: ControllerWire = json(data)?;
    Ok(Controller { id: wire.brokerid, kraft: wire.kraft_epoch.is_some_and(|epoch| epoch >= 0) })
}

pub(crate) fn cluster_id(data: &[u8]) -> Result<String, ZnodeFault> {
    let wire: ClusterWire = json(data)?;
    if wire.id.is_empty() { Err(ZnodeFault::Id(wire.id)) } else { Ok(wire.id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controller_is_read_with_and_without_a_kraft_epoch() {
        let zookeeper = Controller { id: BrokerId(1001), kraft: false };
        let old = br#"{"version":1,"brokerid":1001,"timestamp":"1"}"#;
        assert_eq!(controller(old).unwrap(), zookeeper);
        let new = br#"{"version":2,"brokerid":1001,"timestamp":"1","kraftControllerEpoch":-1}"#;
        assert_eq!(controller(new).unwrap(), zookeeper);
        let kraft = br#"{"version":2,"brokerid":3000,"timestamp":"1","kraftControllerEpoch":4}"#;
        assert_eq!(controller(kraft).unwrap(), Controller { id: BrokerId(3000), kraft: true });
    }

    #[test]
    fn a_cluster_id_is_never_empty() {
        assert_eq!(cluster_id(br#"{"version":"1","id":"Nk3"}"#).unwrap(), "Nk3");
        assert!(matches!(cluster_id(br#"{"version":"1","id":""}"#), Err(ZnodeFault::Id(_))));
        assert!(matches!(cluster_id(b"Nk3"), Err(ZnodeFault::Json(_))));
    }
}
