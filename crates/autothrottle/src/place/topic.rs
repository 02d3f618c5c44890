//! `--state-topic`: the compacted topic `__mappr_state` of the cluster itself keeps the ledger and the overrides, and a claim
//! there says who leads.
//!
//! The leader renews its claim with each record that it writes, in a transaction. The next leader fences it: Kafka
//! refuses the next transaction of a leader that was stopped and continues. There is one before each write to the
//! cluster.

use super::candidate::{Candidate, Heard, in_thread};
use super::keys::Keys;
use super::{Leader, Place};
use crate::error::Error;
use execute::{Ledger, LedgerEntry};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use operate::marks::line::{MARK, PREFIX};
use operate::marks::{Common, Mark};
use statelog::{Changes, Claim, Holder, StateTopic, TOPIC, Unwritten};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

/// How long a leaving daemon waits until the claim is released.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the cluster is reached.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) bootstrap: String,
    pub(crate) properties: Option<PathBuf>,
}

/// The topic of one cluster.
#[derive(Debug)]
pub(crate) struct TopicPlace {
    way: Way,
    /// Whether it waits for its turn; otherwise it is refused.
    waits: bool,
    leader: Leader,
    /// An id that no other process has. An earlier holder with this id is this process.
    own: String,
    /// Once it was found, or made.
    topic: Option<StateTopic>,
    /// While it is waited for.
    candidate: Option<Candidate>,
    held: Option<Lead>,
}

#[derive(Debug)]
struct Lead {
    claim: Claim,
    keys: Keys,
}

impl TopicPlace {
    pub(crate) fn of(way: Way, waits: bool) -> Self {
        let own =
            format!("{}-{}-{:016x}", crate::host(), std::process::id(), rand::random::<u64>());
        let leader = Leader::default();
        Self { way, waits, leader, own, topic: None, candidate: None, held: None }
    }

    async fn taken(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        if let Some(before) = self.held.take() {
            // Whether Kafka answers or not: this one acts no more.
            thread::spawn(move || drop(before));
        }
        let ours = loop {
            match self.heard().await {
                Some(Heard::Topic(topic)) => self.topic = Some(topic),
                Some(Heard::Theirs { name, lives }) => self.is_led_by(name, lives)?,
                Some(Heard::Ours(ours)) => break ours,
                Some(Heard::Not(error)) => {
                    self.candidate = None;
                    return Err(error);
                }
                None => self.candidate = None,
            }
        };
        self.candidate = None;
        let read = self.unmarked(&ours.records).and_then(|()| Ok(Keys::of(ours.records)?));
        let (keys, entries) = match read {
            Ok(read) => read,
            Err(error) => {
                thread::spawn(move || drop(ours.claim));
                return Err(error);
            }
        };
        tracing::info!(topic = TOPIC, "leading");
        self.held = Some(Lead { claim: ours.claim, keys });
        Ok(entries)
    }

    /// Refuses a cluster that a daemon with another ledger paces.
    fn unmarked(&self, records: &BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
        let Some(data) = records.get(MARK) else { return Ok(()) };
        let mark = Mark::read(&format!("the record {PREFIX}{MARK} of {TOPIC}"), data)?;
        Err(Error::marked(mark, &Common::Topic(self.way.access()?)))
    }

    /// The next news of the candidate. A wait that was broken off continues.
    async fn heard(&mut self) -> Option<Heard> {
        let us = self.us();
        let candidate = self.candidate.get_or_insert_with(|| {
            let holder = Holder::new(us, self.own.clone());
            Candidate::stands(self.way.clone(), self.topic.clone(), holder)
        });
        candidate.hears().await
    }

    /// Refuses with `--once` if another process leads, because a single round does not wait for its end.
    fn is_led_by(&mut self, name: String, lives: bool) -> Result<(), Error> {
        if lives && !self.waits {
            self.candidate = None;
            return Err(Error::Held { place: self.name(), by: name });
        }
        if self.leader.name().as_ref() != Some(&name) {
            tracing::info!(topic = TOPIC, leader = name, lives, "another daemon has the claim");
            self.leader.is(&name);
        }
        Ok(())
    }

