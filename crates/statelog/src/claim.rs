//! One holder at a time, on any machine.

use crate::error::{Error, Lost};
use crate::holder::Holder;
use crate::pending::Pending;
use crate::read::{Reader, last};
use crate::renewal::Renewal;
use crate::term::Term;
use crate::topic::StateTopic;
use crate::writer::{Changes, Writer};
use std::time::Instant;

/// A claim that this process holds. A thread renews it, and dropping it releases it.
#[derive(Debug)]
pub struct Claim {
    renewal: Renewal,
}

impl Claim {
    /// Renews the claim that this process took at `renewed`.
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

    /// The holder of the claim `name`, without taking the claim. A dead holder is returned until another process takes
    /// it.
    ///
    /// # Errors
    /// The errors of reading the topic.
    pub fn holder(topic: &StateTopic, name: &str) -> Result<Option<Holder>, Error> {
        let key = key(name);
        let found = last(topic, &key)?;
        found.map(|found| Holder::from_json(&key, &found.value)).transpose()
    }

    /// The live holder of the claim `name`. Watches its record until it changes, or until a live holder would have
    /// renewed it.
    ///
    /// # Errors
    /// The errors of reading the topic.
    pub fn live_holder(
        topic: &StateTopic,
        name: &str,
        term: Term,
    ) -> Result<Option<Holder>, Error> {
        let key = key(name);
        let mut reader = Reader::at_the_end(topic, &key)?;
        let changed = reader.last(&key).is_some() && reader.changes(&key, term.silence);
        let found = reader.last(&key).filter(|_| changed);
        found.map(|found| Holder::from_json(&key, &found.value)).transpose()
    }

    /// Whether the claim is valid now. Check it before each action that the claim is for.
    ///
    /// # Errors
    /// [`Lost`]: the caller must not change anything. [`Lost::NotRenewed`] may pass; [`Lost::Fenced`] does not.
    pub fn check(&self) -> Result<(), Lost> {
        self.renewal.check()
    }

    /// The moment from which another process may hold the claim, unless it is renewed first. No write that needs the
    /// claim may continue after it.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn until(&self) -> Result<Instant, Lost> {
        self.renewal.until()
    }

    /// Writes records together with the claim, in its transactions, so that a fenced holder writes nothing. The caller
    /// can wait for the result. A failed write may have been made.
    pub fn write(&self, changes: Changes) -> Pending {
        Pending { answered: self.renewal.write(changes) }
    }

    /// Releases the claim, so that the next holder does not have to wait.
    pub fn release(self) {
        drop(self);
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("claim/{name}")
}
