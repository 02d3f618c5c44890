//! Changes of the cluster or of the request that make a plan possible.

use super::rule::{allow, balance_of, rebuild_of, returned};
use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use crate::request::{PlaceBy, RackRule, Replace, Request};
use crate::snapshot::{Broker, Snapshot};
use serde::Serialize;
use std::collections::BTreeSet;

/// One change that makes a plan possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "remedy", rename_all = "snake_case")]
pub enum Remedy {
    /// Lost brokers come back with their data.
    BringBack {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// Brokers take new replicas again: the config `cordoned.log.dirs` is removed.
    Uncordon {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// A broker gets more storage.
    MoreStorage {
        /// The broker that gets it.
        broker: BrokerId,
        /// Its rack, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        rack: Option<String>,
        /// The bytes to add.
        bytes: Bytes,
    },
    /// Empty brokers join, and are allowed for the topics.
    MoreBrokers {
        /// The number of new brokers.
        brokers: u32,
        /// Their rack; `None`: no broker has a rack.
        #[serde(skip_serializing_if = "Option::is_none")]
        rack: Option<String>,
        /// Whether the rack is new.
        new_rack: bool,
        /// The storage of each new broker, if any broker's is known.
        #[serde(rename = "storage_total_bytes", skip_serializing_if = "Option::is_none")]
        storage: Option<Bytes>,
    },
    /// The request allows more live brokers for the topics.
    Allow {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// The request no longer drains these brokers.
    KeepUndrained {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// Plans keep a smaller share of each broker's storage free (`--storage-headroom`).
    Headroom {
        /// The share that no plan fills.
        #[serde(rename = "storage_headroom_ratio")]
        ratio: Ratio,
    },
    /// The request asks for fewer racks (`--min-rack-ids`).
    MinRackIds {
        /// The number of racks.
        racks: u32,
    },
    /// The request asks for fewer replicas (`--replication`, or `replication` of the maps).
    Replication {
        /// The factor.
        replication: u32,
    },
    /// The request allows more moves (`--max-bytes-moved`, `--max-moves`).
    Limits {
        /// The limit of bytes, if the request has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_bytes_moved: Option<Bytes>,
        /// The limit of replicas, if the request has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_moves: Option<u64>,
    },
    /// Another broker takes the seats (`replace --with`).
    Incoming {
        /// The broker.
        broker: BrokerId,
    },
    /// Placement by count, which needs no sizes (`--placement count`).
    ByCount,
    /// The request without `--fix-racks`.
    WithoutFixRacks,
    /// The request without `--force-rebuild`.
    WithoutForce,
    /// The request without `--sub-affinity`.
    WithoutPairs,
}

impl Remedy {
    /// The cluster and the request after this change.
    #[must_use]
    pub fn applied(&self, snapshot: &Snapshot, request: &Request) -> (Snapshot, Request) {
        let mut request = request.clone();
        let changed = match self {
            Self::BringBack { brokers } => {
                return returned(snapshot, &request, brokers.iter().copied().collect());
            }
            Self::Uncordon { brokers } => {
                Some(snapshot.without_cordons(|id| brokers.contains(&id)))
            }
            Self::MoreStorage { broker, bytes, .. } => {
                Some(snapshot.with_more_storage(|id| (id == *broker).then_some(*bytes)))
            }
            Self::MoreBrokers { brokers, rack, storage, .. } => {
                let new = new_brokers(snapshot, *brokers, rack.as_ref(), *storage);
                allow(&mut request, &new.iter().map(|broker| broker.id).collect());
                Some(snapshot.with_brokers(new))
            }
            Self::Allow { .. }
            | Self::KeepUndrained { .. }
            | Self::Headroom { .. }
            | Self::MinRackIds { .. }
            | Self::Replication { .. }
            | Self::Limits { .. }
            | Self::Incoming { .. }
            | Self::ByCount
            | Self::WithoutFixRacks
            | Self::WithoutForce
            | Self::WithoutPairs => None,
        };
        self.ask_otherwise(&mut request);
        (changed.unwrap_or_else(|| snapshot.clone()), request)
    }

    fn ask_otherwise(&self, request: &mut Request) {
        match self {
            Self::Allow { brokers } => allow(request, &brokers.iter().copied().collect()),
            Self::KeepUndrained { brokers } => {
                if let Some(balance) = balance_of(request) {
                    balance.drain.retain(|id| !brokers.contains(id));
                }
            }
            Self::Headroom { ratio } => request.terms_mut().storage_headroom = *ratio,
            Self::MinRackIds { racks } => request.terms_mut().racks = RackRule::AtLeast(*racks),
            Self::Replication { replication } => {
                for assignment in &mut request.terms_mut().assignments {
                    let asked = assignment.replication.as_mut();
                    asked.into_iter().for_each(|asked| *asked = (*asked).min(*replication));
                }
            }
            Self::Limits { max_bytes_moved, max_moves } => {
                if let Some(balance) = balance_of(request) {
                    balance.max_bytes_moved = *max_bytes_moved;
                    balance.max_moves = *max_moves;
                }
            }
            Self::Incoming { broker } => {
                if let Request::Replace(replace) = request {
                    replace.incoming = *broker;
                    take_by(replace, *broker);
                }
            }
            Self::ByCount => rebuild_of(request, |rebuild| rebuild.placement = PlaceBy::Count),
            Self::WithoutFixRacks => request.terms_mut().fix_racks = false,
            Self::WithoutForce => rebuild_of(request, |rebuild| rebuild.force = false),
            Self::WithoutPairs => rebuild_of(request, |rebuild| rebuild.sub_affinity = false),
            Self::BringBack { .. }
            | Self::Uncordon { .. }
            | Self::MoreStorage { .. }
            | Self::MoreBrokers { .. } => {}
        }
    }
}

fn take_by(replace: &mut Replace, incoming: BrokerId) {
    for assignment in &mut replace.terms.assignments {
        assignment.brokers = BTreeSet::from([incoming]);
    }
}

/// New brokers with the next free ids.
fn new_brokers(
    snapshot: &Snapshot,
    count: u32,
    rack: Option<&String>,
    storage: Option<Bytes>,
) -> Vec<Broker> {
    let last = snapshot.known_brokers().last().map_or(0, |id| id.0);
    (1..=count)
        .map(|next| Broker {
            rack: rack.cloned(),
            storage_total: storage,
            storage_free: storage,
            ..Broker::new(BrokerId(last + next))
        })
        .collect()
}
