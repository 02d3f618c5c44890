//! How much of its headroom a broker may use: halved when it is unhealthy, given back step by step.

use crate::limits::HealthLimits;
use crate::note::WhyIll;
use crate::seen::BrokerHealth;
use crate::state::Wellbeing;
use mapper::Ratio;
use std::time::Duration;

/// Latency metrics average over the past: a change shows only after this time, in milliseconds.
const PATIENCE: u64 = 30_000;
const STEP: u32 = 100_000;
const LEAST: u32 = 62_500;
/// A broker is healthy only below this percentage of its limit. Between that and the limit nothing changes.
const WELL: u64 = 80;

/// What to remember, and what is wrong with the broker now.
pub(crate) fn feel(
    before: Wellbeing,
    health: &BrokerHealth,
    limits: &HealthLimits,
    now: u64,
) -> (Wellbeing, Option<WhyIll>) {
    let ill = ill(&before, health, limits);
    let settled = before
        .changed_milliseconds
        .is_none_or(|at| now.checked_sub(at).is_none_or(|age| age >= PATIENCE));
    let used = before.used_ratio.ppm();
    let next = match ill {
        _ if !settled => used,
        Some(_) => (used / 2).max(LEAST),
        None if well(health, limits) => used.saturating_add(STEP).min(Ratio::ONE.ppm()),
        None => used,
    };
    let changed_milliseconds = if next == used { before.changed_milliseconds } else { Some(now) };
    let under_min_isr = health.under_min_isr.or(before.under_min_isr);
    (Wellbeing { used_ratio: Ratio::from_ppm(next), changed_milliseconds, under_min_isr }, ill)
}

fn ill(before: &Wellbeing, health: &BrokerHealth, limits: &HealthLimits) -> Option<WhyIll> {
    let above =
        |value, limit| matches!((value, limit), (Some(value), Some(limit)) if value > limit);
    let more =
        matches!((before.under_min_isr, health.under_min_isr), (Some(old), Some(new)) if new > old);
    let busy = matches!((health.request_handler_idle, limits.request_handler_idle), (Some(idle), Some(least)) if idle < least);
    if more {
        Some(WhyIll::UnderMinIsr)
    } else if above(health.p99_produce, limits.p99_produce) {
        Some(WhyIll::ProduceLatency)
    } else if above(health.p99_fetch, limits.p99_fetch) {
        Some(WhyIll::FetchLatency)
    } else if busy {
        Some(WhyIll::RequestHandlers)
    } else if health.canary.is_some_and(|canary| canary.is_slow(limits.canary)) {
        Some(WhyIll::Canary)
    } else {
        None
    }
}

