//! The pause before an execution looks at the cluster again.

use super::act::Acted;
use std::time::Duration;

/// The pause between two looks while nothing changes.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// The pause after a change, to see soon whether it took effect.
const SOON: Duration = Duration::from_millis(250);
/// The pause after lists of throttled replicas changed. With ZooKeeper, one broker already reports the new list while
/// others have not received it. A move that begins in this time is not throttled.
pub(super) const SPREAD: Duration = Duration::from_secs(3);
/// The least pause after a look, as a multiple of the look's duration: it bounds the load of slow looks.
const REST_AFTER_LOOK: u32 = 4;
/// The longest pause, even after a slow look. A request for another rate is then answered within a minute
/// (`requests::PATIENCE`), and ended moves are noticed soon.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The pause until the next look.
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
