//! One holder at a time, on whichever machine.

use crate::error::{Error, Lost};
use crate::holder::Holder;
use crate::read::{Stored, last};
use crate::renewal::Renewal;
use crate::topic::StateTopic;
use crate::writer::{Changes, Writer};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

/// How long a holder may act after its last renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(20);
/// How long a record has to stay as it is before its holder counts as dead: longer than the holder may act, so that no
/// two ever do.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks at a record that may change.
const LOOK: Duration = Duration::from_secs(2);

/// A claim that this process holds. It is renewed in the background, and given back when it is dropped.
#[derive(Debug)]
pub struct Claim {
    renewal: Renewal,
}

impl Claim {
    /// Takes the claim `name` of the cluster.
    ///
    /// Whoever stands in the topic may be dead: it is watched for half a minute, unless it was at the holder's own place.
    /// No clock is compared with another's.
    ///
    /// # Errors
    /// [`Error::Held`] with a holder that lives; else as reading and writing the topic. Blocks for at most about a minute.
    pub fn take(topic: &StateTopic, name: &str, holder: Holder) -> Result<Self, Error> {
        let key = key(name);
        let held = |by: &Stored| {
            Ok::<_, Error>(Error::Held {
                claim: format!("the claim {name}"),
                holder: Box::new(Holder::from_json(&key, &by.value)?),
            })
        };
        let before = settled(topic, &key, &holder)?;
        if let Some(Verdict::Lives(by)) = &before {
            return Err(held(by)?);
        }
        let dead = before.map(Verdict::record);
        let mut writer = Writer::fence(topic, name)?;
        // Whoever came between fencing us out or being fenced by us is named; at worst both start again.
        let now = last(topic, &key)?;
        if now != dead
            && let Some(by) = &now
        {
            return Err(held(by)?);
        }
        let begun = Instant::now();
        if let Err(error) = writer.write(&[(key.clone(), Some(holder.to_json()))].into()) {
            return Err(match (writer.is_fenced(&error), last(topic, &key)?) {
                (true, Some(by)) => held(&by)?,
                (true, None) => Lost::Fenced.into(),
                (false, _) => Error::of("writing to the topic of shared state")(error),
            });
        }
        Ok(Self { renewal: Renewal::begin(topic.clone(), name, writer, (key, holder), begun) })
    }

    /// Who has the claim `name`, without taking it. One that has died is named until somebody else takes it.
    ///
    /// # Errors
    /// Those of reading the topic.
    pub fn holder(topic: &StateTopic, name: &str) -> Result<Option<Holder>, Error> {
        let key = key(name);
        let found = last(topic, &key)?;
        found.map(|found| Holder::from_json(&key, &found.value)).transpose()
    }

    /// Whether it may be acted on, now: to be asked before everything that the claim is for.
    ///
    /// # Errors
    /// [`Lost`]: nothing may be changed any more. [`Lost::NotRenewed`] may pass; [`Lost::Fenced`] does not.
    pub fn check(&self) -> Result<(), Lost> {
        self.renewal.check()
    }

    /// Writes records beside the claim, in its own transactions: a holder that was fenced writes nothing. What came of it
    /// is received later; what failed may have been written.
    pub fn write(&self, changes: Changes) -> Receiver<Result<(), Error>> {
        self.renewal.write(changes)
    }

    /// Gives it back, so that the next holder does not have to wait.
    pub fn release(self) {
        drop(self);
    }
}

fn key(name: &str) -> String {
    format!("claim/{name}")
}

/// What a record says of its holder.
enum Verdict {
    Lives(Stored),
    Dead(Stored),
}

impl Verdict {
    fn record(self) -> Stored {
        match self {
            Self::Lives(record) | Self::Dead(record) => record,
        }
    }
}

/// Watches the record until its holder is known to live or to be dead; `None` where nobody holds the claim.
fn settled(topic: &StateTopic, key: &str, holder: &Holder) -> Result<Option<Verdict>, Error> {
    let Some(first) = last(topic, key)? else { return Ok(None) };
    if Holder::from_json(key, &first.value)?.place == holder.place {
        return Ok(Some(Verdict::Dead(first)));
    }
    tracing::info!(%key, "somebody holds it: waiting whether it lives");
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        thread::sleep(LOOK);
        match last(topic, key)? {
            None => return Ok(None),
            Some(now) if now != first => return Ok(Some(Verdict::Lives(now))),
            Some(_) => {}
        }
    }
    Ok(Some(Verdict::Dead(first)))
}
