//! Whether the one broker that a plan relieves ends below the mark that was asked for.

use mapper::{BrokerId, Bytes, Plan, Ratio, Request};
use std::fmt;

/// A broker that ends above its mark.
#[derive(Debug)]
pub(super) struct Unrelieved {
    broker: BrokerId,
    used: Bytes,
    capacity: Bytes,
    below: Ratio,
}

impl Unrelieved {
    /// `None` if the broker ends below its mark, or if no mark was requested.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        let Request::Rebalance(asked) = &plan.request else { return None };
        let asked = asked.relieve?;
        let figures = plan.after.brokers.iter().find(|figures| figures.id == asked.broker)?;
        let (used, capacity) = (figures.used_bytes?, figures.capacity_bytes?);
        let above = used > asked.below.of(capacity);
        above.then_some(Self { broker: asked.broker, used, capacity, below: asked.below })
    }
}

impl fmt::Display for Unrelieved {
    #[expect(clippy::cast_precision_loss, reason = "for display, to a tenth")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, used, capacity, below } = self;
        let ends = 100.0 * used.0 as f64 / capacity.0.max(1) as f64;
        let asked = f64::from(below.ppm()) / 10_000.0;
        writeln!(
            f,
            "  not relieved  {broker} ends at {ends:.1} %, not below {asked:.1} %: no more replicas were found that may leave it"
        )
    }
}
