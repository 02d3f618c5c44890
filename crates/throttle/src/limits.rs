//! The limits for rates.

use mapper::{Bytes, Rate, Ratio};
use std::fmt;
use std::time::Duration;

/// The operator's settings. [`ThrottleLimits::new`] accepts them or returns what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleTerms {
    /// The lowest rate that is computed. Default: 10 MB/s.
    pub min_rate: Rate,
    /// The share of the free network capacity that replication may use to send. Default: 90 %.
    pub max_tx: Ratio,
    /// The share of the free network capacity that replication may use to receive. Default: 90 %.
    pub max_rx: Ratio,
    /// A rate is written if it differs from the current one by at least this share of it. Default: 10 %.
    pub change_threshold: Ratio,
    /// Rounds without metrics for which a broker keeps its rate. Default: 1.
    pub failure_threshold: u32,
    /// The factor between what producers write and the floor. Default: 1.2.
    pub floor_margin: Ratio,
    /// A replica without growth for this long has stalled. Default: 10 minutes.
    pub stalled_after: Duration,
    /// Replicas that fell behind without a reassignment are throttled, too. Default: yes.
    pub pace_recovery: bool,
    /// The number of missing bytes from which such replicas are throttled. Default: 1 GB.
    pub recovery_bytes: Bytes,
    /// Also throttle those of partitions below their min ISR, or with one replica in sync. Default: no.
    pub pace_all: bool,
    /// How the rates of the brokers depend on each other. Default: fair.
    pub share: Share,
    /// The limits within which a broker counts as healthy.
    pub health: HealthLimits,
}

/// How a port's rate depends on the headroom of all ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Share {
    /// Paths from leader to follower share the spare capacity of the ports, max-min fair. A path with a slower other
    /// end cannot use all of its share; the others get the rest.
    #[default]
    Fair,
    /// Each port gets all that it can spare, independent of the other end: the formula of kafka-kit's autothrottle.
    Headroom,
}

/// A broker that exceeds one of these gets less. `None`: not checked, except for the canary. [`ThrottleTerms`] require
/// 20 % of idle time by default. Only operators know how long a request may take, so latencies have no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthLimits {
    /// The longest 99th percentile of produce requests.
    pub p99_produce: Option<Duration>,
    /// The longest 99th percentile of fetches.
    pub p99_fetch: Option<Duration>,
    /// The least share of idle time of request handlers.
    pub request_handler_idle: Option<Ratio>,
    /// The longest round trip of the canary's small messages to a broker. `None`: three times the usual time, and at
    /// least 10 ms.
    pub canary: Option<Duration>,
}

impl Default for ThrottleTerms {
    fn default() -> Self {
        Self {
            min_rate: Rate(10_000_000),
            max_tx: Ratio::from_percent(90),
            max_rx: Ratio::from_percent(90),
            change_threshold: Ratio::from_percent(10),
            failure_threshold: 1,
            floor_margin: Ratio::from_percent(120),
            stalled_after: Duration::from_secs(600),
            pace_recovery: true,
            recovery_bytes: Bytes(1_000_000_000),
            pace_all: false,
            share: Share::Fair,
            health: HealthLimits {
                request_handler_idle: Some(Ratio::from_percent(20)),
                ..HealthLimits::default()
            },
        }
    }
}

/// Settings without a contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThrottleLimits(ThrottleTerms);

/// A limit that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidLimit {
    /// `min_rate` is zero: replicas that fall back to it would stop.
    MinRate,
    /// `max_tx` is 0 %, or it is 100 %, which leaves clients nothing.
    MaxTx(Ratio),
    /// `max_rx` is 0 %, or it is 100 %, which leaves clients nothing.
    MaxRx(Ratio),
    /// `change_threshold` is 100 %: no rate would ever be lowered.
    ChangeThreshold(Ratio),
    /// `floor_margin` is below 1: new replicas would starve at their floor.
    FloorMargin(Ratio),
    /// `stalled_after` is zero: every replica would count as stalled.
    StalledAfter,
    /// `request_handler_idle` is 100 % or more: no broker would ever count as healthy.
    RequestHandlerIdle(Ratio),
}

