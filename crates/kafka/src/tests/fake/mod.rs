//! A cluster of fake brokers on loopback, for tests. Sockets and frames are real; the test defines the answers.

mod answers;
mod changes;
mod soak;
mod spoilt;

use crate::address::Address;
use crate::admin::ConfigKeys;
use crate::bounded;
use crate::client::Client;
use crate::error::Error;
use crate::frame;
use crate::properties::{Properties, Settings};
use crate::snapshot::{Capture, Wanted, snapshot};
use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::{Request, decode_request_header_from_buffer};
use rand::rngs::StdRng;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// A partition as a test writes it.
#[derive(Clone, Default)]
pub(crate) struct FakePartition {
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    pub(crate) leader: i32,
    pub(crate) elr: Vec<i32>,
    pub(crate) last_known_elr: Vec<i32>,
    pub(crate) size: i64,
}

/// The state of the cluster, and its faults.
#[derive(Default)]
pub(crate) struct Cluster {
    /// Ids and racks.
    pub(crate) brokers: BTreeMap<i32, &'static str>,
    pub(crate) fenced: BTreeSet<i32>,
    /// Brokers that accept connections and never answer.
    pub(crate) mute: BTreeSet<i32>,
    /// APIs whose next request gets no answer.
    pub(crate) unanswered: BTreeSet<i16>,
    /// Brokers that advertise a port without a listener.
    pub(crate) unreachable: BTreeSet<i32>,
    pub(crate) topics: BTreeMap<&'static str, Vec<FakePartition>>,
    /// The size of each broker's disk, with only the topics in it.
    pub(crate) disk: Option<i64>,
    /// Other topics that single brokers report instead.
    pub(crate) stale: BTreeMap<i32, BTreeMap<&'static str, Vec<FakePartition>>>,
    /// Topics that the client may not describe. `*` hides all names that the client makes up.
    pub(crate) hidden: BTreeSet<&'static str>,
    /// Topics that are in log dirs only, as after a deletion.
    pub(crate) orphans: BTreeSet<&'static str>,
    /// Topics with a replica that is being copied between log dirs.
    pub(crate) arriving: BTreeSet<&'static str>,
    /// Topics whose configs the client may not see.
    pub(crate) secret_configs: BTreeSet<&'static str>,
    /// The `cordoned.log.dirs` of brokers.
    pub(crate) cordons: BTreeMap<i32, &'static str>,
    /// Tiered topics, with the first offset, the first local one, the last in remote storage, and the end.
    pub(crate) tiered: BTreeMap<&'static str, [i64; 4]>,
    /// Brokers whose new replicas start at the last tiered offset.
    pub(crate) start_late: BTreeSet<i32>,
    /// Successive answers to ListPartitionReassignments; the last one repeats.
    pub(crate) moves: Vec<Vec<(&'static str, i32, Move)>>,
    /// Version ranges that differ from the codec's own; `None`: not offered.
    pub(crate) versions: BTreeMap<i16, Option<(i16, i16)>>,
    /// Error codes to answer an API with.
    pub(crate) errors: BTreeMap<i16, i16>,
    /// The only broker that lists reassignments, as in ZooKeeper mode.
    pub(crate) controller: Option<i32>,
    /// The user's password, if a broker requires SASL PLAIN.
    pub(crate) password: Option<&'static str>,
    /// How long a login is valid (KIP-368), in ms.
    pub(crate) session: i64,
    /// Serves TLS with this acceptor.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Closes each connection after this number of answers.
    pub(crate) hang_up_after: Option<u32>,
    /// The received requests: broker, API key, version.
    pub(crate) asked: Vec<(i32, i16, i16)>,
    /// The changes, in words.
    pub(crate) changed: Vec<String>,
    /// The brokers' own `unclean.leader.election.enable`.
    pub(crate) unclean: Option<&'static str>,
    /// Topics that refuse changes, with the error code.
    pub(crate) unchangeable: BTreeMap<&'static str, i16>,
    /// The API whose answers are corrupted, and the random source for it.
    pub(crate) spoilt: Option<(i16, StdRng)>,
    /// Makes a change and closes the connection instead of answering.
    pub(crate) swallow: bool,
}

/// All replicas, those being added, those being removed.
pub(crate) type Move = (Vec<i32>, Vec<i32>, Vec<i32>);

impl Cluster {
    /// Three brokers in three racks.
    pub(crate) fn of_three() -> Self {
        let brokers = [(1, "a"), (2, "b"), (3, "c")].into();
        Self { brokers, ..Self::default() }
    }

