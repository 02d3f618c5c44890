//! The ledger of a daemon in ConfigMaps next to its Lease: `NAME-state`, `NAME-state-1`, ...
//!
//! They hold the fewest lines that describe the ledger, not its history.

use ::kubernetes::Name;
use ::kubernetes::shards::{Form, Items, Shards, managed_by};
use execute::LedgerEntry;
use std::collections::BTreeMap;

/// The key of the lines in a ConfigMap.
const LINES: &str = "ledger.jsonl";
/// The key of the last writer.
const HOLDER: &str = "holder";

/// Lines of the ledger, and their writer. Two writers never leave the same ConfigMap, so each notices the other.
#[derive(Debug)]
pub struct Lines {
    holder: String,
}

impl Lines {
    /// Lines of this writer; a process that only reads passes an empty name.
    #[must_use]
    pub fn of(holder: &str) -> Self {
        Self { holder: holder.to_owned() }
    }
}

impl Form for Lines {
    const MOST: usize = 24_000;
    type Problem = String;

    fn items(&self, data: &BTreeMap<String, String>) -> Result<Items, String> {
        let text = data.get(LINES).map_or("", String::as_str);
        Ok(items(&parsed(text)?))
    }

    fn data(&self, items: &Items) -> BTreeMap<String, String> {
        let mut text = items.values().cloned().collect::<Vec<_>>().join("\n");
        text.push('\n');
        let data = [(LINES, text), (HOLDER, self.holder.clone())];
        data.map(|(key, value)| (key.to_owned(), value)).into()
    }

    fn labels(&self) -> BTreeMap<String, String> {
        managed_by("autothrottle")
    }
}

/// The first ConfigMap of a Lease's ledger.
#[must_use]
pub fn beside(lease: &Name) -> Name {
    Name::new(&lease.namespace, &format!("{}-state", lease.name))
}

/// The ledger lines in these ConfigMaps.
#[must_use]
pub fn entries(shards: &Shards) -> Vec<LedgerEntry> {
    // All lines were parsed when they were read.
    shards.items().values().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The text of each line, by its subject.
#[must_use]
pub fn items(entries: &[LedgerEntry]) -> Items {
    entries.iter().map(|entry| (about(entry), line(entry))).collect()
}

fn parsed(text: &str) -> Result<Vec<LedgerEntry>, String> {
    let lines = text.lines().filter(|line| !line.is_empty()).enumerate();
    let one = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))
    };
    lines.map(one).collect()
}

fn line(entry: &LedgerEntry) -> String {
    // The value has only strings and numbers, which JSON can always represent.
    serde_json::to_string(entry).unwrap_or_default()
}

fn about(entry: &LedgerEntry) -> String {
    match entry {
        LedgerEntry::Opened { .. } => "opened".to_owned(),
        LedgerEntry::Held { setting, .. } | LedgerEntry::Released { setting } => {
            format!("held {setting}")
        }
        LedgerEntry::Asked { broker, .. } | LedgerEntry::Withdrawn { broker } => match broker {
            Some(id) => format!("asked {id}"),
            None => "asked".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, RequestedRate, Setting, ThrottleResource};
    use mapper::BrokerId;

    #[test]
    fn what_a_leader_wrote_the_next_one_reads() {
        let setting =
            Setting { resource: ThrottleResource::Broker(BrokerId(1)), key: Key::LeaderRate };
        let (before, ours) = (Some("7".to_owned()), ["9".into()].into());
        let owner = execute::Owner::Daemon;
        let asked = RequestedRate { rate_bytes_per_second: mapper::Rate(5), autoremove: true };
        let entries = vec![
            LedgerEntry::Opened { by: "a\nb".to_owned().into() },
            LedgerEntry::Held { setting, before, found: None, ours, met: [].into(), owner },
            LedgerEntry::Asked { broker: None, asked },
            LedgerEntry::Asked { broker: Some(BrokerId(2)), asked },
        ];
        let form = Lines::of("a");
        let data = form.data(&items(&entries));
        assert_eq!(data[HOLDER], "a");
        assert_eq!(form.items(&data), Ok(items(&entries)));
        assert_eq!(items(&entries).len(), 4);
        assert_eq!(parsed(&data[LINES]).unwrap().len(), 4);
        assert!(parsed("{}").unwrap_err().starts_with("line 1: "));
    }
}
