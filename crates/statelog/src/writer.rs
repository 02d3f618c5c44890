//! The single writer of a claim and its records.

use crate::access::LoginContext;
use crate::error::{Error, code};
use crate::topic::{PATIENCE, StateTopic, TOPIC};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a client whose login needs tokens is polled: librdkafka asks for the next one only then.
const TOKEN_TURN: Duration = Duration::from_millis(250);

/// Records by their keys; `None` deletes one.
pub type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Writes records in transactions. A new writer fences the previous one on any machine.
pub(crate) struct Writer {
    producer: BaseProducer<LoginContext>,
    needs_token: bool,
    unended: Option<Ending>,
}

/// How a transaction is ending while Kafka has not answered yet. A retry must end it in the same way.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Commit,
    Abort,
}

impl Writer {
    /// Fences all earlier writers with this name.
    pub(crate) fn fence(topic: &StateTopic, name: &str) -> Result<Self, Error> {
        let mut config = topic.access.client();
        config.set("transactional.id", format!("mappr-{name}")).set("acks", "all");
        // After our death the broker aborts the transaction soon, so that readers do not wait for it.
        config.set("transaction.timeout.ms", "10000").set("delivery.timeout.ms", "8000");
        config.set("request.timeout.ms", "5000");
        // A claim ends within seconds, so a lost connection is soon tried again. librdkafka would wait up to 10 s.
        config.set("reconnect.backoff.max.ms", "1000");
        let access = &topic.access;
        let producer: BaseProducer<LoginContext> =
            access.create(&config).map_err(Error::of("a writer of shared state"))?;
        let writer = Self { producer, needs_token: access.needs_token(), unended: None };
        writer.renew_token();
        let fenced = writer.producer.init_transactions(PATIENCE);
        fenced.map_err(Error::of("fencing an earlier writer"))?;
        Ok(writer)
    }

    /// How long the writer may wait for its next write without [`Self::renew_token`].
    pub(crate) fn patience(&self) -> Duration {
        if self.needs_token { TOKEN_TURN } else { Duration::MAX }
    }

    /// Gets the next token, if it is time. Transactions wait without asking for it.
    pub(crate) fn renew_token(&self) {
        if self.needs_token {
            self.producer.poll(Duration::ZERO);
        }
    }

    /// Writes (`Some`) and deletes (`None`) records, all or none. A failed write may have been made, or may still be
    /// made.
    pub(crate) fn write(&mut self, changes: &Changes) -> Result<(), KafkaError> {
        self.renew_token();
        if let Some(ending) = self.unended {
            self.end(ending)?;
        }
        self.producer.begin_transaction()?;
        for (key, value) in changes {
            let record = BaseRecord::to(TOPIC).partition(0).key(key);
            let record = value.iter().fold(record, |record, value| record.payload(value));
            if let Err((error, _)) = self.producer.send(record) {
                self.unended = Some(Ending::Abort);
                return Err(error);
            }
        }
        self.end(Ending::Commit)
    }

    /// Ends the transaction, or remembers how it must end.
    fn end(&mut self, ending: Ending) -> Result<(), KafkaError> {
        let ended = match ending {
            Ending::Commit => self.producer.commit_transaction(PATIENCE),
            Ending::Abort => self.producer.abort_transaction(PATIENCE),
        };
        self.unended = match &ended {
            Ok(()) => None,
            Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                Some(Ending::Abort)
            }
            Err(_) => Some(ending),
        };
        ended
    }

    /// Whether librdkafka has given the client up: another writer has replaced us, or Kafka does not know its transaction.
    /// Only a new client can write again.
    pub(crate) fn is_given_up(&self, error: &KafkaError) -> bool {
        self.is_fenced(error) || self.producer.client().fatal_error().is_some()
    }

    /// Whether another writer has replaced us. The client never recovers from this.
    pub(crate) fn is_fenced(&self, error: &KafkaError) -> bool {
        let fences = |code| {
            matches!(
                code,
                RDKafkaErrorCode::Fenced
                    | RDKafkaErrorCode::ProducerFenced
                    | RDKafkaErrorCode::InvalidProducerEpoch
            )
        };
        let fatal = self.producer.client().fatal_error();
        code(error).is_some_and(fences) || fatal.is_some_and(|(code, _)| fences(code))
    }
}
