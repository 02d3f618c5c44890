//! What one port can give to new replicas, before the paths share it.

use crate::decision::{RateFloor, RateReason};
use crate::headroom::{Passed, headroom};
use crate::limits::ThrottleTerms;
use crate::load::PortLoad;
use crate::note::{Fallback, ThrottleNote};
use crate::port::ReplicationRole;
use crate::seen::{BrokerSeen, ThrottleInputs};
use crate::state::{BrokerMemory, PortMemory};
use crate::watch::Moment;
use mapper::{BrokerId, Bytes, Rate, Ratio};
use std::collections::BTreeSet;

/// One port, with everything on which its rate depends.
pub(crate) struct Port<'a> {
    pub(crate) broker: BrokerId,
    pub(crate) role: ReplicationRole,
    pub(crate) load: &'a PortLoad,
    /// What is remembered of its broker: already of this round, except for the port.
    pub(crate) memory: &'a BrokerMemory,
    pub(crate) moment: Moment,
}

/// What a port can give.
pub(crate) struct Offer {
    /// What new replicas may use of it, in bytes per second, in addition to other traffic that the quota counts.
    pub(crate) room: u64,
    /// The rate, if it does not depend on the paths.
    pub(crate) fixed: Option<(Rate, RateReason)>,
    /// What its network can spare; `None`: not known.
    pub(crate) headroom: Option<Rate>,
    pub(crate) floor: RateFloor,
    /// What to remember of it; the rate is not decided yet.
    pub(crate) next: PortMemory,
}

/// The offer of a port, whatever facts are missing.
pub(crate) fn offer(
    port: &Port<'_>,
    seen: &ThrottleInputs,
    terms: &ThrottleTerms,
    notes: &mut BTreeSet<ThrottleNote>,
) -> Offer {
    let nothing = BrokerSeen::default();
    let broker = seen.brokers.get(&port.broker).unwrap_or(&nothing);
    let before = *port.memory.ports.of(port.role);
    let floor = port.load.floor(before.floor, port.moment.elapsed, terms);
    let (spare, next) = spare(port, broker, seen, terms, before);
    let next = PortMemory { floor: floor.rate(), ..next };
    let at_least = |rate: Rate| floor.rate().map_or(rate, |floor| rate.max(floor));
    // The decided rate is preferred to the current one, because another tool may have set that. The network's capacity
    // limits both.
    let standing = before.rate.or(seen.applied.get(&(port.broker, port.role)).copied());
    let most = broker.capacity.map(|of| share(port.role, terms).of(Bytes(of.of(port.role).0)).0);
    let standing = standing.map(|rate| Rate(rate.0.min(most.unwrap_or(u64::MAX))));
    let fixed = if let Some((scope, asked)) = seen.overrides.of(port.broker) {
        note_override(port, asked, floor, notes);
        Some((at_least(asked), RateReason::Override { scope, asked }))
    } else if !broker.live {
        Some((at_least(standing.unwrap_or_default().max(terms.min_rate)), RateReason::NotLive))
    } else if broker.capacity.is_none() {
        notes.insert(ThrottleNote::UnknownCapacity { broker: port.broker });
        Some((at_least(terms.min_rate), RateReason::CapacityUnknown))
    } else if broker.traffic.is_none() {
        let rounds = port.memory.missing_rounds;
        let keep = standing.filter(|_| rounds <= terms.failure_threshold);
        let fallback = if keep.is_some() { Fallback::RateBefore } else { Fallback::MinRate };
        notes.insert(ThrottleNote::MetricsMissing { broker: port.broker, rounds, fallback });
        Some(match keep {
            Some(rate) => (at_least(rate.max(terms.min_rate)), RateReason::MetricsMissing),
            None => (at_least(terms.min_rate), RateReason::MetricsLost),
        })
    } else {
        None
    };
    let rate = fixed.map_or_else(|| at_least(least(port, spare, terms)), |(rate, _)| rate);
    Offer { room: rate.0.saturating_sub(port.load.counted), fixed, headroom: spare, floor, next }
}

/// What the network can spare, plus what the quota counts of other traffic; at least the minimum rate, which is for
/// both.
fn least(port: &Port<'_>, spare: Option<Rate>, terms: &ThrottleTerms) -> Rate {
    let spare = spare.unwrap_or_default().0.saturating_add(port.load.counted);
    Rate(spare).max(terms.min_rate)
}

fn spare(
    port: &Port<'_>,
    broker: &BrokerSeen,
    seen: &ThrottleInputs,
    terms: &ThrottleTerms,
    before: PortMemory,
) -> (Option<Rate>, PortMemory) {
    let Some((capacity, traffic)) = broker.capacity.zip(broker.traffic.as_ref()) else {
        return (None, before);
    };
    let passed = Passed {
        role: port.role,
        traffic,
        load: port.load,
        applied: seen.applied.get(&(port.broker, port.role)).copied(),
        moment: port.moment,
    };
    let share = share(port.role, terms);
    let (spare, next) = headroom(*capacity.of(port.role), share, &passed, before);
    (Some(Rate(port.memory.wellbeing.used_ratio.of(Bytes(spare.0)).0)), next)
}

/// The share of the free capacity that replication may use.
fn share(role: ReplicationRole, terms: &ThrottleTerms) -> Ratio {
    match role {
        ReplicationRole::Leader => terms.max_tx,
        ReplicationRole::Follower => terms.max_rx,
    }
}

fn note_override(
    port: &Port<'_>,
    asked: Rate,
    floor: RateFloor,
    notes: &mut BTreeSet<ThrottleNote>,
) {
    let (broker, role) = (port.broker, port.role);
    match floor.rate() {
        Some(floor) if floor > asked => {
            notes.insert(ThrottleNote::OverrideRaised { broker, role, asked, floor });
        }
        Some(_) => {}
        None => {
            notes.insert(ThrottleNote::OverrideAboveUnknownFloor { broker, role, asked });
        }
    }
}
