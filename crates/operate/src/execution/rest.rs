//! When an execution looks at the cluster again.

use super::act::Acted;
use std::time::Duration;

/// Between two looks, while nothing changes.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// After a change: whether it took is seen at once.
const SOON: Duration = Duration::from_millis(250);
/// After lists of throttled replicas were changed: with ZooKeeper, any broker reads them back from there at once, while
/// the others still learn of the change. A move that begins meanwhile is not paced.
pub(super) const SPREAD: Duration = Duration::from_secs(3);
/// A look takes at most this part of the time.
const REST_AFTER_LOOK: u32 = 4;
/// However long a look took, the next one comes no later: whoever asks for another rate is answered within a minute
/// (`requests::PATIENCE`), and moves that have ended leave no gap worth naming.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Until the next look.
pub(super) fn rest(acted: &Acted, looked: Duration) -> Duration {
    let pause = match (acted.lists_changed, acted.changed) {
        (true, _) => SPREAD,
        (false, true) => SOON,
        (false, false) => PAUSE,
    };
    pause.max((looked * REST_AFTER_LOOK).min(LONGEST_REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_a_look_took_the_next_one_comes_soon() {
        let quiet = Acted::default();
        assert_eq!(rest(&quiet, Duration::from_millis(10)), PAUSE);
        assert_eq!(rest(&quiet, Duration::from_secs(2)), Duration::from_secs(8));
        assert_eq!(rest(&quiet, Duration::from_secs(70)), LONGEST_REST);
        let listed = Acted { lists_changed: true, changed: true, ..Acted::default() };
        assert_eq!(rest(&listed, Duration::ZERO), SPREAD);
    }
}
