//! Throttles: every one that is set, those that are left over, and what became of these.

use super::{Next, heading, more};
use crate::live::flags::SourceArgs;
use crate::views::table::Table;
use execute::{Key, ThrottleOwner, ThrottlePlace, ThrottleResource, Throttled, ThrottledEntries};
use jiff::Timestamp;
use local::words::quoted;
use mapper::Bytes;
use operate::throttles::{FailedChanges, Set, Untold};
use operate::words::counted;
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// The most lines of a list; more are counted.
const LONG: usize = 40;

/// Every throttle of a cluster.
#[derive(Debug, Serialize)]
pub(crate) struct ThrottlesView<'a> {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<&'a Path>,
    throttles: Vec<Throttled>,
    untold: Vec<Untold>,
    next: Next,
}

impl<'a> ThrottlesView<'a> {
    pub(crate) fn of(
        cluster_id: Option<String>,
        throttles: Vec<Throttled>,
        untold: Vec<Untold>,
        ledger: Option<&'a Path>,
        source: &SourceArgs,
    ) -> Self {
        let strays = throttles.iter().any(|one| one.stray);
        let words = strays.then(|| match ledger {
            Some(path) => format!(
                "throttle clear --strays --dry-run --state-file {}",
                quoted(&path.to_string_lossy())
            ),
            None => "throttle clear --strays --dry-run".to_owned(),
        });
        let next = Next::ours(words.as_deref(), source.kafka_tool_flags());
        Self { version: 1, cluster_id, ledger, throttles, untold, next }
    }
}

impl fmt::Display for ThrottlesView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strays = self.throttles.iter().filter(|one| one.stray).count();
        let name = self.cluster_id.as_deref().unwrap_or("without an id");
        match self.throttles.len() {
            0 => writeln!(f, "Cluster {name}: no throttle is set")?,
            all => writeln!(
                f,
                "Cluster {name}: {} of throttles set, {}",
                counted(all, "config"),
                counted(strays, "stray")
            )?,
        }
        match self.ledger {
            Some(path) => writeln!(f, "Ledger: {}", path.display())?,
            None if self.throttles.is_empty() => {}
            None => writeln!(
                f,
                "Ledger: none found, so owners are unknown; name it with --state-file FILE"
            )?,
        }
        if !self.throttles.is_empty() {
            f.write_str("\n")?;
            table(f, &self.throttles)?;
        }
        untold(f, &self.untold)?;
        self.next.fmt(f)
    }
}

fn table(f: &mut fmt::Formatter<'_>, all: &[Throttled]) -> fmt::Result {
    let columns = ["where", "what", "value", "owner", "paces"];
    let rows = all.iter().take(LONG).map(|one| {
        [
            one.place.to_string(),
            what(one.key).to_owned(),
            short(one),
            owner(one),
            match (one.in_flight, one.stray) {
                (0, true) => "nothing: stray".to_owned(),
                (0, false) => "nothing now".to_owned(),
                (1, _) => "1 copy".to_owned(),
                (count, _) => format!("{count} copies"),
            },
        ]
    });
    Table::write(f, columns, rows)?;
    more(f, all.len(), LONG, "")
}

pub(super) fn what(key: Key) -> &'static str {
    match key {
        Key::LeaderReplicas => "leader list",
        Key::FollowerReplicas => "follower list",
        Key::LeaderRate => "leader rate",
        Key::FollowerRate => "follower rate",
        Key::LogDirRate => "log dir rate",
        Key::CordonedLogDirs => "cordon",
    }
}

fn owner(one: &Throttled) -> String {
    match &one.owner {
        ThrottleOwner::Ledger { by } => {
            let plan = String::from(by.clone());
            let plan = plan.trim_start_matches("sha256:");
            let age = one.owned_since.as_deref().and_then(age).unwrap_or_default();
            format!("plan {}{age}", plan.get(..8).unwrap_or(plan))
        }
        ThrottleOwner::Operator => "operator".to_owned(),
        ThrottleOwner::Unknown => "unknown".to_owned(),
    }
}

/// `, 12 min`: how long ago that was.
fn age(since: &str) -> Option<String> {
    let since: Timestamp = since.parse().ok()?;
    let seconds = Timestamp::now().duration_since(since).as_secs().max(0);
    Some(format!(", {}", operate::words::duration(seconds.unsigned_abs())))
}

/// A rate with its unit; of a list no more than fits.
fn short(one: &Throttled) -> String {
    const FITS: usize = 24;
    if let ThrottlePlace::On(ThrottleResource::Broker(_)) | ThrottlePlace::EveryBroker = one.place {
        let rate = one.value.parse().map(|rate| format!("{}/s", Bytes(rate)));
        return rate.unwrap_or_else(|_| one.value.clone());
    }
    match ThrottledEntries::parse(Some(&one.value)) {
        ThrottledEntries::Some(entries) if one.value.len() > FITS => {
            let first = entries.iter().map(ToString::to_string).min().unwrap_or_default();
            format!("{first} and {} more", entries.len() - 1)
        }
        ThrottledEntries::Some(_) | ThrottledEntries::All => one.value.clone(),
    }
}

