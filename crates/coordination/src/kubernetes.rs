//! The lead in Kubernetes: a Lease, records in ConfigMaps next to it, and Events on it.
//!
//! A new leader rewrites each ConfigMap before it reads them. So a former leader that was stopped and continues fails
//! its next write, whatever its clock says.

use crate::{Error, Holder, LeaseStore, Records, Seen, Wait, unique};
use ::kubernetes::lease::{KeptLease, LeaseTerms};
use ::kubernetes::shards::{Form, Items, Shards, ShardsError, managed_by};
use ::kubernetes::{About, Announcer, Kubernetes, Name};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// The time after the end of a dead holder's Lease by which it is ours.
const SLACK: Duration = Duration::from_secs(5);
/// The time limit to take the Lease again. A Lease that no other process took is granted at once.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The time limit to write an Event.
const TOLD: Duration = Duration::from_secs(5);
/// The key of the lines in a ConfigMap.
pub const RECORDS_KEY: &str = "records.jsonl";
/// The key of the last writer.
const HOLDER: &str = "holder";

/// A Lease that this process holds. A background task renews it.
#[derive(Debug)]
pub(crate) struct KubernetesLead {
    kubernetes: Kubernetes,
    kept: KeptLease,
    terms: LeaseTerms,
    form: Lines,
    first: Name,
    /// The ConfigMaps; `None` until this process has claimed them.
    shards: Option<Shards>,
    announcer: Announcer,
    /// Events that are being written.
    told: Vec<JoinHandle<()>>,
}

impl LeaseStore {
    /// The full name of the Lease.
    fn lease(&self, kubernetes: &Kubernetes) -> Name {
        self.lease.within(kubernetes.namespace())
    }

    /// Lines of this writer.
    fn lines(&self, holder: String) -> Lines {
        Lines { holder, program: self.role.program() }
    }

    /// The first ConfigMap.
    fn config_map(&self, lease: &Name) -> Name {
        let name = format!("{}-{}", lease.name, self.role.config_maps());
        Name::new(&lease.namespace, &name)
    }
}

impl KubernetesLead {
    /// The records. Needs no right on the Lease.
    pub(crate) async fn records(store: &LeaseStore) -> Result<Records, Error> {
        let kubernetes = Kubernetes::connect(&store.access).await?;
        let first = store.config_map(&store.lease(&kubernetes));
        let form = store.lines(String::new());
        Ok(Shards::read(kubernetes, first, &form).await.map_err(failed)?.items())
    }

    pub(crate) async fn seen(store: &LeaseStore) -> Result<Seen, Error> {
        let kubernetes = Kubernetes::connect(&store.access).await?;
        let name = store.lease(&kubernetes);
        let holder = kubernetes.lease_holder(&name).await?;
        Ok(Seen { lock: format!("lease {name}"), holder, records: Self::records(store).await? })
    }

    pub(crate) async fn leader(store: &LeaseStore) -> Result<Option<String>, Error> {
        let kubernetes = Kubernetes::connect(&store.access).await?;
        Ok(kubernetes.lease_holder(&store.lease(&kubernetes)).await?)
    }

    pub(crate) async fn take(
        store: &LeaseStore,
        holder: &Holder,
        wait: Wait,
        mut tell: impl FnMut(&str) + Send,
    ) -> Result<Self, Error> {
        let kubernetes = Kubernetes::connect(&store.access).await?;
        let (name, us) = (store.lease(&kubernetes), unique(holder));
        let terms = LeaseTerms { name: name.clone(), holder: us.clone(), duration: store.duration };
        let mut other = None;
        let campaign = kubernetes.campaign(&terms, |now| {
            tell(now);
            other = Some(now.to_owned());
        });
        let kept = match wait {
            Wait::Forever => campaign.await?,
            Wait::ForTheDead => match timeout(store.duration + SLACK, campaign).await {
                Ok(taken) => taken?,
                Err(_) => return Err(not_taken(&name, other)),
            },
        };
        let about = About::lease(name.clone());
        let announcer = kubernetes.announcer(store.role.program(), &us, about);
        let (first, form) = (store.config_map(&name), store.lines(us));
        let (shards, told) = (None, Vec::new());
        Ok(Self { kubernetes, kept, terms, form, first, shards, announcer, told })
    }

    /// Reads all ConfigMaps and makes them ours: the former leader can write them no more.
    pub(crate) async fn claim_records(&mut self) -> Result<Records, Error> {
        let claimed = Shards::claim(self.kubernetes.clone(), self.first.clone(), &self.form).await;
        let shards = claimed.map_err(failed)?;
        Ok(self.shards.insert(shards).items())
    }

    /// Writes new records first, so that whatever replaces a record is stored before that record is removed.
    pub(crate) async fn write(&mut self, wanted: &Records) -> Result<(), Error> {
        let mut both = self.shards.as_ref().map(Shards::items).unwrap_or_default();
        both.extend(wanted.clone());
        self.put(&both).await?;
        if both == *wanted { Ok(()) } else { self.put(wanted).await }
    }

