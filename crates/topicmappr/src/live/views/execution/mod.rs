//! How an execution reads: before it begins, while it goes on, and when it has ended.

mod cancel;
mod detail;
mod preview;
mod status;
mod summary;
mod trouble;
mod undrained;

pub(crate) use cancel::CancelView;
pub(crate) use preview::Preview;
pub(crate) use status::StatusView;
pub(crate) use summary::Summary;
pub(crate) use undrained::SweepView;

use execute::Outcome;
use operate::execution::Why;

fn outcome(why: Why) -> &'static str {
    match why {
        Why::Over(Outcome::Complete) => "complete",
        Why::Over(Outcome::Partly) => "partly",
        Why::Over(Outcome::LeftOut) => "left_out",
        Why::Over(Outcome::Cancelled) => "cancelled",
        Why::Over(Outcome::CancelledPartly) => "cancelled_partly",
        Why::Over(Outcome::HeldByOthers) => "held_by_others",
        Why::Left(_) => "detached",
    }
}
