//! Within which bounds rates are decided.

use mapper::{Bytes, Rate, Ratio};
use std::fmt;
use std::time::Duration;

/// What an operator asks for. [`Limits::new`] accepts it or says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// No rate is computed below this. Default: 10 MB/s.
    pub min_rate: Rate,
    /// The share of what is free that replication may send. Default: 90 %.
    pub max_tx: Ratio,
    /// The share of what is free that replication may take in. Default: 90 %.
    pub max_rx: Ratio,
    /// A rate is written when it differs from the one that stands by at least this share of it. Default: 10 %.
    pub change_threshold: Ratio,
    /// For so many rounds without metrics a broker keeps its rate. Default: 1.
    pub failure_threshold: u32,
    /// What a floor is above what producers write. Default: 1.2.
    pub floor_margin: Ratio,
    /// A replica that grew by nothing for so long has stalled. Default: 10 minutes.
    pub stalled_after: Duration,
    /// Replicas that fell behind without a reassignment are paced, too. Default: yes.
    pub pace_recovery: bool,
    /// From how many missing bytes on. Default: 1 GB.
    pub recovery_bytes: Bytes,
    /// Also those of partitions under their minimum of replicas in sync, or with one. Default: no.
    pub pace_all: bool,
    /// How the rates of the brokers depend on each other. Default: fair.
    pub share: Share,
    /// What a broker that feels well is like.
    pub health: HealthLimits,
}

/// How a port's rate follows from the headroom of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Share {
    /// Paths from leader to follower share what ports can spare, max-min fair: what a path cannot use, because its other
    /// end is slower, goes to those that can.
    #[default]
    Fair,
    /// Each port gets all that it can spare, whatever is at the other end: the formula of kafka-kit's autothrottle.
    Headroom,
}

/// A broker that exceeds one of these gets less. `None`: does not count, but for the canary. [`Terms`] ask for 20 % of idle time by default;
/// how long a request may take is known to operators only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthLimits {
    /// The longest 99th percentile of produce requests.
    pub p99_produce: Option<Duration>,
    /// The longest 99th percentile of fetches.
    pub p99_fetch: Option<Duration>,
    /// The least share of idle time of request handlers.
    pub request_handler_idle: Option<Ratio>,
    /// The longest time of small messages of our own to a broker and back. `None`: three times what is usual there, and
    /// at least 10 ms.
    pub canary: Option<Duration>,
}

impl Default for Terms {
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

/// Terms without a contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits(Terms);

/// A limit that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidLimit {
    /// `min_rate` is nothing: what falls back to it would stand still.
    MinRate,
    /// `max_tx` is nothing, or everything, which leaves clients none.
    MaxTx(Ratio),
    /// `max_rx` is nothing, or everything, which leaves clients none.
    MaxRx(Ratio),
    /// `change_threshold` is everything: no rate would ever be lowered.
    ChangeThreshold(Ratio),
    /// `floor_margin` is below 1: new replicas would starve at their floor.
    FloorMargin(Ratio),
    /// `stalled_after` is nothing: everything would have stalled.
    StalledAfter,
    /// `request_handler_idle` is everything, or more: no broker would ever feel well.
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

impl Limits {
    /// Terms, if every one makes sense.
    ///
    /// # Errors
    /// [`InvalidLimit`] with the first that does not.
    pub fn new(terms: Terms) -> Result<Self, InvalidLimit> {
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

    /// What was asked for.
    pub const fn terms(&self) -> &Terms {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |change: fn(&mut Terms)| {
            let mut terms = Terms::default();
            change(&mut terms);
            Limits::new(terms).unwrap_err()
        };
        assert_eq!(with(|t| t.min_rate = Rate(0)), InvalidLimit::MinRate);
        for percent in [0, 100, 120] {
            let share = Ratio::from_percent(percent);
            let terms = Terms { max_tx: share, ..Terms::default() };
            assert_eq!(Limits::new(terms), Err(InvalidLimit::MaxTx(share)));
            let terms = Terms { max_rx: share, ..Terms::default() };
            assert_eq!(Limits::new(terms), Err(InvalidLimit::MaxRx(share)));
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
        assert_eq!(Limits::new(Terms::default()), Ok(Limits::default()));
    }
}
