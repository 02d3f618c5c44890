//! The mark in the topic `__mappr_state`: the key `autothrottle/mark`, next to the ledger of a daemon that keeps it
//! there.
//!
//! A process writes the mark while it briefly holds the daemons' claim, so two processes never write at once. If a
//! daemon with its ledger in the topic leads, it holds the claim, and no mark is written.

use super::line::{MARK, PREFIX};
use super::{CLAIM, Kept, Left, Mark, MarkError, SILENCE};
use crate::runtime;
use statelog::{
    Access, Campaign, Changes, Claim, Error, Holder, StateTopic, TOPIC, Term, Turn, Unwritten,
};
use std::collections::BTreeMap;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn read(client: &kafka::Client, access: &Access) -> Result<Left, MarkError> {
    if !client.has_topic(TOPIC).await? {
        return Ok(Left::default());
    }
    let access = access.clone();
    let read = move || StateTopic::existing(access)?.records(PREFIX);
    let mut records = in_thread(move || Ok(read().map_err(Box::new)?)).await?;
    let mark = records.remove(MARK).map(|data| understood(&data)).transpose()?;
    Ok(Left { mark, kept: Kept::read(format!("the topic {TOPIC}"), &records)? })
}

/// Writes or removes the mark. Creates the topic if it has to hold a mark.
pub(super) async fn change(
    client: &kafka::Client,
    access: &Access,
    by: &Mark,
    mark: Option<&Mark>,
    is_ours: impl Fn(&Mark) -> bool + Send,
) -> Result<Option<Mark>, MarkError> {
    let is_there = client.has_topic(TOPIC).await?;
    if !is_there && mark.is_none() {
        return Ok(None);
    }
    let brokers = client.describe_cluster().await?.live().count();
    let (access, holder) = (access.clone(), holder(by));
    let (claim, found) = in_thread(move || {
        // A user without the right to create the topic may still use an existing one.
        let topic = match is_there {
            true => StateTopic::existing(access),
            false => StateTopic::open(access, brokers),
        };
        let topic = topic.map_err(Box::new)?;
        if topic.is_new() {
            tracing::info!(
                topic = TOPIC,
                "made, compacted, to tell executions whose the rates are: --sole-daemon does without"
            );
        }
        let claim = claimed(&topic, holder)?;
        let found = there(&topic)?;
        Ok((claim, found))
    })
    .await?;
    let stands = found.clone().filter(|there| !is_ours(there));
    let changes: Changes = match (&stands, mark) {
        (Some(_), _) => BTreeMap::new(),
        (None, None) if found.is_none() => BTreeMap::new(),
        (None, mark) => [(key(), mark.map(Mark::written))].into(),
    };
    in_thread(move || {
        let written = if changes.is_empty() { Ok(()) } else { write(&claim, changes) };
        claim.release();
        written
    })
    .await?;
    Ok(stands)
}

pub(super) fn how_to_remove() -> String {
    format!(
        "echo '{}|NULL' | kafka-console-producer.sh --topic {TOPIC} --property parse.key=true --property key.separator='|' --property null.marker=NULL",
        key()
    )
}

/// The holder's identity is its ledger file: its lock admits one process at a time.
fn holder(by: &Mark) -> Holder {
    Holder::new(&by.name, format!("{} {}", by.host, by.file.display()))
}

fn there(topic: &StateTopic) -> Result<Option<Mark>, MarkError> {
    let records = topic.records(&key()).map_err(Box::new)?;
    records.get("").map(|data| understood(data)).transpose()
}

fn understood(data: &[u8]) -> Result<Mark, MarkError> {
    Mark::read(&format!("the record {} of {TOPIC}", key()), data)
}

fn key() -> String {
    format!("{PREFIX}{MARK}")
}

fn claimed(topic: &StateTopic, holder: Holder) -> Result<Claim, MarkError> {
    let begun = Campaign::begin(topic, CLAIM, holder, Term::of(SILENCE));
    let mut campaign = begun.map_err(Box::new)?;
    loop {
        match campaign.turn(LOOK).map_err(Box::new)? {
            Turn::Ours(claim) => return Ok(claim),
            Turn::Open(_) => {}
            Turn::Theirs(holder) => {
                let claim = format!("the claim {CLAIM} in {TOPIC}");
                return Err(Box::new(Error::Held { claim, holder: Box::new(holder) }).into());
            }
        }
    }
}

fn write(claim: &Claim, changes: Changes) -> Result<(), MarkError> {
    match claim.write(changes).wait() {
        Ok(()) => Ok(()),
        Err(Unwritten::Refused(error)) => Err(Box::new(error).into()),
        Err(unwritten) => {
            let why = unwritten.why(claim.check());
            Err(MarkError::Busy { place: format!("the topic {TOPIC}"), why })
        }
    }
}

async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MarkError> + Send + 'static,
) -> Result<T, MarkError> {
    runtime::in_thread(work).await.unwrap_or_else(|| {
        let why = "the thread that asks it has died".to_owned();
        Err(MarkError::Busy { place: format!("the topic {TOPIC}"), why })
    })
}
