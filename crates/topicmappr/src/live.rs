//! Live clusters: the only part of the program that opens a socket, or starts a runtime.

use crate::error::Error;
use crate::files;
use crate::flags::{LogArgs, LogFormat, Servers, TalkArgs, ZooKeeperPlace};
use crate::plain::Plain;
use crate::session::Session;
use crate::source::{Facts, Note};
use jiff::{SignedDuration, Timestamp};
use kafka::admin::ConfigKeys;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;
use zookeeper::{Deadlines, StoredMetrics, ToStore, ZooKeeper};

/// Captures the cluster behind these servers.
pub(crate) fn capture(servers: &Servers, talk: &TalkArgs) -> Result<Facts, Error> {
    log(talk);
    wait(async {
        match servers {
            Servers::Kafka { bootstrap, properties, metrics } => {
                from_kafka(bootstrap, properties.as_deref(), metrics.as_ref()).await
            }
            Servers::ZooKeeper(place) => from_zookeeper(place).await,
        }
    })?
}

/// Waits for servers to answer.
pub(crate) fn wait<T>(answer: impl Future<Output = T>) -> Result<T, Error> {
    // One thread is enough: the work is waiting.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(Error::Runtime)?.block_on(answer))
}

/// Does what blocks, on a thread that nobody waits for when the process ends; `None`: that thread has died.
pub(crate) async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || {
        let _ = answer.send(work());
    });
    answered.await.ok()
}

/// Does what has to wait for servers, with logs.
pub(crate) fn wait_for<T>(
    talk: &TalkArgs,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    log(talk);
    wait(work)?
}

/// A way into the cluster behind these servers.
pub(crate) async fn kafka_client(servers: &Servers) -> Result<kafka::Client, Error> {
    match servers {
        Servers::Kafka { bootstrap, properties, .. } => {
            Ok(kafka::Client::connect(settings(bootstrap, properties.as_deref())?).await?)
        }
        Servers::ZooKeeper(_) => Err(Error::NoSource),
    }
}

/// A cluster to call, for commands that do more than capture it.
pub(crate) async fn kafka(servers: &Servers) -> Result<(kafka::Client, Vec<Note>), Error> {
    match servers {
        Servers::Kafka { bootstrap, properties, .. } => {
            client(bootstrap, properties.as_deref()).await
        }
        Servers::ZooKeeper(_) => {
            let message = "this command speaks to Kafka's brokers: --bootstrap-server HOST:PORT";
            Err(Error::Flags(message.to_owned()))
        }
    }
}