    /// While the claim is ours; else why not.
    fn lead(&mut self) -> Result<&mut Lead, Error> {
        let name = self.name();
        let lead = self.held.as_mut().ok_or_else(|| Error::lost(&name, "it was never taken"))?;
        match lead.claim.check() {
            Ok(()) => Ok(lead),
            Err(lost) => Err(Error::lost(&name, lost.to_string())),
        }
    }

    async fn keeping(&mut self, all: &Ledger) -> Result<(), Error> {
        let lead = self.lead()?;
        let changes = lead.keys.towards(all);
        lead.keys.are_written(&changes);
        write(&lead.claim, changes.clone()).await?;
        lead.keys.stand(changes);
        Ok(())
    }

    /// The clock is asked, and Kafka, whose answer may take its time.
    async fn confirm(&mut self) -> Result<(), Error> {
        write(&self.lead()?.claim, Changes::new()).await?;
        self.lead().map(drop)
    }

    async fn given_back(&mut self) {
        let ours = (self.candidate.take(), self.held.take());
        let gives_back = in_thread(move || {
            drop(ours);
            Ok(())
        });
        if tokio::time::timeout(PATIENCE, gives_back).await.is_err() {
            tracing::info!(
                "the claim was not released: the next daemon has to wait until it expires"
            );
        }
    }
}

impl Place for TopicPlace {
    fn name(&self) -> String {
        format!("the topic {TOPIC}")
    }

    fn leader(&self) -> Leader {
        self.leader.clone()
    }

    fn take(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        self.taken().boxed()
    }

    fn keep<'a>(
        &'a mut self,
        _: &'a [LedgerEntry],
        all: &'a Ledger,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.keeping(all).boxed()
    }

    fn hold(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        self.confirm().boxed()
    }

    /// Overrides come through the leader.
    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        ready(self.lead().map(|_| Vec::new())).boxed()
    }

    fn until(&self) -> Option<Instant> {
        let until = |lead: &Lead| lead.claim.until().map_or_else(|_| Instant::now(), Into::into);
        self.held.as_ref().map(until)
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        self.given_back().boxed()
    }
}

/// What is written there, if there is such a topic. Takes and makes nothing.
pub(crate) async fn peek(way: &Way) -> Result<Vec<LedgerEntry>, Error> {
    let client = way.client().await?;
    if !client.has_topic(TOPIC).await? {
        return Ok(Vec::new());
    }
    let access = way.access()?;
    let read = in_thread(move || StateTopic::existing(access)?.records(PREFIX));
    let records = read.await.map_err(|error| Error::NoTopic(Box::new(error)))?;
    Ok(Keys::of(records)?.1)
}

impl Way {
    pub(super) async fn client(&self) -> Result<kafka::Client, Error> {
        Ok(operate::live::connect(&self.bootstrap, self.properties.as_deref()).await?.0)
    }

    pub(crate) fn access(&self) -> Result<statelog::Access, Error> {
        Ok(operate::live::data_plane(&self.bootstrap, self.properties.as_deref())?)
    }
}

/// Writes records as the holder of the claim, and renews the claim.
async fn write(claim: &Claim, changes: Changes) -> Result<(), Error> {
    let answer = claim.write(changes);
    match in_thread(move || Ok(answer.wait())).await? {
        Ok(()) => Ok(()),
        Err(Unwritten::Refused(error)) => Err(error.into()),
        Err(Unwritten::Late { seconds }) => Err(Error::Untaken { seconds }),
        Err(unkept @ Unwritten::Unkept) => {
            Err(Error::lost(&format!("the topic {TOPIC}"), unkept.why(claim.check())))
        }
    }
}