/// What could not be read.
pub(super) fn untold(f: &mut fmt::Formatter<'_>, untold: &[Untold]) -> fmt::Result {
    if untold.is_empty() {
        return Ok(());
    }
    heading(f, "Not known")?;
    for one in untold.iter().take(LONG) {
        writeln!(f, "  {}: {}", one.what, one.why)?;
    }
    more(f, untold.len(), LONG, "")
}

/// The strays with their full values, so that an operator can set them again.
#[derive(Debug, Serialize)]
pub(crate) struct StraysView<'a> {
    event: &'static str,
    strays: &'a [Throttled],
    untold: &'a [Untold],
}

impl<'a> StraysView<'a> {
    pub(crate) fn of(strays: &'a [Throttled], untold: &'a [Untold]) -> Self {
        Self { event: "preview", strays, untold }
    }
}

impl fmt::Display for StraysView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.strays.len() {
            0 => writeln!(f, "Nothing to clear: each throttle paces copies or has an owner")?,
            count => {
                let count = counted(count, "config");
                writeln!(f, "To clear (paces nothing, in no ledger): {count}")?;
            }
        }
        for stray in self.strays {
            writeln!(f, "  {}  {}={}", stray.place, stray.key.as_str(), stray.value)?;
        }
        untold(f, self.untold)
    }
}

/// What became of them.
#[derive(Debug, Serialize)]
pub(crate) struct Cleared {
    event: &'static str,
    cleared: usize,
    left: Vec<Left>,
}

#[derive(Debug, Serialize)]
struct Left {
    #[serde(flatten)]
    place: ThrottlePlace,
    key: Key,
    why: String,
}

impl Cleared {
    pub(crate) fn of(found: &[Throttled], after: &Set, refused: &FailedChanges) -> Self {
        let still = |one: &&Throttled| {
            let set = after.get(&one.place).is_some_and(|set| set.contains_key(&one.key));
            set || refused.contains_key(&one.place)
        };
        let left = found.iter().filter(still).map(|one| Left {
            place: one.place.clone(),
            key: one.key,
            why: refused.get(&one.place).cloned().unwrap_or_else(|| {
                "left: it was changed, or is in use, since it was shown".to_owned()
            }),
        });
        let left: Vec<Left> = left.collect();
        Self { event: "ended", cleared: found.len() - left.len(), left }
    }

    /// Whether no stray is left.
    pub(crate) fn is_whole(&self) -> bool {
        self.left.is_empty()
    }
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Cleared: {}", counted(self.cleared, "config"))?;
        for left in &self.left {
            writeln!(f, "  not cleared: {} of {}: {}", left.key.as_str(), left.place, left.why)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::BrokerId;

    fn throttled(place: ThrottlePlace, key: Key, value: &str) -> Throttled {
        let (paces, value) = (execute::Paces::of(key).unwrap(), value.to_owned());
        let owner = ThrottleOwner::Unknown;
        let owned_since = None;
        Throttled { place, key, value, paces, owner, owned_since, in_flight: 0, stray: true }
    }

    #[test]
    fn a_long_list_is_cut_and_a_rate_has_its_unit() {
        let list = throttled(
            ThrottlePlace::On(ThrottleResource::Topic("t".to_owned())),
            Key::LeaderReplicas,
            "0:1001,1:1002,2:1003,3:1004",
        );
        assert_eq!(short(&list), "0:1001 and 3 more");
        let rate = throttled(
            ThrottlePlace::On(ThrottleResource::Broker(BrokerId(1))),
            Key::FollowerRate,
            "1048576",
        );
        assert_eq!((short(&rate), what(rate.key)), ("1.0 MiB/s".to_owned(), "follower rate"));
    }

    #[test]
    fn what_is_still_set_was_not_cleared() {
        let place = ThrottlePlace::On(ThrottleResource::Broker(BrokerId(1)));
        let found = [
            throttled(place.clone(), Key::LeaderRate, "5"),
            throttled(place.clone(), Key::FollowerRate, "5"),
        ];
        let after = [(place.clone(), [(Key::FollowerRate, "5".to_owned())].into())].into();
        let cleared = Cleared::of(&found, &after, &FailedChanges::new());
        assert_eq!((cleared.cleared, cleared.left.len()), (1, 1));
        assert!(Cleared::of(&found, &Set::new(), &FailedChanges::new()).is_whole());
        let refused = [(place, "no answer".to_owned())].into();
        assert!(!Cleared::of(&found, &Set::new(), &refused).is_whole());
    }
}
