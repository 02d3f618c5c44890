//! The thread that keeps a claim, and writes what goes with it.

use crate::error::{Error, Lost};
use crate::holder::Holder;
use crate::read::last;
use crate::term::Term;
use crate::topic::StateTopic;
use crate::writer::{Changes, Writer};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// How the claim stands.
#[derive(Debug, Clone)]
struct Standing {
    /// When the last renewal that succeeded was begun.
    renewed: Instant,
    term: Term,
    fenced: bool,
    /// What the renewals since then came to.
    failure: String,
}

/// Renews until it is dropped, then gives the claim back.
#[derive(Debug)]
pub(crate) struct Renewal {
    standing: Arc<Mutex<Standing>>,
    /// Dropped to end the thread.
    asked: Option<Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
}

/// Records to write, and who waits for the answer.
type Asked = (Changes, Sender<Result<(), Error>>);

/// What the thread works with.
struct Keeper {
    topic: StateTopic,
    /// Of the claim.
    name: String,
    key: String,
    holder: Holder,
    writer: Writer,
    term: Term,
    standing: Arc<Mutex<Standing>>,
}

impl Renewal {
    pub(crate) fn begin(
        topic: StateTopic,
        name: &str,
        writer: Writer,
        (key, holder): (String, Holder),
        (renewed, term): (Instant, Term),
    ) -> Self {
        let failure = "no answer".to_owned();
        let standing = Standing { renewed, term, fenced: false, failure };
        let standing = Arc::new(Mutex::new(standing));
        let (asked, requests) = mpsc::channel();
        let (name, kept) = (name.to_owned(), Arc::clone(&standing));
        let keeper = Keeper { topic, name, key, holder, writer, term, standing: kept };
        let thread = thread::spawn(move || keeper.run(&requests));
        Self { standing, asked: Some(asked), thread: Some(thread) }
    }

    /// Has records written; the answer comes when they are, or are not.
    pub(crate) fn write(&self, changes: Changes) -> Receiver<Result<(), Error>> {
        let (answer, answered) = mpsc::channel();
        // Where the thread has ended, the answer's sender ends with it, and whoever waits hears of that.
        let _ = self.asked.as_ref().map(|asked| asked.send((changes, answer)));
        answered
    }

    pub(crate) fn check(&self) -> Result<(), Lost> {
        self.until().map(drop)
    }

    pub(crate) fn until(&self) -> Result<Instant, Lost> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).until(Instant::now())
    }
}

impl Standing {
    fn until(&self, now: Instant) -> Result<Instant, Lost> {
        let since = now.saturating_duration_since(self.renewed);
        if self.fenced {
            Err(Lost::Fenced)
        } else if since >= self.term.lease {
            Err(Lost::NotRenewed { seconds: since.as_secs(), why: self.failure.clone() })
        } else {
            Ok(self.renewed + self.term.lease)
        }
    }
}

impl Keeper {
    fn run(mut self, requests: &Receiver<Asked>) {
        let mut due = Instant::now() + self.term.every;
        loop {
            let (changes, answer) =
                match requests.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok((changes, answer)) => (changes, Some(answer)),
                    Err(RecvTimeoutError::Timeout) => (Changes::new(), None),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
            let written = self.renew(changes);
            due = Instant::now() + self.term.every;
            let lost = matches!(written, Err(Error::Lost(Lost::Fenced)));
            // Whoever waits no more has gone on without the answer.
            let _ = answer.map(|answer| answer.send(written));
            if lost {
                return;
            }
        }
        let gone = [(self.key.clone(), None)].into();
        if let Err(error) = self.writer.write(&gone) {
            tracing::info!(%error, "the claim is not given back: the next holder has to wait");
        }
    }

    /// Renews the claim, and writes what goes with it in the same transaction.
    fn renew(&mut self, mut changes: Changes) -> Result<(), Error> {
        self.holder.renew();
        let begun = Instant::now();
        changes.insert(self.key.clone(), Some(self.holder.to_json()));
        let written = self.writer.write(&changes);
        let fenced = match &written {
            Err(error) if self.writer.is_fenced(error) => !self.regains(),
            Ok(()) | Err(_) => false,
        };
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(()) => standing.renewed = begun,
            Err(_) if fenced => {
                standing.fenced = true;
                return Err(Lost::Fenced.into());
            }
            Err(error) => {
                standing.failure = error.to_string();
                return Err(Error::of("writing to the topic of shared state")(error));
            }
        }
        Ok(())
    }

    /// Kafka also fences whose transaction took too long. The record tells whether somebody else has the claim, once whoever
    /// has fenced us has had the time to write it; where it is still ours, we fence in our turn, and whoever came between is
    /// refused by that.
    fn regains(&mut self) -> bool {
        thread::sleep(self.term.every);
        let is_ours = |topic: &StateTopic| {
            let found = last(topic, &self.key)?;
            let found =
                found.map(|found| Holder::from_json(&self.key, &found.value)).transpose()?;
            Ok::<_, Error>(found.is_some_and(|found| found.is(&self.holder)))
        };
        let regained = || {
            if !is_ours(&self.topic)? {
                return Ok(None);
            }
            let writer = Writer::fence(&self.topic, &self.name)?;
            Ok::<_, Error>(is_ours(&self.topic)?.then_some(writer))
        };
        match regained() {
            Ok(Some(writer)) => {
                tracing::info!("fenced, and nobody else has the claim: going on");
                self.writer = writer;
                true
            }
            Ok(None) => false,
            // Nobody can say: the next renewal asks again, and until then the claim runs out.
            Err(error) => {
                tracing::warn!(%error, "fenced, and nobody can say by whom");
                true
            }
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that a panic would tell better.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_claim_ends_by_itself_when_it_is_not_renewed() {
        let renewed = Instant::now();
        let (term, failure) = (Term::default(), "timed out".to_owned());
        let standing = Standing { renewed, term, fenced: false, failure };
        let end = renewed + Duration::from_secs(20);
        assert_eq!(standing.until(renewed + Duration::from_secs(10)), Ok(end));
        let lost = Lost::NotRenewed { seconds: 20, why: "timed out".to_owned() };
        assert_eq!(standing.until(end), Err(lost));
        let fenced = Standing { fenced: true, ..standing };
        assert_eq!(fenced.until(renewed), Err(Lost::Fenced));
    }
}