impl fmt::Display for InvalidLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ratio: &Ratio| f64::from(ratio.ppm()) / 10_000.0;
        match self {
            Self::MinRate => write!(f, "the least rate must be above 0"),
            Self::MaxTx(of) => {
                write!(f, "max tx must be above 0 and below 100 percent, not {}", percent(of))
            }
            Self::MaxRx(of) => {
                write!(f, "max rx must be above 0 and below 100 percent, not {}", percent(of))
            }
            Self::ChangeThreshold(of) => {
                write!(f, "the change threshold must be below 100 percent, not {}", percent(of))
            }
            Self::FloorMargin(of) => {
                write!(f, "the floor's margin must be at least 1, not {}", of.as_f64())
            }
            Self::StalledAfter => {
                write!(f, "the time after which a copy has stalled must be above 0")
            }
            Self::RequestHandlerIdle(of) => {
                write!(
                    f,
                    "the least idle time of request handlers must be below 100 percent, not {}",
                    percent(of)
                )
            }
        }
    }
}

impl std::error::Error for InvalidLimit {}

impl ThrottleLimits {
    /// Limits from settings that are all valid.
    ///
    /// # Errors
    /// [`InvalidLimit`] with the first invalid setting.
    pub fn new(terms: ThrottleTerms) -> Result<Self, InvalidLimit> {
        let share_of_all = |share: Ratio| share > Ratio::ZERO && share < Ratio::ONE;
        if terms.min_rate == Rate(0) {
            return Err(InvalidLimit::MinRate);
        }
        if !share_of_all(terms.max_tx) {
            return Err(InvalidLimit::MaxTx(terms.max_tx));
        }
        if !share_of_all(terms.max_rx) {
            return Err(InvalidLimit::MaxRx(terms.max_rx));
        }
        if terms.change_threshold >= Ratio::ONE {
            return Err(InvalidLimit::ChangeThreshold(terms.change_threshold));
        }
        if terms.floor_margin < Ratio::ONE {
            return Err(InvalidLimit::FloorMargin(terms.floor_margin));
        }
        if terms.stalled_after.is_zero() {
            return Err(InvalidLimit::StalledAfter);
        }
        match terms.health.request_handler_idle {
            Some(idle) if idle >= Ratio::ONE => Err(InvalidLimit::RequestHandlerIdle(idle)),
            Some(_) | None => Ok(Self(terms)),
        }
    }

    /// The operator's settings.
    pub const fn terms(&self) -> &ThrottleTerms {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |change: fn(&mut ThrottleTerms)| {
            let mut terms = ThrottleTerms::default();
            change(&mut terms);
            ThrottleLimits::new(terms).unwrap_err()
        };
        assert_eq!(with(|t| t.min_rate = Rate(0)), InvalidLimit::MinRate);
        for percent in [0, 100, 120] {
            let share = Ratio::from_percent(percent);
            let terms = ThrottleTerms { max_tx: share, ..ThrottleTerms::default() };
            assert_eq!(ThrottleLimits::new(terms), Err(InvalidLimit::MaxTx(share)));
            let terms = ThrottleTerms { max_rx: share, ..ThrottleTerms::default() };
            assert_eq!(ThrottleLimits::new(terms), Err(InvalidLimit::MaxRx(share)));
        }
        let low = Ratio::from_percent(99);
        assert_eq!(
            with(|t| t.floor_margin = Ratio::from_percent(99)),
            InvalidLimit::FloorMargin(low)
        );
        let whole = with(|t| t.change_threshold = Ratio::ONE);
        assert_eq!(whole, InvalidLimit::ChangeThreshold(Ratio::ONE));
        assert_eq!(with(|t| t.stalled_after = Duration::ZERO), InvalidLimit::StalledAfter);
        let idle = with(|t| t.health.request_handler_idle = Some(Ratio::ONE));
        assert_eq!(idle, InvalidLimit::RequestHandlerIdle(Ratio::ONE));
        assert_eq!(
            InvalidLimit::MaxTx(Ratio::from_percent(120)).to_string(),
            "max tx must be above 0 and below 100 percent, not 120"
        );
    }

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(ThrottleLimits::new(ThrottleTerms::default()), Ok(ThrottleLimits::default()));
    }
}
