//! `/brokers/topics/TOPIC/partitions/P/state`: a partition's leader and in-sync replicas.

use super::json;
use crate::error::ZnodeFault;
use mapper::BrokerId;
use mapper::snapshot::Leader;
use serde::Deserialize;

/// The state of one partition, as its leader and the controller agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// The leader; [`Leader::None`] if Kafka writes -1.
    pub leader: Leader,
    /// The in-sync replicas. Without a leader: the last known ones.
    pub isr: Vec<BrokerId>,
}

#[derive(Deserialize)]
struct StateWire {
    leader: i32,
    isr: Vec<BrokerId>,
}

pub(crate) fn partition_state(data: &[u8]) -> Result<PartitionState, ZnodeFault> {
    let wire: StateWire = json(data)?;
    let leader = match u32::try_from(wire.leader) {
        Ok(id) => Leader::Broker(BrokerId(id)),
        Err(_) if wire.leader == -1 => Leader::None,
        Err(_) => return Err(ZnodeFault::Id(wire.leader.to_string())),
    };
    Ok(PartitionState { leader, isr: wire.isr })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(leader: i32) -> Result<PartitionState, ZnodeFault> {
        let text = format!(
            r#"{{"controller_epoch":1,"leader":{leader},"version":1,"leader_epoch":0,"isr":[1002,1004]}}"#
        );
        partition_state(text.as_bytes())
    }

    #[test]
    fn minus_one_is_known_to_be_no_leader() {
        assert_eq!(read(1002).unwrap().leader, Leader::Broker(BrokerId(1002)));
        let leaderless = read(-1).unwrap();
        assert_eq!(leaderless.leader, Leader::None);
        assert_eq!(leaderless.isr, [BrokerId(1002), BrokerId(1004)]);
        assert!(matches!(read(-2), Err(ZnodeFault::Id(_))));
    }

    #[test]
    fn a_state_without_its_fields_is_refused() {
        assert!(matches!(
            partition_state(br#"{"version":1,"leader":1}"#),
            Err(ZnodeFault::Json(_))
        ));
        assert!(matches!(partition_state(br#"{"leader":1,"isr":[-1]}"#), Err(ZnodeFault::Json(_))));
    }
}
