//! Connects to live clusters. Only this module opens sockets or starts a runtime.

use crate::cluster::{Servers, ZooKeeperPlace};
use crate::error::Error;
use crate::events::Note;
use crate::files;
use crate::rates;
use crate::runtime;
use jiff::{SignedDuration, Timestamp};
use kafka::admin::ConfigKeys;
use kafka::{Credentials, REFRESH_AFTER, Roots, Settings, TokenSource};
use mapper::Snapshot;
use mapper::snapshot::MeasuredRates;
use statelog::{Access, AccessToken};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zookeeper::{
    Deadlines, StoredMetrics, ToStore, ZooKeeper, ZooKeeperAccess, ZooKeeperLogin, ZooKeeperTls,
};

/// A captured cluster.
pub struct CapturedCluster {
    /// The cluster.
    pub snapshot: Snapshot,
    /// The age of stored metrics, if the run needed them.
    pub metrics_age: Option<SignedDuration>,
    /// What is missing from the snapshot, and why.
    pub notes: Vec<Note>,
}

impl CapturedCluster {
    fn new(snapshot: Snapshot, notes: Vec<Note>) -> Self {
        Self { snapshot, metrics_age: None, notes }
    }
}

/// Captures the cluster behind these servers. `rates`: how long to measure what producers write first, if at all;
/// ZooKeeper alone knows no logs, so it measures nothing.
pub fn capture(servers: &Servers, rates: Option<Duration>) -> Result<CapturedCluster, Error> {
    runtime::wait(async {
        match servers {
            Servers::Kafka { bootstrap, properties, metrics } => {
                from_kafka(bootstrap, properties.as_deref(), metrics.as_ref(), rates).await
            }
            Servers::ZooKeeper(place) => from_zookeeper(place).await,
        }
    })?
}

/// Connects to the cluster behind these servers.
pub async fn kafka_client(servers: &Servers) -> Result<kafka::Client, Error> {
    match servers {
        Servers::Kafka { bootstrap, properties, .. } => {
            Ok(kafka::Client::connect(settings(bootstrap, properties.as_deref())?).await?)
        }
        Servers::ZooKeeper(_) => Err(local::Error::NoSource.into()),
    }
}

/// Connects to the cluster, for commands that do more than capture it. Also returns notes on ignored client
/// properties.
pub async fn kafka(servers: &Servers) -> Result<(kafka::Client, Vec<Note>), Error> {
    match servers {
        Servers::Kafka { bootstrap, properties, .. } => {
            client(bootstrap, properties.as_deref()).await
        }
        Servers::ZooKeeper(_) => {
            let message = "this command speaks to Kafka's brokers: --bootstrap-server HOST:PORT";
            Err(local::Error::Flags(message.to_owned()).into())
        }
    }
}

