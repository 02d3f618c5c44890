//! Waits for a claim while another process holds it and is alive.

use crate::claim::{Claim, key};
use crate::error::{Error, Lost};
use crate::holder::Holder;
use crate::read::{Reader, Stored, last};
use crate::term::Term;
use crate::topic::StateTopic;
use crate::writer::Writer;
use std::time::{Duration, Instant};

/// A process that wants a claim and watches its holder. It never compares clocks of two machines: a holder counts as
/// dead when its record does not change for the term.
pub struct Campaign {
    topic: StateTopic,
    name: String,
    key: String,
    holder: Holder,
    term: Term,
    reader: Reader,
    /// When the record last changed, by our own clock.
    since: Instant,
}

/// The state of the claim.
#[derive(Debug)]
pub enum Turn {
    /// We hold it.
    Ours(Claim),
    /// Another process holds it, and has just proved that it is alive.
    Theirs(Holder),
    /// Not known yet: there is a record of this holder, which may be dead.
    Open(Holder),
}

impl Campaign {
    /// Reads the holder of the claim `name`. Changes nothing.
    ///
    /// # Errors
    /// The errors of reading the topic.
    pub fn begin(
        topic: &StateTopic,
        name: &str,
        holder: Holder,
        term: Term,
    ) -> Result<Self, Error> {
        let key = key(name);
        let reader = Reader::at_the_end(topic, &key)?;
        let (topic, name, since) = (topic.clone(), name.to_owned(), Instant::now());
        Ok(Self { topic, name, key, holder, term, reader, since })
    }

    /// Takes the claim in one of three cases; otherwise watches it for at most `within`. Call it repeatedly.
    ///
    /// - There is no holder.
    /// - The holder has been silent for its term.
    /// - The holder's place is our own, so it must be dead.
    ///
    /// # Errors
    /// The errors of reading and writing the topic. Blocks for at most about a minute.
    pub fn turn(&mut self, within: Duration) -> Result<Turn, Error> {
        let Some(seen) = self.reader.last(&self.key).cloned() else { return self.take(None) };
        let by = Holder::from_json(&self.key, &seen.value)?;
        let left = self.term.silence.saturating_sub(self.since.elapsed());
        if by.place == self.holder.place {
            return self.take(Some(seen));
        }
        if left.is_zero() {
            // A reader that was cut off from Kafka may have missed a live holder's renewals.
            return match self.another_than(Some(&seen))? {
                Some(lives) => Ok(Turn::Theirs(lives)),
                None => self.take(Some(seen)),
            };
        }
        if !self.reader.changes(&self.key, left.min(within)) {
            return Ok(Turn::Open(by));
        }
        self.since = Instant::now();
        match self.reader.last(&self.key) {
            // The holder released it.
            None => self.take(None),
            Some(now) => Ok(Turn::Theirs(Holder::from_json(&self.key, &now.value)?)),
        }
    }

    /// Takes the claim from this record's holder, if that record is still the last one.
    fn take(&mut self, dead: Option<Stored>) -> Result<Turn, Error> {
        let mut writer = Writer::fence(&self.topic, &self.name)?;
        // Names any process that took the claim between the two fencings. At worst, both start again.
        if let Some(lives) = self.another_than(dead.as_ref())? {
            return Ok(Turn::Theirs(lives));
        }
        let begun = Instant::now();
        let record = [(self.key.clone(), Some(self.holder.to_json()))].into();
        if let Err(error) = writer.write(&record) {
            return match (writer.is_fenced(&error), last(&self.topic, &self.key)?) {
                (true, Some(by)) => Ok(Turn::Theirs(Holder::from_json(&self.key, &by.value)?)),
                (true, None) => Err(Lost::Fenced.into()),
                (false, _) => Err(Error::of("writing to the topic of shared state")(error)),
            };
        }
        let own = (self.key.clone(), self.holder.clone());
        Ok(Turn::Ours(Claim::kept(&self.topic, &self.name, writer, own, begun, self.term)))
    }

    /// Reads the topic from the start. Returns the holder if its record differs from `seen`, and watches that record
    /// from now on.
    fn another_than(&mut self, seen: Option<&Stored>) -> Result<Option<Holder>, Error> {
        self.reader = Reader::at_the_end(&self.topic, &self.key)?;
        match self.reader.last(&self.key) {
            Some(now) if Some(now) != seen => {
                self.since = Instant::now();
                Holder::from_json(&self.key, &now.value).map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }
}
