//! Moving averages.

use mapper::Rate;

/// Moves `before` towards `now`: by half when `elapsed` equals `slowness`, both in milliseconds. Without a value
/// before, the result is `now`.
pub(crate) fn towards(before: Option<Rate>, now: Rate, elapsed: u64, slowness: u64) -> Rate {
    let Some(before) = before else { return now };
    let (elapsed, slowness) = (u128::from(elapsed), u128::from(slowness));
    let Some(moved) =
        (u128::from(before.0.abs_diff(now.0)) * elapsed).checked_div(elapsed + slowness)
    else {
        return now;
    };
    let moved = u64::try_from(moved).unwrap_or(u64::MAX);
    if now > before {
        Rate(before.0.saturating_add(moved))
    } else {
        Rate(before.0.saturating_sub(moved))
    }
}

/// `bytes` in this many milliseconds, as a rate per second; zero if no time has passed.
pub(crate) fn per_second(bytes: u64, milliseconds: u64) -> Rate {
    let rate = (u128::from(bytes) * 1000).checked_div(u128::from(milliseconds)).unwrap_or_default();
    Rate(u64::try_from(rate).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_goes_half_the_way_in_its_time() {
        assert_eq!(towards(None, Rate(7), 1, 1000), Rate(7));
        assert_eq!(towards(Some(Rate(100)), Rate(200), 1000, 1000), Rate(150));
        assert_eq!(towards(Some(Rate(200)), Rate(100), 1000, 3000), Rate(175));
        assert_eq!(towards(Some(Rate(200)), Rate(100), 1000, 0), Rate(100));
        assert_eq!(towards(Some(Rate(u64::MAX)), Rate(0), u64::MAX, 0), Rate(0));
    }

    #[test]
    fn bytes_become_a_rate() {
        assert_eq!(per_second(3000, 2000), Rate(1500));
        assert_eq!(per_second(u64::MAX, 1), Rate(u64::MAX));
        assert_eq!(per_second(1, 0), Rate(0));
    }
}