/// A metric that is unknown, or has no limit, does not make a broker unhealthy.
fn well(health: &BrokerHealth, limits: &HealthLimits) -> bool {
    let fast = |value: Option<Duration>, limit: Option<Duration>| match value.zip(limit) {
        Some((value, limit)) => value.as_nanos() * 100 <= limit.as_nanos() * u128::from(WELL),
        None => true,
    };
    let idle = match health.request_handler_idle.zip(limits.request_handler_idle) {
        Some((idle, least)) => {
            let busy = |idle: Ratio| u64::from(Ratio::ONE.ppm().saturating_sub(idle.ppm()));
            busy(idle) * 100 <= busy(least) * WELL
        }
        None => true,
    };
    let (canary, most) = (health.canary, health.canary.and_then(|c| c.most(limits.canary)));
    fast(health.p99_produce, limits.p99_produce)
        && fast(health.p99_fetch, limits.p99_fetch)
        && fast(canary.map(|canary| canary.end_to_end), most)
        && idle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::CanaryTimes;

    const LIMITS: HealthLimits = HealthLimits {
        p99_produce: Some(Duration::from_millis(100)),
        p99_fetch: None,
        request_handler_idle: Some(Ratio::from_percent(30)),
        canary: None,
    };

    fn produce(milliseconds: u64) -> BrokerHealth {
        BrokerHealth {
            p99_produce: Some(Duration::from_millis(milliseconds)),
            ..BrokerHealth::default()
        }
    }

    fn used(rounds: &[(u64, BrokerHealth)]) -> u32 {
        let feel =
            |before, (now, health): &(u64, BrokerHealth)| feel(before, health, &LIMITS, *now).0;
        rounds.iter().fold(Wellbeing::default(), feel).used_ratio.ppm()
    }

    #[test]
    fn an_ill_broker_gets_half_and_then_less_but_not_before_it_could_show() {
        assert_eq!(used(&[(0, produce(101))]), 500_000);
        assert_eq!(used(&[(0, produce(101)), (2_000, produce(101))]), 500_000);
        assert_eq!(used(&[(0, produce(101)), (30_000, produce(101))]), 250_000);
        let forever: Vec<(u64, BrokerHealth)> =
            (0..20).map(|n| (n * 30_000, produce(500))).collect();
        assert_eq!(used(&forever), LEAST);
    }

    #[test]
    fn a_broker_that_is_well_again_gets_more_step_by_step_and_none_at_its_limit() {
        let ill = (0, produce(101));
        assert_eq!(used(&[ill, (30_000, produce(90))]), 500_000);
        assert_eq!(used(&[ill, (30_000, produce(80))]), 600_000);
        let well: Vec<(u64, BrokerHealth)> = (1..20).map(|n| (n * 30_000, produce(1))).collect();
        assert_eq!(used(&[[ill].as_slice(), &well].concat()), 1_000_000);
    }

    #[test]
    fn busy_request_handlers_and_new_partitions_under_min_isr_count() {
        let idle = |percent| BrokerHealth {
            request_handler_idle: Some(Ratio::from_percent(percent)),
            ..BrokerHealth::default()
        };
        assert_eq!(used(&[(0, idle(29))]), 500_000);
        assert_eq!(used(&[(0, idle(30))]), 1_000_000);
        let under = |count| BrokerHealth { under_min_isr: Some(count), ..BrokerHealth::default() };
        // As many as at the first look, or as before: nothing new is wrong.
        assert_eq!(used(&[(0, under(3)), (30_000, under(3))]), 1_000_000);
        assert_eq!(used(&[(0, under(3)), (30_000, under(4))]), 500_000);
        assert_eq!(used(&[(0, under(3)), (30_000, under(4)), (60_000, under(4))]), 600_000);
    }

    #[test]
    fn a_broker_to_which_our_own_messages_take_longer_than_usual_is_ill() {
        let canary = |end_to_end, usual: Option<u64>| BrokerHealth {
            canary: Some(CanaryTimes {
                produce: None,
                end_to_end: Duration::from_millis(end_to_end),
                usual: usual.map(Duration::from_millis),
            }),
            ..BrokerHealth::default()
        };
        assert_eq!(used(&[(0, canary(9_000, None))]), 1_000_000, "what is usual is not known");
        assert_eq!(used(&[(0, canary(90, Some(30)))]), 1_000_000);
        assert_eq!(used(&[(0, canary(91, Some(30)))]), 500_000);
        assert_eq!(used(&[(0, canary(10, Some(2)))]), 1_000_000, "nobody feels that");
        assert_eq!(used(&[(0, canary(11, Some(2)))]), 500_000);
        let ill = (0, canary(91, Some(30)));
        assert_eq!(used(&[ill, (30_000, canary(80, Some(30)))]), 500_000, "near it");
        assert_eq!(used(&[ill, (30_000, canary(70, Some(30)))]), 600_000);
        let asked = HealthLimits { canary: Some(Duration::from_millis(20)), ..LIMITS };
        let (after, why) = feel(Wellbeing::default(), &canary(21, None), &asked, 0);
        assert_eq!((after.used_ratio.ppm(), why), (500_000, Some(WhyIll::Canary)));
    }
}