/// Connects to the cluster behind these bootstrap servers, with the client properties in this file, if any. Also
/// returns the properties that have no meaning here.
///
/// # Errors
/// The properties are wrong, or no server answers.
pub async fn connect(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<(kafka::Client, Vec<String>), Error> {
    let settings = settings(bootstrap, properties)?;
    let ignored = settings.ignored.clone();
    Ok((kafka::Client::connect(settings).await?, ignored))
}

/// The settings with which librdkafka reaches the same cluster as the same user.
///
/// # Errors
/// The properties are wrong.
pub fn data_plane(bootstrap: &str, properties: Option<&Path>) -> Result<Access, Error> {
    Ok(access(&settings(bootstrap, properties)?).map_err(kafka::Error::from)?)
}

/// Connects to Kafka; the notes name ignored client properties.
pub async fn client(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<(kafka::Client, Vec<Note>), Error> {
    let (client, keys) = connect(bootstrap, properties).await?;
    Ok((client, keys.iter().map(|key| ignored(key)).collect()))
}

/// Captures the current state of a cluster.
pub async fn captured(client: &kafka::Client) -> Result<kafka::Capture, Error> {
    captured_with(client, ConfigKeys::All).await
}

/// The same, with only these topic configs.
pub(crate) async fn captured_with(
    client: &kafka::Client,
    configs: ConfigKeys,
) -> Result<kafka::Capture, Error> {
    Ok(kafka::snapshot(client, &kafka::Wanted { captured_at: runtime::now(), configs }).await?)
}

async fn from_kafka(
    bootstrap: &str,
    properties: Option<&Path>,
    metrics: Option<&ZooKeeperPlace>,
    rates: Option<Duration>,
) -> Result<CapturedCluster, Error> {
    let (client, mut notes) = client(bootstrap, properties).await?;
    // Before the capture, so that sizes and leaders are those of the end of the measurement.
    let measured = match rates {
        Some(during) => Some(rates::measured(&client, during).await?),
        None => None,
    };
    let captured = captured(&client).await?;
    notes.extend(
        captured
            .notices
            .iter()
            .map(|notice| Note { text: notice.to_string(), hint: notice.hint() }),
    );
    let mut snapshot = captured.snapshot;
    if let Some(measured) = measured {
        snapshot = with_rates(snapshot, &measured, &mut notes)?;
    }
    let facts = CapturedCluster::new(snapshot, notes);
    match metrics {
        Some(place) => {
            let zookeeper = zookeeper(place).await?;
            let stored = zookeeper.stored_metrics(&place.metrics_prefix).await?;
            completed(facts, &stored)
        }
        None => Ok(facts),
    }
}

/// The snapshot with the rates of producers, measured for this time, and notes on those that are unknown.
///
/// # Errors
/// No server answers.
pub async fn rated(
    servers: &Servers,
    snapshot: Snapshot,
    during: Duration,
) -> Result<(Snapshot, Vec<Note>), Error> {
    let (client, mut notes) = kafka(servers).await?;
    let measured = rates::measured(&client, during).await?;
    Ok((with_rates(snapshot, &measured, &mut notes)?, notes))
}

fn with_rates(
    snapshot: Snapshot,
    measured: &MeasuredRates,
    notes: &mut Vec<Note>,
) -> Result<Snapshot, Error> {
    let (rated, unmeasured) = snapshot.with_rates(measured).map_err(kafka::Error::from)?;
    notes.extend(rates::notes(&unmeasured));
    Ok(rated)
}

/// Connects with short time limits, for commands that must not wait.
pub async fn hasty_client(
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<kafka::Client, Error> {
    Ok(kafka::Client::connect(hasty(settings(bootstrap, properties)?)).await?)
}

/// Shortens all time limits.
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

/// Kafka client settings: the properties file, if any, with `bootstrap` as `bootstrap.servers`.
///
/// # Errors
/// The file cannot be read, or a client property has no valid value.
pub fn settings(bootstrap: &str, properties: Option<&Path>) -> Result<kafka::Settings, Error> {
    let text = properties.map(files::read_text).transpose()?;
    let wrong = |error| Error::from(kafka::Error::from(error));
    let mut properties = kafka::Properties::parse(&text.unwrap_or_default()).map_err(wrong)?;
    properties.set("bootstrap.servers", bootstrap);
    kafka::Settings::from_properties(&properties).map_err(wrong)
}

async fn from_zookeeper(place: &ZooKeeperPlace) -> Result<CapturedCluster, Error> {
    let zookeeper = zookeeper(place).await?;
    let captured = zookeeper.snapshot().await?;
    let notices = captured.notices.iter();
    let notes = notices.map(|notice| Note::new(notice.to_string())).collect();
    let facts = CapturedCluster::new(captured.snapshot, notes);
    match zookeeper.stored_metrics(&place.metrics_prefix).await {
        Ok(stored) => completed(facts, &stored),
        // Metrics are optional with ZooKeeper alone: without them the plan places by count, and says so.
        Err(zookeeper::Error::NoMetrics { .. }) => Ok(facts),
        Err(error) => Err(error.into()),
    }
}

/// Stores metrics in the cluster's znodes.
pub async fn store_metrics(place: &ZooKeeperPlace, metrics: &ToStore) -> Result<(), Error> {
    Ok(zookeeper(place).await?.store_metrics(&place.metrics_prefix, metrics).await?)
}

/// Opens a session with a cluster's ZooKeeper.
pub async fn zookeeper(place: &ZooKeeperPlace) -> Result<ZooKeeper, Error> {
    Ok(ZooKeeper::connect(&chrooted(place)?, Deadlines::default()).await?)
}

/// Its servers, with both chroots.
pub fn chrooted(place: &ZooKeeperPlace) -> Result<zookeeper::ZooKeeperAddress, Error> {
    let address = ensemble(place)?;
    match &place.chroot {
        Some(prefix) => address.with_prefix(prefix).map_err(wrong_address(place)),
        None => Ok(address),
    }
}

/// Its servers, with the chroot of the connect string. The chroot of a separate flag is left out.
pub fn ensemble(place: &ZooKeeperPlace) -> Result<zookeeper::ZooKeeperAddress, Error> {
    let address = place.connect.parse().map_err(wrong_address(place))?;
    secured(address, place.config.as_deref())
}

/// The same servers, with TLS and the login in this file, if any.
///
/// # Errors
/// The file or a store that it names cannot be read, or a property has no valid value.
pub fn secured(
    address: zookeeper::ZooKeeperAddress,
    config: Option<&Path>,
) -> Result<zookeeper::ZooKeeperAddress, Error> {
    let Some(path) = config else { return Ok(address) };
    let wrong = |error| Error::from(kafka::Error::from(error));
    let properties = kafka::Properties::parse(&files::read_text(path)?).map_err(wrong)?;
    let settings = kafka::ZooKeeperSettings::from_properties(&properties).map_err(wrong)?;
    let text = |secret: &kafka::Secret| secret.expose().to_owned();
    let login = settings.login.map(|login| {
        let (user, password) = (login.user, text(&login.password));
        match login.by_sasl {
            true => ZooKeeperLogin::Sasl { user, password },
            false => ZooKeeperLogin::Digest { user, password },
        }
    });
    let tls = settings.tls.map(|tls| ZooKeeperTls {
        roots: text(&tls.roots),
        identity: tls.identity.map(|(chain, key)| (text(&chain), text(&key))),
    });
    Ok(address.with_access(ZooKeeperAccess { tls, login, owns_znodes: settings.sets_acl }))
}

fn wrong_address(place: &ZooKeeperPlace) -> impl Fn(zookeeper::BadAddress) -> Error {
    |problem| {
        Error::from(local::Error::flag("--zookeeper", place.connect.clone(), problem.to_string()))
    }
}

fn completed(facts: CapturedCluster, stored: &StoredMetrics) -> Result<CapturedCluster, Error> {
    let age = Timestamp::try_from(stored.captured)
        .map(|captured| Timestamp::now().duration_since(captured))
        .unwrap_or(SignedDuration::MAX);
    let snapshot = stored.complete(facts.snapshot);
    Ok(CapturedCluster {
        snapshot: snapshot.map_err(zookeeper::Error::Contradictory)?,
        metrics_age: Some(age),
        ..facts
    })
}

/// librdkafka's properties for the same cluster, as the same user.
fn access(settings: &Settings) -> Result<Access, kafka::ConfigError> {
    let bootstrap: Vec<String> = settings.bootstrap.iter().map(ToString::to_string).collect();
    let mut properties = vec![
        ("bootstrap.servers", bootstrap.join(",")),
        ("security.protocol", settings.protocol.to_string()),
        ("client.id", settings.client_id.clone()),
    ];
    if let Some(tls) = &settings.tls {
        let check = if tls.check_name { "https" } else { "none" };
        properties.push(("ssl.endpoint.identification.algorithm", check.to_owned()));
        properties.push(match &tls.roots {
            Roots::System => ("ssl.ca.location", "probe".to_owned()),
            // librdkafka reads no JKS. What we have read ourselves is given to it as text.
            Roots::Named(named) => ("ssl.ca.pem", named.pem()?.expose().to_owned()),
        });
        if let Some(identity) = &tls.identity {
            properties.push(("ssl.certificate.pem", identity.chain.pem()?.expose().to_owned()));
            properties.push(("ssl.key.pem", identity.key.pem()?.expose().to_owned()));
        }
    }
    if let Some(sasl) = &settings.sasl {
        properties.push(("sasl.mechanism", sasl.mechanism.to_string()));
        match &sasl.credentials {
            Credentials::Password { user, password } => {
                properties.push(("sasl.username", user.clone()));
                properties.push(("sasl.password", password.expose().to_owned()));
            }
            Credentials::Token(token) => {
                let source = TokenSource::new(token.clone(), settings.setup_timeout)?;
                let tokens = move || token_of(&source);
                return Ok(Access::new(properties).with_tokens(Arc::new(tokens)));
            }
        }
    }
    Ok(Access::new(properties))
}

/// The current token, for a thread of librdkafka or one that runs futures already.
fn token_of(source: &TokenSource) -> Result<AccessToken, String> {
    let fetched = thread::scope(|scope| scope.spawn(|| runtime::wait(source.token())).join());
    let fetched = fetched.map_err(|_| "the thread that fetches tokens has panicked".to_owned())?;
    let token = fetched.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let end = end_for_librdkafka(SystemTime::now(), token.refresh, token.expires);
    let since = end.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(AccessToken {
        text: token.text.expose().to_owned(),
        principal: token.principal,
        expires_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
    })
}

/// The least that librdkafka is told of a valid token's time. It refuses a token that has ended, and then waits 10 s.
const TOKEN_LEFT: Duration = Duration::from_secs(1);

/// The end of a token that makes librdkafka ask for the next one at `refresh`. It asks after four fifths of the time that
/// is left, and so just before the end of a token that was kept for a while.
fn end_for_librdkafka(now: SystemTime, refresh: SystemTime, end: SystemTime) -> SystemTime {
    // No new token came, so this one is used to its end.
    let Ok(left) = refresh.duration_since(now) else { return end };
    end.min(now + left.mul_f64(1.0 / REFRESH_AFTER).max(TOKEN_LEFT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_asks_for_the_next_token_when_our_own_client_does() {
        let issued = UNIX_EPOCH + Duration::from_secs(1_000);
        let (refresh, end) = (issued + Duration::from_secs(48), issued + Duration::from_secs(60));
        let told = |age| {
            let now = issued + Duration::from_secs(age);
            end_for_librdkafka(now, refresh, end).duration_since(issued).unwrap().as_secs()
        };
        assert_eq!([0, 20, 40, 52].map(told), [60, 55, 50, 60]);
        // It refuses a token that has ended.
        assert_eq!(told(48), 49);
    }

    #[test]
    fn librdkafka_is_given_what_our_own_client_was() {
        let text = "bootstrap.servers=a:1,b:2\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
                    sasl.username=u\nsasl.password=hunter2\nssl.ca.pem=CA\n";
        let settings = Settings::from_properties(&kafka::Properties::parse(text).unwrap()).unwrap();
        let access = access(&settings).unwrap();
        for key in ["bootstrap.servers", "sasl.mechanism", "sasl.password", "ssl.ca.pem"] {
            assert!(format!("{access:?}").contains(key), "{access:?}");
        }
        assert!(!format!("{access:?}").contains("hunter2"));
    }
}
