//! Decides whether a broker may start without its missing logs. Asks Kafka until there is a clear answer.

use super::volume::Volume;
use crate::error::{Beyond, Error};
use crate::session::Session;
use health::{Erasure, would_erase};
use kafka::{Standing, Unsettled};
use mapper::{BrokerId, Snapshot};
use operate::cluster::Servers;
use operate::live;
use operate::runtime;
use std::fmt;
use std::time::{Duration, Instant};

/// The pauses between two questions: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(15);
/// How often the same reason to wait is reported.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The facts that a question needs.
pub(super) struct Question<'a> {
    pub(super) broker: BrokerId,
    pub(super) volume: &'a Volume,
    pub(super) servers: &'a Servers,
    /// How long to wait for an answer; `None`: for ever.
    pub(super) patience: Option<Duration>,
}

/// Why there is no answer yet.
#[derive(Debug, thiserror::Error)]
enum WaitReason {
    #[error("Kafka cannot be asked: {0}")]
    Unreachable(kafka::Error),
    #[error("{0}")]
    Unsettled(Unsettled),
}

/// A line of progress.
struct WaitProgress<'a> {
    waited: Duration,
    reason: &'a WaitReason,
}

impl fmt::Display for WaitProgress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "waiting ({} s): {}", self.waited.as_secs(), self.reason)
    }
}

/// The replicas that the start would erase, once all brokers agree.
pub(super) fn erased(
    question: &Question<'_>,
    session: &mut Session<'_, '_>,
) -> Result<Vec<Erasure>, Error> {
    let snapshot = await_answer(question, session)?;
    same_cluster(question.volume, &snapshot)?;
    let erased = would_erase(&snapshot, question.broker, &question.volume.partitions);
    // Kafka reports leader and ISR of each partition. An answer without them is no answer.
    erased.map_err(|untold| {
        operate::Error::Unproven { broker: question.broker, problem: untold.to_string() }.into()
    })
}

fn await_answer(question: &Question<'_>, session: &mut Session<'_, '_>) -> Result<Snapshot, Error> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told: Option<(String, Instant)> = None;
    loop {
        let reason = match runtime::wait(ask(question))?? {
            Ok(snapshot) => return Ok(*snapshot),
            Err(reason) => reason,
        };
        let waited = began.elapsed();
        if question.patience.is_some_and(|patience| waited >= patience) {
            return Err(operate::Error::NoAnswer { waited, reason: reason.to_string() }.into());
        }
        let text = reason.to_string();
        if told.as_ref().is_none_or(|(last, when)| *last != text || when.elapsed() >= TELL_EVERY) {
            session.say(&WaitProgress { waited, reason: &reason })?;
            told = Some((text, Instant::now()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// One attempt. A problem that may pass is a reason to wait; every other one is an error.
async fn ask(question: &Question<'_>) -> Result<Result<Box<Snapshot>, WaitReason>, Error> {
    let answer = async {
        let client = live::kafka_client(question.servers).await?;
        Ok::<_, Error>(kafka::standing(&client, question.broker).await?)
    };
    match answer.await {
        Ok(Standing::Settled(snapshot)) => Ok(Ok(snapshot)),
        Ok(Standing::Unsettled(why)) => Ok(Err(WaitReason::Unsettled(why))),
        Err(Error::Live(Beyond::Operate(operate::Error::Kafka(error)))) if may_pass(&error) => {
            Ok(Err(WaitReason::Unreachable(*error)))
        }
        Err(error) => Err(error),
    }
}

fn may_pass(error: &kafka::Error) -> bool {
    matches!(
        error,
        kafka::Error::Unreachable { .. }
            | kafka::Error::AdvertisedUnreachable { .. }
            | kafka::Error::Timeout { .. }
            | kafka::Error::Closed { .. }
            | kafka::Error::Refused { .. }
            | kafka::Error::Contradictory(_)
    )
}

fn same_cluster(volume: &Volume, snapshot: &Snapshot) -> Result<(), Error> {
    match (&volume.cluster, snapshot.cluster_id()) {
        (Some((own, path)), Some(asked)) if own != asked => Err(Error::LogDir {
            path: path.clone(),
            problem: format!("it belongs to cluster {own}, and --bootstrap-server to {asked}"),
        }),
        _ => Ok(()),
    }
}
