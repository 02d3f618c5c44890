//! Disks that will be full, by the records of `snapshot --load-folder`.

use super::{DoctorFinding, Severity};
use local::words::{counted, quoted};
use mapper::{Bytes, DiskForecast, HORIZON_DAYS, StorageForecast};
use std::path::{Path, PathBuf};

/// A disk that is full in at most this many days is a warning, later a notice.
const SOON_DAYS: u32 = 14;

/// When disks will be full.
pub(crate) struct Outlook {
    folder: PathBuf,
    pub(crate) disks: Vec<DiskForecast>,
    assumed_retention: usize,
}

impl Outlook {
    /// By the records of this folder.
    pub(crate) fn of(forecast: &StorageForecast<'_>, folder: &Path) -> Self {
        let (disks, assumed_retention) = (forecast.disks(), forecast.assumed_retention);
        Self { folder: folder.to_owned(), disks, assumed_retention }
    }

    /// One finding for each disk that fills up, the first to be full first. Those that are full now are found elsewhere.
    pub(super) fn findings(&self, by_maps: bool) -> Vec<DoctorFinding> {
        let mut filling: Vec<&DiskForecast> = self
            .disks
            .iter()
            .filter(|disk| disk.full_earliest.is_some_and(|day| day > 0))
            .collect();
        filling.sort_by_key(|disk| (disk.full.is_none(), disk.full, disk.full_earliest));
        filling.into_iter().map(|disk| self.finding(disk, by_maps)).collect()
    }

    fn finding(&self, disk: &DiskForecast, by_maps: bool) -> DoctorFinding {
        let soon = disk.full.is_some_and(|day| day <= SOON_DAYS);
        let severity = if soon { Severity::Warning } else { Severity::Notice };
        let place = match disk.paths.is_empty() {
            true => String::new(),
            false => format!(" ({})", disk.paths.join(", ")),
        };
        let (broker, when) = (disk.broker, when(disk));
        let total = disk.total.0.max(1);
        let percent = |bytes: Bytes| 100 * u128::from(bytes.0.min(total)) / u128::from(total);
        let message = format!(
            "broker {broker}{place}: {when}; {} % used now, {} % in a week",
            percent(disk.used),
            percent(disk.used_in_a_week)
        );
        let folder = self.folder.display().to_string();
        let assumed = match self.assumed_retention {
            0 => String::new(),
            count => {
                format!("; {} without retention.ms counted with 7 days", counted(count, "topic"))
            }
        };
        DoctorFinding::new("disk-fills-up", severity, message)
            .brokers([broker])
            .hint(format!("by the records in {folder}{assumed}"))
            .plan(&format!("rebalance --load-folder {} --as-of 7d", quoted(&folder)), by_maps)
    }
}

fn when(disk: &DiskForecast) -> String {
    let days =
        |day: Option<u32>| day.map_or(format!("more than {HORIZON_DAYS}"), |day| day.to_string());
    let (earliest, latest) = (days(disk.full_earliest), days(disk.full_latest));
    match disk.full {
        Some(day) if disk.full_earliest == disk.full_latest => {
            format!("full in {}", counted(day as usize, "day"))
        }
        Some(day) => {
            format!("full in about {} ({earliest} to {latest})", counted(day as usize, "day"))
        }
        None => format!("perhaps full in {earliest} days, more likely after {HORIZON_DAYS}"),
    }
}
