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

use execute::ExecutionOutcome;
use operate::execution::Why;

fn outcome(why: Why) -> &'static str {
    match why {
        Why::Over(ExecutionOutcome::Complete) => "complete",
        Why::Over(ExecutionOutcome::Partly) => "partly",
        Why::Over(ExecutionOutcome::LeftOut) => "left_out",
        Why::Over(ExecutionOutcome::Cancelled) => "cancelled",
        Why::Over(ExecutionOutcome::CancelledPartly) => "cancelled_partly",
        Why::Over(ExecutionOutcome::HeldByOthers) => "held_by_others",
        Why::Left(_) => "detached",
    }
}
