//! One holder at a time, on whichever machine.

use crate::campaign::{Campaign, Turn};
use crate::error::{Error, Lost};
use crate::holder::Holder;
use crate::pending::Pending;
use crate::read::last;
use crate::renewal::Renewal;
use crate::term::Term;
use crate::topic::StateTopic;
use crate::writer::{Changes, Writer};
use std::time::{Duration, Instant};

/// One look at whoever holds it.
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
        let mut campaign = Campaign::begin(topic, name, holder, Term::default())?;
        let mut is_told = false;
        loop {
            match campaign.turn(LOOK)? {
                Turn::Ours(claim) => return Ok(claim),
                Turn::Theirs(holder) => {
                    let (claim, holder) = (format!("the claim {name}"), Box::new(holder));
                    return Err(Error::Held { claim, holder });
                }
                Turn::Open(_) if is_told => {}
                Turn::Open(_) => {
                    tracing::info!(claim = name, "somebody holds it: waiting whether it lives");
                    is_told = true;
                }
            }
        }
    }

    /// Keeps what was just taken, at `renewed`.
    pub(crate) fn kept(
        topic: &StateTopic,
        name: &str,
        writer: Writer,
        own: (String, Holder),
        renewed: Instant,
        term: Term,
    ) -> Self {
        Self { renewal: Renewal::begin(topic.clone(), name, writer, own, (renewed, term)) }
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

    /// The moment from which on another process may hold it, unless it is renewed before: no write that it is for may go
    /// on after that.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn until(&self) -> Result<Instant, Lost> {
        self.renewal.until()
    }

    /// Writes records beside the claim, in its own transactions: a holder that was fenced writes nothing. What came of it
    /// is there to be waited for; what failed may have been written.
    pub fn write(&self, changes: Changes) -> Pending {
        Pending { answered: self.renewal.write(changes) }
    }

    /// Gives it back, so that the next holder does not have to wait.
    pub fn release(self) {
        drop(self);
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("claim/{name}")
}
