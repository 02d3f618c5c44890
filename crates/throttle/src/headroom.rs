//! What a broker's network can spare for new replicas.
//!
//! Clients come first. So does the replication that keeps followers in sync, because producers wait for it. Both are
//! the total traffic minus what new replicas got. If the brokers report their replication traffic, that is measured;
//! otherwise the growth of the replicas is measured. Without either, the formula of kafka-kit's autothrottle applies:
//! new replicas count as if they used the throttle in full.

use crate::average::towards;
use crate::load::PortLoad;
use crate::peak::Peak;
use crate::port::ReplicationRole;
use crate::seen::BrokerTraffic;
use crate::state::PortMemory;
use crate::watch::Moment;
use mapper::{Bytes, Rate, Ratio};

/// How slowly the protected traffic follows the measurements, in milliseconds. Clients that start get their room soon,
/// and those that pause do not lose it at once.
const SLOW_UP: u64 = 5_000;
const SLOW_DOWN: u64 = 15_000;
/// Two counters that are read at two moments separate in-sync replication from new replicas. Only an average over this
/// time, in milliseconds, is reliable.
const IN_SYNC: u64 = 30_000;

/// The part of a capacity that stays free, so that a full port differs visibly from a busy one.
const SLACK: Ratio = Ratio::from_percent(3);
const FULL: Ratio = Ratio::from_percent(98);
/// The time over which a port has to be full, in milliseconds. Short bursts of Kafka's quota do not count.
const WATCHED: u64 = 20_000;

/// What passed through one port, and the throttle at that time.
pub(crate) struct Passed<'a> {
    pub(crate) role: ReplicationRole,
    pub(crate) traffic: &'a BrokerTraffic,
    pub(crate) load: &'a PortLoad,
    /// The throttle that was set.
    pub(crate) applied: Option<Rate>,
    pub(crate) moment: Moment,
}

/// What new replicas may use of `capacity`, and what to remember of the port.
pub(crate) fn headroom(
    capacity: Rate,
    share: Ratio,
    passed: &Passed<'_>,
    before: PortMemory,
) -> (Rate, PortMemory) {
    let total = passed.total();
    let over = total.saturating_sub(capacity.0);
    let (protected, slack, next) = match unyielding(passed, before) {
        // A move began without a throttle: its traffic must not be remembered as what clients need.
        Some((now, next)) if next.moved.is_none() && before.protected.is_none() => {
            (now, SLACK.of(Bytes(capacity.0)).0, next)
        }
        Some((now, next)) => {
            let slack = SLACK.of(Bytes(capacity.0)).0;
            let next = follow(now, capacity, passed, next);
            (next.peak.map_or(now, |peak| peak.height), slack, next)
        }
        None => {
            let protected = Rate(total.saturating_sub(yields(passed)));
            (protected, 0, PortMemory { protected: Some(protected), ..before })
        }
    };
    let free = capacity.0.saturating_sub(protected.0).saturating_sub(over);
    let spare = share.of(Bytes(free)).0.min(free.saturating_sub(slack));
    (Rate(spare), next)
}

/// The measured traffic that was not for new replicas; `None`: not measured, only the formula of kafka-kit applies.
fn unyielding(passed: &Passed<'_>, before: PortMemory) -> Option<(Rate, PortMemory)> {
    let total = passed.total();
    let replication = passed.traffic.replication.map(|of| of.of(passed.role).0.min(total));
    let moved = moved(passed, before);
    let next = PortMemory { moved, ..before };
    match (replication, moved) {
        (Some(replication), Some(moved)) => {
            let rest = Rate(replication.saturating_sub(moved.0));
            let elapsed = passed.moment.elapsed.unwrap_or_default();
            let in_sync = towards(before.in_sync, rest, elapsed, IN_SYNC).0.min(replication);
            let next = PortMemory { in_sync: Some(Rate(in_sync)), ..next };
            Some((Rate(total - replication + in_sync), next))
        }
        (Some(replication), None) => Some((Rate(total - yields(passed).min(replication)), next)),
        (None, Some(moved)) => Some((Rate(total.saturating_sub(moved.0)), next)),
        (None, None) => None,
    }
}