    /// Adds a topic with a partition for each replica list. All replicas are in sync, the first one leads, and each has
    /// 100 bytes.
    pub(crate) fn topic(&mut self, name: &'static str, partitions: &[&[i32]]) {
        let healthy = |replicas: &&[i32]| FakePartition {
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            leader: replicas[0],
            size: 100,
            ..FakePartition::default()
        };
        self.topics.insert(name, partitions.iter().map(healthy).collect());
    }
}

/// A running cluster.
pub(crate) struct Fake {
    ports: BTreeMap<i32, u16>,
    cluster: Arc<Mutex<Cluster>>,
}

impl Fake {
    pub(crate) async fn start(cluster: Cluster) -> Self {
        let ids: Vec<i32> = cluster.brokers.keys().copied().collect();
        let cluster = Arc::new(Mutex::new(cluster));
        let mut listeners = Vec::new();
        let mut ports = BTreeMap::new();
        for id in ids {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ports.insert(id, listener.local_addr().unwrap().port());
            listeners.push((id, listener));
        }
        for (id, listener) in listeners {
            let broker = Broker { id, ports: ports.clone(), cluster: cluster.clone() };
            tokio::spawn(accept(Arc::new(broker), listener));
        }
        Self { ports, cluster }
    }

    pub(crate) fn address(&self, id: i32) -> Address {
        Address { host: "127.0.0.1".to_owned(), port: self.ports[&id] }
    }

    /// Settings for these bootstrap brokers, plus the properties in `more`.
    pub(crate) fn settings(&self, bootstrap: &[i32], more: &str) -> Settings {
        let mut properties = Properties::parse(more).unwrap();
        let servers: Vec<String> =
            bootstrap.iter().map(|id| self.address(*id).to_string()).collect();
        properties.set("bootstrap.servers", &servers.join(","));
        // Long enough for a busy machine, and short if the test waits for the timeout.
        let patience = if self.now().mute.is_empty() { "20000" } else { "1000" };
        properties.set("socket.timeout.ms", patience);
        properties.set("socket.connection.setup.timeout.ms", patience);
        Settings::from_properties(&properties).unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.settings(&[1], "")).await.unwrap()
    }

    pub(crate) async fn capture(&self) -> Result<Capture, Error> {
        let captured_at = "2026-11-20T07:00:00Z".to_owned();
        let wanted = Wanted { captured_at, configs: ConfigKeys::All };
        snapshot(&self.client().await, &wanted).await
    }

    /// The cluster, so that a test can change it during a call.
    pub(crate) fn shared(&self) -> Arc<Mutex<Cluster>> {
        Arc::clone(&self.cluster)
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap()
    }
}

/// A server's side of TLS with the certificate for `localhost`.
pub(crate) fn tls_acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("../../../testdata/localhost.crt"));
    let key =
        PrivateKeyDer::from_pem_slice(include_bytes!("../../../testdata/localhost.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

struct Broker {
    id: i32,
    ports: BTreeMap<i32, u16>,
    cluster: Arc<Mutex<Cluster>>,
}

async fn accept(broker: Arc<Broker>, listener: TcpListener) {
    while let Ok((tcp, _)) = listener.accept().await {
        let broker = broker.clone();
        let tls = broker.cluster.lock().unwrap().tls.clone();
        tokio::spawn(async move {
            match tls {
                None => broker.serve(tcp).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        broker.serve(stream).await;
                    }
                }
            }
        });
    }
}

impl Broker {
    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut trusted = self.cluster.lock().unwrap().password.is_none();
        let mut answers = 0;
        // Like Kafka, closes the connection on a request above the limit.
        while let Ok(mut body) = frame::read(&mut stream, 100 << 20).await {
            let header = decode_request_header_from_buffer(&mut body).unwrap();
            let is_silent = |cluster: &mut Cluster| {
                cluster.mute.contains(&self.id)
                    || cluster.unanswered.remove(&header.request_api_key)
            };
            if is_silent(&mut self.cluster.lock().unwrap()) {
                return tokio::time::sleep(Duration::from_secs(60)).await;
            }
            let greeting = [ApiVersionsRequest::KEY, SaslHandshakeRequest::KEY];
            let proving = header.request_api_key == SaslAuthenticateRequest::KEY;
            if !trusted && !proving && !greeting.contains(&header.request_api_key) {
                return;
            }
            let answer = self.answer(&header, body);
            let answer = match &mut self.cluster.lock().unwrap().spoilt {
                Some((key, random)) if *key == header.request_api_key => {
                    // The correlation id stays intact: the client ignores an answer without it.
                    [&answer[..4], &bounded::tests::spoilt(&answer[4..], random)].concat().into()
                }
                _ => answer,
            };
            if self.cluster.lock().unwrap().swallow
                && changes::KEYS.contains(&header.request_api_key)
            {
                return;
            }
            trusted |= proving;
            let mut frame = BytesMut::new();
            frame.put_i32(i32::try_from(answer.len()).unwrap());
            frame.put(answer);
            answers += 1;
            let patience = self.cluster.lock().unwrap().hang_up_after;
            if stream.write_all(&frame).await.is_err() || Some(answers) == patience {
                return;
            }
        }
    }
}
