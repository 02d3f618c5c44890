//! Records next to a Lease: ConfigMaps `LEASE-records`, `LEASE-records-1`, ..., with lines of `["NAME",RECORD]`.

use super::{Changes, NotOurs, Records, lost, not_done};
use crate::error::Error;
use ::kubernetes::shards::{Form, Items, Shards, ShardsError, managed_by};
use ::kubernetes::{Kubernetes, Name};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// The key of the lines in a ConfigMap.
pub(crate) const RECORDS_KEY: &str = "records.jsonl";
/// The key of the last writer.
const HOLDER: &str = "holder";
/// The time limit for a write of records; after it, the run goes on without them.
const WRITE: Duration = Duration::from_secs(5);

/// The ConfigMaps of one Lease, as this process last wrote them.
#[derive(Debug)]
pub(super) struct ConfigMaps {
    kubernetes: Kubernetes,
    shards: Shards,
    form: Lines,
}

/// Lines and their writer. Two writers never leave the same ConfigMap, so each notices the other.
#[derive(Debug)]
struct Lines {
    holder: String,
}

impl Form for Lines {
    /// In bytes. A ConfigMap of this size can be written every second, and sixteen of them hold the records of
    /// thousands of topics.
    const MOST: usize = 100_000;
    type Problem = String;

    fn items(&self, data: &BTreeMap<String, String>) -> Result<Items, String> {
        let text = data.get(RECORDS_KEY).map_or("", String::as_str);
        let parsed = |(at, line)| {
            parsed(line).ok_or_else(|| format!("line {} is not [\"NAME\",RECORD]", at + 1))
        };
        text.lines().enumerate().map(parsed).collect()
    }

    fn data(&self, items: &Items) -> BTreeMap<String, String> {
        // Names consist of config names and numbers, so JSON needs no escapes in them.
        let lines = items.iter().map(|(name, text)| format!("[\"{name}\",{text}]\n"));
        let data = [(RECORDS_KEY, lines.collect()), (HOLDER, self.holder.clone())];
        data.map(|(key, value)| (key.to_owned(), value)).into()
    }

    fn labels(&self) -> BTreeMap<String, String> {
        managed_by("topicmappr")
    }
}

fn parsed(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.strip_prefix("[\"")?.split_once("\",")?;
    Some((name.to_owned(), rest.strip_suffix(']')?.to_owned()))
}

impl ConfigMaps {
    /// Reads all ConfigMaps and marks this process as their writer.
    pub(super) async fn claim(
        kubernetes: &Kubernetes,
        lease: &Name,
        holder: &str,
    ) -> Result<Self, Error> {
        let form = Lines { holder: holder.to_owned() };
        let kubernetes = kubernetes.clone();
        let claimed = Shards::claim(kubernetes.clone(), beside(lease), &form).await;
        Ok(Self { kubernetes, shards: claimed.map_err(failed)?, form })
    }

    /// The records, whichever process wrote them.
    pub(super) async fn seen(kubernetes: &Kubernetes, lease: &Name) -> Result<Records, Error> {
        let form = Lines { holder: String::new() };
        let shards = Shards::read(kubernetes.clone(), beside(lease), &form).await;
        Ok(shards.map_err(failed)?.items())
    }

    /// The records.
    pub(super) fn records(&self) -> Records {
        self.shards.items()
    }

    /// Writes what changes.
    pub(super) async fn write(&mut self, changes: &Changes) -> Result<(), NotOurs> {
        let mut now = self.shards.items();
        for (name, text) in changes {
            match text {
                Some(text) => drop(now.insert(name.clone(), text.clone())),
                None => drop(now.remove(name)),
            }
        }
        match timeout(WRITE, self.put(now)).await {
            Ok(written) => written,
            Err(_) => {
                let seconds = WRITE.as_secs();
                Err(NotOurs::ForNow(format!("Kubernetes did not take it in {seconds} s")))
            }
        }
    }

    async fn put(&mut self, now: Items) -> Result<(), NotOurs> {
        match self.shards.write(now.clone(), &self.form).await {
            Ok(()) => Ok(()),
            Err(ShardsError::Taken { name, .. }) => {
                // An earlier write of this process that got no answer may have succeeded.
                tracing::debug!(%name, "was written since: reading it again");
                self.read_again().await?;
                let again = self.shards.write(now, &self.form).await;
                again.map_err(|error| NotOurs::ForNow(error.to_string()))
            }
            Err(error) => Err(NotOurs::ForNow(error.to_string())),
        }
    }

    /// Reads all ConfigMaps. If another process wrote one of them last, the lock is lost to it.
    pub(super) async fn read_again(&mut self) -> Result<Records, NotOurs> {
        let first = self.shards.first().clone();
        let read = Shards::read(self.kubernetes.clone(), first, &self.form).await;
        let read = read.map_err(|error| NotOurs::ForNow(error.to_string()))?;
        let of_others = read.maps().find(|map| map.data.get(HOLDER) != Some(&self.form.holder));
        if let Some(map) = of_others {
            let by = map.data.get(HOLDER).map_or("somebody", String::as_str);
            let lock = format!("ConfigMap {}", self.shards.first());
            return Err(lost(lock, format!("{by} has written there")));
        }
        self.shards = read;
        Ok(self.records())
    }
}

fn failed(error: ShardsError<String>) -> Error {
    match error {
        ShardsError::Unreadable { name, problem } => {
            Error::Record { name: format!("ConfigMap {name}"), problem }
        }
        ShardsError::Taken { error, .. } => Error::Kubernetes(error),
        ShardsError::Api(error) => not_done(error),
    }
}

/// The first ConfigMap of a Lease's records.
fn beside(lease: &Name) -> Name {
    Name::new(&lease.namespace, &format!("{}-records", lease.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_wrote_the_next_one_reads() {
        let records = [("journal:00000000", "{\"of\":\"p\"}"), ("ledger:topic:a.b:k", "\"],\"")];
        let records: Items = records.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let of = |holder: &str| Lines { holder: holder.to_owned() };
        let data = of("a").data(&records);
        assert_eq!(of("b").items(&data), Ok(records.clone()));
        assert_ne!(of("b").data(&records), data, "of the next one they have another version");
        for line in data[RECORDS_KEY].lines() {
            serde_json::from_str::<(String, serde_json::Value)>(line).unwrap();
        }
        assert_eq!(of("b").items(&BTreeMap::new()), Ok(Items::new()));
        let odd = [(RECORDS_KEY.to_owned(), "[\"a\",1]\nb".to_owned())].into();
        assert_eq!(of("b").items(&odd), Err("line 2 is not [\"NAME\",RECORD]".to_owned()));
    }
}
