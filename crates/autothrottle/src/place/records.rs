//! The ledger in ConfigMaps: `NAME`, `NAME-1`, ... each small, each under its own version.
//!
//! They hold the fewest lines that tell the ledger, not its history. A line stays in the ConfigMap that it is in; what
//! outgrows one goes to the last or to a new one, which is written first: a leader that is killed between leaves a line in
//! both, never in none.

use execute::LedgerEntry;
use kubernetes::{ConfigMap, Kubernetes, Name};
use std::collections::BTreeMap;

/// Bytes of lines in one ConfigMap. A longer line has one of its own.
const MOST: usize = 24_000;
/// The key of the lines.
const LINES: &str = "ledger.jsonl";
/// The key of who wrote them last.
const HOLDER: &str = "holder";
/// A leader that is gone may have had a write under way.
const CLAIMS: u32 = 5;

/// Lines by what they are about.
type Lines = BTreeMap<String, String>;

/// The ConfigMaps of one ledger, as we left them.
#[derive(Debug)]
pub(super) struct Records {
    kubernetes: Kubernetes,
    first: Name,
    holder: String,
    shards: Vec<(ConfigMap, Lines)>,
}

/// Why a record is not written.
#[derive(Debug)]
pub(super) enum RecordsError {
    /// Somebody else has written it.
    Taken(Name),
    /// It is not what this program writes.
    Unreadable { name: Name, problem: String },
    /// The API gives no answer that can be used.
    Api(kubernetes::Error),
}

impl From<kubernetes::Error> for RecordsError {
    fn from(error: kubernetes::Error) -> Self {
        Self::Api(error)
    }
}

