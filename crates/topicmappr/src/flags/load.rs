//! Flags for recorded load: a folder with a snapshot for each hour.

use jiff::SignedDuration;
use mapper::{HORIZON_DAYS, Percentile};
use std::path::PathBuf;

/// The flags of commands that plan with recorded load.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// Plan with the load that snapshot --load-folder recorded in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "rates")]
    pub(crate) load_folder: Option<PathBuf>,
    /// Choose the percentile, and the time up to the newest record
    ///
    /// p95@7d: 95 % of the recorded hours of 7 days have at most the traffic of the plan. p100 is the busiest hour.
    #[arg(
        long,
        value_name = "pN@TIME",
        default_value = "p95@7d",
        value_parser = load_window,
        requires = "load_folder"
    )]
    pub(crate) load: LoadWindow,
    /// Plan for the sizes that are expected in this time: 7d
    ///
    /// They are expected from the records, for at most 30 days.
    #[arg(long, value_name = "TIME", value_parser = ahead, requires = "load_folder")]
    pub(crate) as_of: Option<usize>,
}

/// The flags of commands that say when disks will be full.
#[derive(Debug, clap::Args)]
pub(crate) struct ForecastArgs {
    /// Say when disks will be full, from the records in this folder
    ///
    /// snapshot --load-folder writes them, each hour.
    #[arg(long, value_name = "DIR")]
    pub(crate) load_folder: Option<PathBuf>,
}

/// The flags of `snapshot` that record load.
#[derive(Debug, clap::Args)]
pub(crate) struct RecordArgs {
    /// Write the snapshot into this folder, named by its hour
    ///
    /// Record each hour, with --rates 60s. --load-folder of rebalance and scale plans with these records.
    #[arg(long, value_name = "DIR", conflicts_with = "out_file")]
    pub(crate) load_folder: Option<PathBuf>,
    /// Delete records of this folder that are older
    #[arg(
        long,
        value_name = "TIME",
        default_value = "14d",
        value_parser = span,
        requires = "load_folder"
    )]
    pub(crate) keep: SignedDuration,
}

/// Which recorded hours count, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoadWindow {
    pub(crate) percentile: Percentile,
    pub(crate) span: SignedDuration,
}

fn load_window(text: &str) -> Result<LoadWindow, String> {
    let parts = text.trim().strip_prefix('p').and_then(|text| text.split_once('@'));
    let (percent, time) =
        parts.ok_or_else(|| format!("{text:?} is no load: write p95@7d or p100@24h"))?;
    let percentile = percent.parse().ok().and_then(Percentile::new);
    let percentile = percentile.ok_or("the percentile is a whole number from 50 to 100: p95")?;
    Ok(LoadWindow { percentile, span: span(time)? })
}

/// The most hours of a span: ten years.
const MOST_HOURS: u32 = 87_600;

/// Whole days or hours, at least one hour.
fn span(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let days = text.strip_suffix('d').map(|number| (number, 24));
    let hours = days.or_else(|| text.strip_suffix('h').map(|number| (number, 1)));
    let hours = hours.and_then(|(number, hours)| number.parse::<u32>().ok()?.checked_mul(hours));
    match hours.filter(|hours| (1..=MOST_HOURS).contains(hours)) {
        Some(hours) => Ok(SignedDuration::from_hours(hours.into())),
        None => Err(format!("{text:?} is no time in days or hours: write 14d or 36h")),
    }
}

/// Whole days, as far as forecasts reach.
pub(crate) fn ahead(text: &str) -> Result<usize, String> {
    let days = text.trim().trim_start_matches('+').strip_suffix('d');
    let days = days.and_then(|number| number.parse().ok());
    days.filter(|days| (1..=HORIZON_DAYS).contains(days))
        .ok_or_else(|| format!("{text:?} is no time from 1d to {HORIZON_DAYS}d: write 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_look_ahead_by_days() {
        assert_eq!((ahead("7d"), ahead(" +30d")), (Ok(7), Ok(30)));
        for wrong in ["0d", "31d", "7", "7h", "-7d", "d"] {
            assert!(ahead(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_names_a_percentile_and_a_time() {
        let of = |percent, hours| LoadWindow {
            percentile: Percentile::new(percent).unwrap(),
            span: SignedDuration::from_hours(hours),
        };
        assert_eq!(load_window("p95@7d"), Ok(of(95, 168)));
        assert_eq!(load_window("p100@36h"), Ok(of(100, 36)));
        for (text, why) in [
            ("95@7d", "no load"),
            ("p95", "no load"),
            ("p101@7d", "from 50 to 100"),
            ("p9@7d", "from 50 to 100"),
            ("p95@0d", "days or hours"),
            ("p95@7", "days or hours"),
            ("p95@999999999d", "days or hours"),
        ] {
            assert!(load_window(text).unwrap_err().contains(why), "{text}");
        }
    }
}