    async fn put(&mut self, wanted: &Records) -> Result<(), Error> {
        self.check()?;
        let Some(shards) = &mut self.shards else { return Err(self.unread()) };
        match shards.write(wanted.clone(), &self.form).await {
            Err(ShardsError::Taken { name, .. }) => {
                // An earlier write of this process that got no answer may have succeeded.
                tracing::debug!(%name, "was written since: reading it again");
                self.read_again().await?;
                let Some(shards) = &mut self.shards else { return Err(self.unread()) };
                shards.write(wanted.clone(), &self.form).await.map_err(failed)
            }
            written => written.map_err(failed),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let ended = |why| Error::Ended { lock: self.lock(), why };
        self.kept.until().map(drop).map_err(ended)
    }

    /// Asks whether the first ConfigMap is as this process left it.
    pub(crate) async fn confirm(&mut self) -> Result<(), Error> {
        let Some(shards) = &self.shards else { return Err(self.unread()) };
        match shards.confirm().await {
            Err(ShardsError::<String>::Taken { .. }) => self.read_again().await.map(drop),
            confirmed => confirmed.map_err(failed),
        }
    }

    /// Takes the Lease again under the same name. If no other process took it since, it is granted at once. The
    /// records are read again; they are still valid if no other process wrote one.
    pub(crate) async fn take_again(&mut self) -> Result<Records, Error> {
        // This read detects an API server that is down, without a log line for each attempt.
        self.kubernetes.lease_holder(&self.terms.name).await?;
        let mut other = None;
        let campaign = self.kubernetes.campaign(&self.terms, |now| other = Some(now.to_owned()));
        match timeout(AT_ONCE, campaign).await {
            Ok(taken) => self.kept = taken?,
            // That process held the Lease since, whether it is alive or not.
            Err(_) => return Err(not_taken(&self.terms.name, other)),
        }
        match self.shards {
            Some(_) => self.read_again().await,
            None => Ok(Records::new()),
        }
    }

    pub(crate) fn until(&self) -> Instant {
        self.kept.until().unwrap_or_else(|_| Instant::now())
    }

    /// Without the right to write Events, everything else works.
    pub(crate) fn tell(&mut self, reason: &'static str, note: String) {
        let announcer = self.announcer.clone();
        self.told.retain(|told| !told.is_finished());
        self.told.push(tokio::spawn(async move {
            match timeout(TOLD, announcer.tell(reason, &note)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, reason, "no Event"),
                Err(_) => tracing::debug!(reason, "no Event in time"),
            }
        }));
    }

    pub(crate) async fn release(self) {
        self.kept.release().await;
        for told in self.told {
            // The task has logged its own result.
            let _ = told.await;
        }
    }

    /// Reads all ConfigMaps. If another process wrote one of them last, the lead is lost to it.
    async fn read_again(&mut self) -> Result<Records, Error> {
        let read = Shards::read(self.kubernetes.clone(), self.first.clone(), &self.form).await;
        let read = read.map_err(failed)?;
        let of_others = read.maps().find(|map| map.data.get(HOLDER) != Some(&self.form.holder));
        if let Some(map) = of_others {
            let by = map.data.get(HOLDER).map_or("another process", String::as_str);
            let lock = format!("ConfigMap {}", self.first);
            return Err(Error::Lost { lock, why: format!("{by} has written there") });
        }
        Ok(self.shards.insert(read).items())
    }

    fn lock(&self) -> String {
        format!("lease {}", self.terms.name)
    }

    fn silent(&self, why: String) -> Error {
        Error::Silent { store: self.lock(), why }
    }

    fn unread(&self) -> Error {
        self.silent("its records were not read".to_owned())
    }
}

/// The Lease was not granted in time: to its holder, or without an answer.
fn not_taken(lease: &Name, holder: Option<String>) -> Error {
    let lock = format!("lease {lease}");
    match holder {
        Some(holder) => Error::Held { lock, holder },
        None => Error::Silent { store: lock, why: "no answer about the lease".to_owned() },
    }
}

/// Lines of `["NAME",RECORD]`, and their writer. Two writers never leave the same ConfigMap, so each notices the other.
#[derive(Debug)]
struct Lines {
    holder: String,
    program: &'static str,
}

impl Form for Lines {
    /// In bytes. A ConfigMap of this size can be written every second, and eight of them hold the records of thousands
    /// of topics.
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
        // The names of records need no escapes in JSON.
        let lines = items.iter().map(|(name, text)| format!("[\"{name}\",{text}]\n"));
        let data = [(RECORDS_KEY, lines.collect()), (HOLDER, self.holder.clone())];
        data.map(|(key, value)| (key.to_owned(), value)).into()
    }

    fn labels(&self) -> BTreeMap<String, String> {
        managed_by(self.program)
    }
}

fn parsed(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.strip_prefix("[\"")?.split_once("\",")?;
    Some((name.to_owned(), rest.strip_suffix(']')?.to_owned()))
}

fn failed(error: ShardsError<String>) -> Error {
    match error {
        ShardsError::Unreadable { name, problem } => {
            Error::Unreadable { name: format!("ConfigMap {name}"), problem }
        }
        ShardsError::Taken { error, .. } => Error::Kubernetes(error),
        ShardsError::Api(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_wrote_the_next_one_reads() {
        let records = [("journal:00000000", "{\"of\":\"p\"}"), ("ledger:topic:a.b:k", "\"],\"")];
        let records: Items = records.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let of = |holder: &str| Lines { holder: holder.to_owned(), program: "topicmappr" };
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
