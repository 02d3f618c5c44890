//! Waiting for a claim, for as long as somebody else holds it and lives.

use crate::claim::{Claim, key};
use crate::error::{Error, Lost};
use crate::holder::Holder;
use crate::read::{Reader, Stored, last};
use crate::term::Term;
use crate::topic::StateTopic;
use crate::writer::Writer;
use std::time::{Duration, Instant};

/// Whoever wants a claim, and watches the one who has it. No clock is compared with another's: a record that stands still
/// for the term is a holder that has died.
pub struct Campaign {
    topic: StateTopic,
    name: String,
    key: String,
    holder: Holder,
    term: Term,
    reader: Reader,
    /// When the record was last seen to change, by our own clock.
    since: Instant,
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// Ours.
    Ours(Claim),
    /// Another's: it has just been seen to be alive.
    Theirs(Holder),
    /// Nobody can tell yet: there is a record of this holder, which may be dead.
    Open(Holder),
}

impl Campaign {
    /// Reads who has the claim `name`. Changes nothing.
    ///
    /// # Errors
    /// Those of reading the topic.
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

    /// Takes the claim if nobody holds it, or who held it has been silent for its term, or it was held at the holder's own
    /// place; else watches for at most so long. To be called again and again.
    ///
    /// # Errors
    /// As reading and writing the topic. Blocks for about a minute at most.
    pub fn turn(&mut self, within: Duration) -> Result<Turn, Error> {
        let Some(seen) = self.reader.last(&self.key).cloned() else { return self.take(None) };
        let by = Holder::from_json(&self.key, &seen.value)?;
        let left = self.term.silence.saturating_sub(self.since.elapsed());
        if by.place == self.holder.place {
            return self.take(Some(seen));
        }
        if left.is_zero() {
            // A reader that was cut off has heard nothing of a holder that lives.
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
            // It was given back.
            None => self.take(None),
            Some(now) => Ok(Turn::Theirs(Holder::from_json(&self.key, &now.value)?)),
        }
    }

    /// Takes it from this record's holder, if that record is still the last one.
    fn take(&mut self, dead: Option<Stored>) -> Result<Turn, Error> {
        let mut writer = Writer::fence(&self.topic, &self.name)?;
        // Whoever came between fencing us out or being fenced by us is named; at worst both start again.
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

    /// Reads anew. Who holds it, where that is another record than this one: it is watched from now on.
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
