//! The ledger in ConfigMaps: `NAME`, `NAME-1`, ... each small, each under its own version.
//!
//! They hold the fewest lines that tell the ledger, not its history.

use execute::LedgerEntry;
use kubernetes::shards::{Form, Items, Shards, ShardsError, managed_by};
use kubernetes::{Kubernetes, Name};
use std::collections::BTreeMap;

/// The key of the lines.
const LINES: &str = "ledger.jsonl";
/// The key of who wrote them last.
const HOLDER: &str = "holder";

/// The ConfigMaps of one ledger, as we left them.
#[derive(Debug)]
pub(super) struct Records {
    shards: Shards,
    form: Lines,
}

/// Why a record is not written.
pub(super) type RecordsError = ShardsError<String>;

/// Lines of the ledger, and who wrote them: of two writers each leaves another ConfigMap.
#[derive(Debug)]
struct Lines {
    holder: String,
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

impl Records {
    /// Reads all of them and makes them ours: whoever wrote them before can do so no more.
    pub(super) async fn claim(
        kubernetes: Kubernetes,
        lease: &Name,
        holder: &str,
    ) -> Result<(Self, Vec<LedgerEntry>), RecordsError> {
        let form = Lines { holder: holder.to_owned() };
        let shards = Shards::claim(kubernetes, beside(lease), &form).await?;
        let entries = entries(&shards);
        Ok((Self { shards, form }, entries))
    }

    /// Reads all of them, for nobody.
    pub(super) async fn read(
        kubernetes: Kubernetes,
        lease: &Name,
    ) -> Result<Vec<LedgerEntry>, RecordsError> {
        let form = Lines { holder: String::new() };
        Ok(entries(&Shards::read(kubernetes, beside(lease), &form).await?))
    }

    /// Writes what has changed.
    pub(super) async fn write(&mut self, entries: &[LedgerEntry]) -> Result<(), RecordsError> {
        self.shards.write(items(entries), &self.form).await
    }

    /// Asks whether the first is as we left it.
    pub(super) async fn confirm(&self) -> Result<(), RecordsError> {
        self.shards.confirm().await
    }
}

/// The first ConfigMap of a Lease's records.
fn beside(lease: &Name) -> Name {
    Name::new(&lease.namespace, &format!("{}-state", lease.name))
}

fn entries(shards: &Shards) -> Vec<LedgerEntry> {
    // What is in them was parsed when it was read.
    shards.items().values().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn items(entries: &[LedgerEntry]) -> Items {
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
    // Plain strings and numbers: there is nothing that JSON could not say.
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
    use execute::{Asked, Key, Resource, Setting};
    use mapper::BrokerId;

    #[test]
    fn what_a_leader_wrote_the_next_one_reads() {
        let setting = Setting { resource: Resource::Broker(BrokerId(1)), key: Key::LeaderRate };
        let (before, ours) = (Some("7".to_owned()), ["9".to_owned()].into());
        let plan = "autothrottle".to_owned();
        let asked = Asked { rate_bytes_per_second: 5, autoremove: true };
        let entries = vec![
            LedgerEntry::Opened { by: "a\nb".to_owned() },
            LedgerEntry::Held { setting, before, found: None, ours, plan },
            LedgerEntry::Asked { broker: None, asked },
            LedgerEntry::Asked { broker: Some(BrokerId(2)), asked },
        ];
        let form = Lines { holder: "a".to_owned() };
        let data = form.data(&items(&entries));
        assert_eq!(data[HOLDER], "a");
        assert_eq!(form.items(&data), Ok(items(&entries)));
        assert_eq!(items(&entries).len(), 4);
        assert_eq!(parsed(&data[LINES]).unwrap().len(), 4);
        assert!(parsed("{}").unwrap_err().starts_with("line 1: "));
    }
}