/// Lets the protected traffic follow the measurements.
///
/// Through a full port clients get less than they want, and that demand cannot be measured. Until there is room again
/// and their traffic shows, half of what new replicas got counts as the clients' demand.
fn follow(now: Rate, capacity: Rate, passed: &Passed<'_>, next: PortMemory) -> PortMemory {
    let elapsed = passed.moment.elapsed.unwrap_or_default();
    let known = |rate: Option<Rate>| rate.filter(|_| passed.moment.elapsed.is_some());
    let total = towards(known(next.total), Rate(passed.total()), elapsed, WATCHED);
    let full = total.0 >= FULL.of(Bytes(capacity.0)).0;
    let wanted = if full { next.moved.unwrap_or_default().0 / 2 } else { 0 };
    let now = Rate(now.0.saturating_add(wanted));
    let slowness =
        if next.protected.is_some_and(|before| now < before) { SLOW_DOWN } else { SLOW_UP };
    let protected = towards(known(next.protected), now, elapsed, slowness);
    let peak = Some(Peak::next(next.peak, protected, elapsed, passed.moment.now));
    PortMemory { protected: Some(protected), total: Some(total), peak, ..next }
}

impl Passed<'_> {
    fn total(&self) -> u64 {
        self.traffic.total.of(self.role).0
    }
}

/// What new replicas got, over the same window as the traffic's average; `None`: not known.
fn moved(passed: &Passed<'_>, before: PortMemory) -> Option<Rate> {
    let elapsed = passed.moment.elapsed.filter(|_| !passed.load.moved_unknown)?;
    let window = u64::try_from(passed.traffic.window.as_millis()).unwrap_or(u64::MAX);
    let moved = Rate(passed.load.moved);
    if window <= elapsed {
        return Some(moved);
    }
    // The window began before the move did.
    Some(towards(before.moved.or(Some(Rate(0))), moved, elapsed, window - elapsed))
}

