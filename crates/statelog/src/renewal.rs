//! The thread that renews a claim, and writes records together with it.

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

/// The state of the claim.
#[derive(Debug, Clone)]
struct ClaimStanding {
    /// When the last successful renewal began.
    renewed: Instant,
    term: Term,
    fenced: bool,
    /// The errors of the renewals since then.
    failure: String,
}

/// Renews the claim until it is dropped, then releases it.
#[derive(Debug)]
pub(crate) struct Renewal {
    standing: Arc<Mutex<ClaimStanding>>,
    /// Dropping it ends the thread.
    asked: Option<Sender<WriteRequest>>,
    thread: Option<JoinHandle<()>>,
}

/// Records to write, and the channel for the answer.
type WriteRequest = (Changes, Sender<Result<(), Error>>);

/// The data of the thread.
struct Keeper {
    topic: StateTopic,
    /// The claim's name.
    name: String,
    key: String,
    holder: Holder,
    writer: Writer,
    term: Term,
    standing: Arc<Mutex<ClaimStanding>>,
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
        let standing = ClaimStanding { renewed, term, fenced: false, failure };
        let standing = Arc::new(Mutex::new(standing));
        let (asked, requests) = mpsc::channel();
        let (name, kept) = (name.to_owned(), Arc::clone(&standing));
        let keeper = Keeper { topic, name, key, holder, writer, term, standing: kept };
        let thread = thread::spawn(move || keeper.run(&requests));
        Self { standing, asked: Some(asked), thread: Some(thread) }
    }

    /// Asks the thread to write records. The answer comes when the write has succeeded or failed.
    pub(crate) fn write(&self, changes: Changes) -> Receiver<Result<(), Error>> {
        let (answer, answered) = mpsc::channel();
        // If the thread has ended, it drops the answer's sender, and the waiting caller gets an error.
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

impl ClaimStanding {
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
    fn run(mut self, requests: &Receiver<WriteRequest>) {
        let mut due = Instant::now() + self.term.every;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            let (changes, answer) = match requests.recv_timeout(left.min(self.writer.patience())) {
                Ok((changes, answer)) => (changes, Some(answer)),
                Err(RecvTimeoutError::Timeout) if Instant::now() < due => {
                    self.writer.renew_token();
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => (Changes::new(), None),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let written = self.renew(changes);
            due = Instant::now() + self.term.every;
            let lost = matches!(written, Err(Error::Lost(Lost::Fenced)));
            // A caller that stopped waiting does not need the answer.
            let _ = answer.map(|answer| answer.send(written));
            if lost {
                return;
            }
        }
        let gone = [(self.key.clone(), None)].into();
        if let Err(error) = self.writer.write(&gone) {
            tracing::info!(%error, "cannot release the claim: the next holder waits for its term");
        }
    }

    /// Renews the claim, and writes the records in the same transaction.
    fn renew(&mut self, mut changes: Changes) -> Result<(), Error> {
        self.holder.renew();
        let begun = Instant::now();
        changes.insert(self.key.clone(), Some(self.holder.to_json()));
        let written = self.writer.write(&changes);
        let fenced = match &written {
            Err(error) if self.writer.is_given_up(error) => !self.regains(),
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

    /// Tries to take the claim back with a new writer after Kafka refused ours for good. It also does that to a writer whose
    /// transaction took too long.
    ///
    /// It waits until a process that fenced us has had time to write its record. If the record is still ours, it fences
    /// the other writers in turn. That refuses any process that came in between.
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
                tracing::info!("refused, but no other process has the claim: continuing");
                self.writer = writer;
                true
            }
            Ok(None) => false,
            // The holder is unknown. The next renewal asks again, and until then the claim runs out.
            Err(error) => {
                tracing::warn!(%error, "refused, and the holder cannot be read");
                true
            }
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has already been reported.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Access;
    use crate::campaign::{Campaign, Turn};
    use crate::topic::TOPIC;
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use std::time::Duration;

    /// Kafka ends a transaction that takes too long, and then may know nothing of it. librdkafka gives the client up, so a
    /// claim that kept it could never be renewed.
    #[test]
    fn a_writer_that_kafka_refuses_for_good_is_replaced() {
        let kafka = MockCluster::new(1).unwrap();
        kafka.create_topic(TOPIC, 1, 1).unwrap();
        let topic =
            StateTopic::existing(Access::new([("bootstrap.servers", kafka.bootstrap_servers())]));
        let term = Term { every: Duration::from_millis(200), ..Term::default() };
        let holder = Holder::without_place("a test");
        let mut campaign = Campaign::begin(&topic, "executor", holder, term).unwrap();
        let Turn::Ours(claim) = campaign.turn(Duration::ZERO).unwrap() else { panic!("not ours") };
        let write = |value: &str| {
            let changes = [("a".to_owned(), Some(value.as_bytes().to_vec()))].into();
            claim.write(changes).wait()
        };
        write("before").unwrap();
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
        kafka.request_errors(RDKafkaApiKey::EndTxn, &[unknown]);
        assert!(write("refused").is_err());
        write("after").unwrap();
        claim.check().unwrap();
        assert_eq!(topic.records("a").unwrap()[""], b"after");
    }

    #[test]
    fn a_claim_ends_by_itself_when_it_is_not_renewed() {
        let renewed = Instant::now();
        let (term, failure) = (Term::default(), "timed out".to_owned());
        let standing = ClaimStanding { renewed, term, fenced: false, failure };
        let end = renewed + Duration::from_secs(20);
        assert_eq!(standing.until(renewed + Duration::from_secs(10)), Ok(end));
        let lost = Lost::NotRenewed { seconds: 20, why: "timed out".to_owned() };
        assert_eq!(standing.until(end), Err(lost));
        let fenced = ClaimStanding { fenced: true, ..standing };
        assert_eq!(fenced.until(renewed), Err(Lost::Fenced));
    }
}