/// Connects to Kafka; what is to be known of the properties.
pub(crate) async fn client(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<(kafka::Client, Vec<Note>), Error> {
    let settings = settings(bootstrap, properties)?;
    let notes = settings.ignored.iter().map(|key| ignored(key)).collect();
    Ok((kafka::Client::connect(settings).await?, notes))
}

impl Session<'_, '_> {
    /// Connects to Kafka, and says what is to be known of the properties.
    pub(crate) async fn client(
        &mut self,
        bootstrap: &str,
        properties: Option<&Path>,
    ) -> Result<kafka::Client, Error> {
        let (client, notes) = client(bootstrap, properties).await?;
        notes.iter().try_for_each(|note| self.say(note))?;
        Ok(client)
    }
}

/// What a cluster says of itself now.
pub(crate) async fn captured(client: &kafka::Client) -> Result<kafka::Capture, Error> {
    captured_with(client, ConfigKeys::All).await
}

/// The same, with these of the topics' configs.
pub(crate) async fn captured_with(
    client: &kafka::Client,
    configs: ConfigKeys,
) -> Result<kafka::Capture, Error> {
    Ok(kafka::snapshot(client, &kafka::Wanted { captured_at: now(), configs }).await?)
}

async fn from_kafka(
    bootstrap: &str,
    properties: Option<&Path>,
    metrics: Option<&ZooKeeperPlace>,
) -> Result<Facts, Error> {
    let (client, mut notes) = client(bootstrap, properties).await?;
    let captured = captured(&client).await?;
    notes.extend(
        captured
            .notices
            .iter()
            .map(|notice| Note { text: notice.to_string(), hint: notice.hint() }),
    );
    let facts = Facts::new(captured.snapshot, notes);
    match metrics {
        Some(place) => {
            let zookeeper = zookeeper(place).await?;
            let stored = zookeeper.stored_metrics(&place.metrics_prefix).await?;
            completed(facts, &stored)
        }
        None => Ok(facts),
    }
}

/// The same for whoever has no time: nobody is waited for longer than a moment.
pub(crate) async fn hasty_client(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<kafka::Client, Error> {
    Ok(kafka::Client::connect(hasty(settings(bootstrap, properties)?)).await?)
}

/// No longer than a moment for anything.
pub(crate) fn hasty(mut settings: kafka::Settings) -> kafka::Settings {
    const SETUP: Duration = Duration::from_millis(1500);
    const REQUEST: Duration = Duration::from_secs(2);
    settings.setup_timeout = settings.setup_timeout.min(SETUP);
    settings.request_timeout = settings.request_timeout.min(REQUEST);
    settings
}

fn ignored(key: &str) -> Note {
    Note::new(format!("the client property {key} has no meaning here"))
}

pub(crate) fn settings(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<kafka::Settings, Error> {
    let text = properties.map(files::read_text).transpose()?;
    let wrong = |error| Error::from(kafka::Error::from(error));
    let mut properties = kafka::Properties::parse(&text.unwrap_or_default()).map_err(wrong)?;
    properties.set("bootstrap.servers", bootstrap);
    kafka::Settings::from_properties(&properties).map_err(wrong)
}

async fn from_zookeeper(place: &ZooKeeperPlace) -> Result<Facts, Error> {
    let zookeeper = zookeeper(place).await?;
    let captured = zookeeper.snapshot().await?;
    let notices = captured.notices.iter();
    let notes = notices.map(|notice| Note::new(notice.to_string())).collect();
    let facts = Facts::new(captured.snapshot, notes);
    match zookeeper.stored_metrics(&place.metrics_prefix).await {
        Ok(stored) => completed(facts, &stored),
        // ZooKeeper alone may do without: the plan then places by count, and says so.
        Err(zookeeper::Error::NoMetrics { .. }) => Ok(facts),
        Err(error) => Err(error.into()),
    }
}

/// Stores metrics in the cluster's znodes.
pub(crate) async fn store_metrics(place: &ZooKeeperPlace, metrics: &ToStore) -> Result<(), Error> {
    Ok(zookeeper(place).await?.store_metrics(&place.metrics_prefix, metrics).await?)
}

/// Opens a session with a cluster's ZooKeeper.
pub(crate) async fn zookeeper(place: &ZooKeeperPlace) -> Result<ZooKeeper, Error> {
    let mut address = ensemble(place)?;
    if let Some(prefix) = &place.chroot {
        address = address.with_prefix(prefix).map_err(wrong_address(place))?;
    }
    Ok(ZooKeeper::connect(&address, Deadlines::default()).await?)
}

/// Its servers, and the chroot that is written with them: what Kafka's own prefix is, no matter.
pub(crate) fn ensemble(place: &ZooKeeperPlace) -> Result<zookeeper::Address, Error> {
    place.connect.parse().map_err(wrong_address(place))
}

fn wrong_address(place: &ZooKeeperPlace) -> impl Fn(zookeeper::BadAddress) -> Error {
    |problem| Error::Flag {
        flag: "--zookeeper",
        value: place.connect.clone(),
        problem: problem.to_string(),
    }
}

fn completed(facts: Facts, stored: &StoredMetrics) -> Result<Facts, Error> {
    let age = Timestamp::try_from(stored.captured)
        .map(|captured| Timestamp::now().duration_since(captured))
        .unwrap_or(SignedDuration::MAX);
    let snapshot = stored.complete(facts.snapshot);
    Ok(Facts {
        snapshot: snapshot.map_err(zookeeper::Error::Contradictory)?,
        metrics_age: Some(age),
        ..facts
    })
}

/// RFC 3339, UTC, to the second.
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Logs go to stderr, for as long as the process lives.
pub(crate) fn log(talk: &TalkArgs) {
    talk.logs.start(LevelFilter::WARN);
}

impl LogArgs {
    /// Logs go to stderr from now on, for as long as the process lives; what is below `usual` only if it is asked for.
    pub fn start(&self, usual: LevelFilter) {
        const LEVELS: [LevelFilter; 4] =
            [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];
        let from = LEVELS.iter().position(|level| *level == usual).unwrap_or_default();
        let asked = LEVELS.get(from + usize::from(self.verbose)).unwrap_or(&LevelFilter::TRACE);
        let level = if self.quiet { LevelFilter::ERROR } else { *asked };
        let logs = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(|| Plain::new(io::stderr()));
        // A second run in one process keeps the first one's logs.
        let _ = match self.log_format {
            LogFormat::Text => logs.try_init(),
            LogFormat::Json => logs.json().try_init(),
        };
    }
}