/// What would give way if the current throttle was fully used.
fn yields(passed: &Passed<'_>) -> u64 {
    passed.applied.unwrap_or_default().0.saturating_sub(passed.load.counted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::PerDirection;
    use std::time::Duration;

    fn megabytes(n: u64) -> Rate {
        Rate(n * 1_000_000)
    }

    fn spare(percent: u32, util: u64, applied: u64) -> u64 {
        let traffic = BrokerTraffic {
            total: PerDirection::both(megabytes(util)),
            ..BrokerTraffic::default()
        };
        let passed = Passed {
            role: ReplicationRole::Leader,
            traffic: &traffic,
            load: &PortLoad::default(),
            applied: (applied > 0).then(|| megabytes(applied)),
            moment: Moment { now: 0, elapsed: None },
        };
        let share = Ratio::from_percent(percent);
        headroom(megabytes(100), share, &passed, PortMemory::default()).0.0 / 1_000_000
    }

    #[test]
    fn without_more_facts_the_known_formula_answers() {
        let cases = [(70, 0), (80, 70), (110, 70), (200, 70)];
        // The last result is below the minimum rate; another function applies that rate.
        assert_eq!(cases.map(|(util, applied)| spare(80, util, applied)), [24, 72, 40, 0]);
        assert_eq!(cases.map(|(util, applied)| spare(60, util, applied)), [18, 54, 30, 0]);
    }

    /// A port with a capacity of 100 and traffic of 60, 40 of it replication; new replicas got 25 of that.
    fn measured(
        replication: Option<u64>,
        moved: Option<u64>,
        window: Duration,
    ) -> (u64, PortMemory) {
        let replication = replication.map(|of| PerDirection::both(megabytes(of)));
        let traffic =
            BrokerTraffic { total: PerDirection::both(megabytes(60)), replication, window };
        let moved_unknown = moved.is_none();
        let moved = megabytes(moved.unwrap_or_default()).0;
        let mut load = PortLoad::default();
        (load.moved, load.moved_unknown) = (moved, moved_unknown);
        let passed = Passed {
            role: ReplicationRole::Follower,
            traffic: &traffic,
            load: &load,
            applied: Some(megabytes(30)),
            moment: Moment { now: 10_000, elapsed: Some(10_000) },
        };
        let share = Ratio::from_percent(100);
        let (room, next) = headroom(megabytes(100), share, &passed, PortMemory::default());
        (room.0 / 1_000_000, next)
    }

    /// The first look finds a port filled by a move without a throttle; the second look knows how much was moved.
    #[test]
    fn what_moved_before_the_first_look_is_not_held_for_clients() {
        let capacity = megabytes(100);
        let look = |seconds: u64, moved: Option<u64>, total: u64, before: PortMemory| {
            let traffic = BrokerTraffic {
                total: PerDirection::both(megabytes(total)),
                replication: Some(PerDirection::both(megabytes(total - 5))),
                window: Duration::ZERO,
            };
            let mut load = PortLoad::default();
            load.moved_unknown = moved.is_none();
            load.moved = megabytes(moved.unwrap_or_default()).0;
            let moment = Moment { now: seconds * 1000, elapsed: (seconds > 0).then_some(2000) };
            let passed = Passed {
                role: ReplicationRole::Leader,
                traffic: &traffic,
                load: &load,
                applied: None,
                moment,
            };
            headroom(capacity, Ratio::from_percent(100), &passed, before)
        };
        let (room, next) = look(0, None, 95, PortMemory::default());
        assert!(room < megabytes(10), "nobody knows whose it is: {room:?}");
        let (room, _) = look(2, Some(30), 40, next);
        assert!(room > megabytes(80), "10 of 40 were not moved: {room:?}");
    }

    #[test]
    fn what_keeps_followers_in_sync_is_protected_like_clients() {
        let (room, next) = measured(Some(40), Some(25), Duration::ZERO);
        assert_eq!((room, next.in_sync), (62, Some(megabytes(15))));
        assert_eq!(next.protected, Some(megabytes(35)));
    }

    #[test]
    fn what_new_replicas_got_is_better_than_what_they_might_have() {
        // 65 are free; 3 of them stay free where the traffic is measured.
        assert_eq!(measured(None, Some(25), Duration::ZERO).0, 62);
        assert_eq!(measured(None, None, Duration::ZERO).0, 70);
        assert_eq!(measured(Some(20), None, Duration::ZERO).0, 57);
    }

    #[test]
    fn through_a_full_port_clients_may_want_more_than_they_get() {
        let of = |total: u64| {
            let traffic = BrokerTraffic {
                total: PerDirection::both(megabytes(total)),
                ..BrokerTraffic::default()
            };
            let mut load = PortLoad::default();
            load.moved = 40_000_000;
            let passed = Passed {
                role: ReplicationRole::Follower,
                traffic: &traffic,
                load: &load,
                applied: None,
                moment: Moment { now: 10_000, elapsed: Some(10_000) },
            };
            let share = Ratio::from_percent(90);
            headroom(megabytes(100), share, &passed, PortMemory::default()).0.0 / 1_000_000
        };
        assert_eq!(of(97), 38);
        assert_eq!(of(98), 19);
        // A small part always stays free.
        assert_eq!(of(120), 0);
        assert_eq!(of(60), 72);
    }

    #[test]
    fn clients_that_come_are_heard_sooner_than_those_that_go() {
        let (_, calm) = measured(None, Some(25), Duration::ZERO);
        let traffic = |total| BrokerTraffic {
            total: PerDirection::both(megabytes(total)),
            ..BrokerTraffic::default()
        };
        let after = |total: u64| {
            let traffic = traffic(total);
            let mut load = PortLoad::default();
            load.moved = 25_000_000;
            let passed = Passed {
                role: ReplicationRole::Follower,
                traffic: &traffic,
                load: &load,
                applied: None,
                moment: Moment { now: 15_000, elapsed: Some(5_000) },
            };
            headroom(megabytes(100), Ratio::from_percent(100), &passed, calm).1.protected.unwrap().0
        };
        assert_eq!(after(80), 45_000_000);
        assert_eq!(after(40), 35_000_000 - 20_000_000 / 4);
    }
}
