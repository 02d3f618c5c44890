//! What becomes of a lost broker, as its pod tells.

use crate::lost::{FateView, Joined, LostBroker};
use ::kubernetes::brokers::BrokerPod;
use ::kubernetes::fate::{Disks, Fate, Return};
use mapper::BrokerId;

/// `joined` are the pods of live brokers without replicas.
pub(crate) fn lost_broker(
    broker: BrokerId,
    fate: Fate,
    joined: &[(BrokerId, &BrokerPod)],
) -> LostBroker {
    let fate = match fate {
        Fate::Returns(returning) => returns(&returning),
        Fate::Gone => {
            let joined = joined.iter().map(|(id, pod)| new(*id, pod));
            FateView::Gone { joined: joined.collect() }
        }
    };
    LostBroker { broker, fate }
}

fn returns(returning: &Return) -> FateView {
    FateView::Returns {
        pod: returning.pod.to_string(),
        disks: match returning.disks {
            Disks::Data => "data",
            Disks::Empty => "empty",
            Disks::Unknown => "unknown",
        },
        comes_back: returning.disks.to_string(),
        pinned_by: returning.pins.iter().map(ToString::to_string).collect(),
        commands: returning.commands.clone(),
    }
}

fn new(broker: BrokerId, pod: &BrokerPod) -> Joined {
    let (node, rack) = (pod.node.clone(), pod.rack.clone());
    Joined { broker, pod: pod.name.to_string(), node, rack }
}