impl Records {
    /// Reads all of them and makes them ours: whoever wrote them before can do so no more.
    pub(super) async fn claim(
        kubernetes: Kubernetes,
        lease: &Name,
        holder: &str,
    ) -> Result<(Self, Vec<LedgerEntry>), RecordsError> {
        let mut claims = 1;
        loop {
            let (mut records, entries) = Self::read(kubernetes.clone(), lease, holder).await?;
            match records.mark().await {
                Ok(()) => return Ok((records, entries)),
                Err(RecordsError::Taken(name)) if claims < CLAIMS => {
                    tracing::info!(%name, "was being written: reading it again");
                    claims += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads all of them.
    pub(super) async fn read(
        kubernetes: Kubernetes,
        lease: &Name,
        holder: &str,
    ) -> Result<(Self, Vec<LedgerEntry>), RecordsError> {
        let first = Name::new(&lease.namespace, &format!("{}-state", lease.name));
        let mut records = Self { kubernetes, first, holder: holder.to_owned(), shards: Vec::new() };
        let mut entries = Vec::new();
        loop {
            let name = records.name(records.shards.len());
            let Some(found) = records.kubernetes.config_map(&name).await? else {
                return Ok((records, entries));
            };
            let text = found.data.get(LINES).map_or("", String::as_str);
            let read =
                parsed(text).map_err(|problem| RecordsError::Unreadable { name, problem })?;
            let lines = read.iter().map(|entry| (about(entry), line(entry))).collect();
            entries.extend(read);
            records.shards.push((found, lines));
        }
    }

    /// Gives each a new version.
    async fn mark(&mut self) -> Result<(), RecordsError> {
        for at in 0..self.shards.len() {
            let lines = self.shards[at].1.clone();
            self.put(at, lines).await?;
        }
        match self.shards.is_empty() {
            true => self.put(0, Lines::new()).await,
            false => Ok(()),
        }
    }

    /// Writes what has changed, the new ones first.
    pub(super) async fn write(&mut self, entries: &[LedgerEntry]) -> Result<(), RecordsError> {
        let now: Lines = entries.iter().map(|entry| (about(entry), line(entry))).collect();
        let before: Vec<&Lines> = self.shards.iter().map(|(_, lines)| lines).collect();
        let dealt = dealt(&before, now, MOST);
        let known = self.shards.len();
        // A new one needs those before it; of the old ones, what goes out of one is in a later one by then.
        let new = known..dealt.len();
        for at in new.chain((0..known).rev()) {
            if self.shards.get(at).is_none_or(|(_, lines)| *lines != dealt[at]) {
                self.put(at, dealt[at].clone()).await?;
            }
        }
        Ok(())
    }

    /// Asks whether the first is as we left it.
    pub(super) async fn confirm(&self) -> Result<(), RecordsError> {
        let found = self.kubernetes.config_map(&self.first).await?;
        let ours = self.shards.first().map(|(map, _)| map.version());
        match found.as_ref().map(ConfigMap::version) == ours {
            true => Ok(()),
            false => Err(RecordsError::Taken(self.first.clone())),
        }
    }

    async fn put(&mut self, at: usize, lines: Lines) -> Result<(), RecordsError> {
        let mut text = lines.values().cloned().collect::<Vec<_>>().join("\n");
        text.push('\n');
        let data = [(LINES, text), (HOLDER, self.holder.clone())];
        let data = data.map(|(key, value)| (key.to_owned(), value)).into();
        let name = self.name(at);
        let written = match self.shards.get(at) {
            Some((map, _)) => self.kubernetes.replace_config_map(map, data).await,
            None => {
                let label = ("app.kubernetes.io/managed-by", "autothrottle");
                let labels = [(label.0.to_owned(), label.1.to_owned())].into();
                self.kubernetes.create_config_map(&name, &labels, data).await
            }
        };
        let map = match written {
            Ok(map) => map,
            Err(kubernetes::Error::Conflict { .. } | kubernetes::Error::NotFound { .. }) => {
                return Err(RecordsError::Taken(name));
            }
            Err(error) => return Err(error.into()),
        };
        match self.shards.get_mut(at) {
            Some(shard) => *shard = (map, lines),
            None => self.shards.push((map, lines)),
        }
        Ok(())
    }

    fn name(&self, at: usize) -> Name {
        match at {
            0 => self.first.clone(),
            _ => Name::new(&self.first.namespace, &format!("{}-{at}", self.first.name)),
        }
    }
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

/// Deals lines out: each where it was (in the last of those that have it), and what is too much for one to the last, or
/// to new ones.
fn dealt(before: &[&Lines], now: Lines, most: usize) -> Vec<Lines> {
    let mut parts = vec![Lines::new(); before.len().max(1)];
    let last = parts.len() - 1;
    for (about, line) in now {
        let at = before.iter().rposition(|part| part.contains_key(&about)).unwrap_or(last);
        parts[at].insert(about, line);
    }
    let mut spilt = Lines::new();
    for part in &mut parts {
        let mut bytes = 0;
        let all = std::mem::take(part);
        for (about, line) in all {
            bytes += line.len() + 1;
            // The first stays, whatever its size: a line cannot be divided.
            let fits = bytes <= most || part.is_empty();
            if fits {
                part.insert(about, line)
            } else {
                spilt.insert(about, line)
            };
        }
    }
    for (about, line) in spilt {
        let full = parts.last().is_none_or(|part| {
            let bytes: usize = part.values().map(|line| line.len() + 1).sum();
            bytes + line.len() >= most
        });
        if full {
            parts.push(Lines::new());
        }
        if let Some(part) = parts.last_mut() {
            part.insert(about, line);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Asked, Key, Resource, Setting};
    use mapper::BrokerId;

    fn lines(about: std::ops::Range<usize>) -> Lines {
        about.map(|n| (format!("held {n:04}"), "x".repeat(99))).collect()
    }

    fn all(parts: &[Lines]) -> Lines {
        parts.iter().flatten().map(|(about, line)| (about.clone(), line.clone())).collect()
    }

    #[test]
    fn what_is_too_much_for_one_goes_to_new_ones_and_then_stays_where_it_is() {
        let first = dealt(&[], lines(0..100), 2_500);
        assert_eq!((first.len(), all(&first)), (4, lines(0..100)));
        let before: Vec<&Lines> = first.iter().collect();
        assert_eq!(dealt(&before, lines(0..100), 2_500), first);
        let fewer = dealt(&before, lines(90..100), 2_500);
        assert_eq!((fewer.len(), all(&fewer)), (4, lines(90..100)));
        assert!(
            fewer[0].is_empty(),
            "an empty one stays, and is used no more until it is the last"
        );
    }

    #[test]
    fn a_line_that_is_longer_than_that_has_one_of_its_own() {
        let long: Lines = [("a", 9_000), ("b", 10), ("c", 9_000)]
            .map(|(about, bytes)| (about.to_owned(), "x".repeat(bytes)))
            .into();
        let parts = dealt(&[], long.clone(), 1_000);
        assert_eq!(all(&parts), long);
        assert!(parts.iter().all(|part| part.len() == 1 || !part.contains_key("a")), "{parts:?}");
    }

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
        let text: Vec<String> = entries.iter().map(line).collect();
        assert_eq!(parsed(&text.join("\n")), Ok(entries.clone()));
        let abouts: std::collections::BTreeSet<String> = entries.iter().map(about).collect();
        assert_eq!(abouts.len(), 4);
        assert!(parsed("{}").unwrap_err().starts_with("line 1: "));
    }
}
