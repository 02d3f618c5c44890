//! Connections that must fail: the exit code means an external failure, stderr names it, and no file is written. Also
//! the connections that must work.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use statelog::StateTopic;
use testbed::{Access, Builder, Client, Cluster, Mechanism, Mode, Security, User};

use crate::binary::{Ended, json, topicmappr};
use crate::plan::find_topic;
use crate::traffic::Traffic;

static ZOOKEEPER: LazyLock<Cluster> = LazyLock::new(|| guarded(Mode::ZooKeeper));
static KRAFT: LazyLock<Cluster> = LazyLock::new(|| guarded(Mode::KRaft));

const MODES: [Mode; 2] = [Mode::ZooKeeper, Mode::KRaft];

pub(crate) fn cluster(mode: Mode) -> &'static Cluster {
    match mode {
        Mode::ZooKeeper => &ZOOKEEPER,
        Mode::KRaft => &KRAFT,
    }
}

/// One broker with an authorizer, and two topics. `reader` may describe both, `limited` one. With ZooKeeper, the listener
/// that wants a certificate has only TLS 1.2.
fn guarded(mode: Mode) -> Cluster {
    let builder = Cluster::builder().mode(mode).brokers(1).security(Security::Authorized);
    let old =
        |builder: Builder| builder.property("listener.name.ssl.ssl.enabled.protocols", "TLSv1.2");
    let builder = if mode == Mode::ZooKeeper { old(builder) } else { builder };
    let cluster = builder.start().unwrap();
    let one = || vec![vec![1001]];
    let traffic = Traffic::of(&cluster);
    traffic.create(&BTreeMap::from([("seen".to_owned(), one()), ("hidden".to_owned(), one())]));
    let grant = |user: &User, topic: &str| {
        let principal = format!("User:{}", user.name);
        let add = ["--add", "--allow-principal", &principal];
        let describe = ["--operation", "Describe", "--operation", "DescribeConfigs"];
        for resource in [&["--topic", topic][..], &["--cluster"]] {
            cluster.tool("acls", add.iter().chain(&describe).chain(resource)).unwrap();
        }
    };
    grant(&User::READER, "*");
    grant(&User::LIMITED, "seen");
    cluster
}

/// A new file in the cluster's folder.
pub(crate) fn file(cluster: &Cluster, text: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = cluster.path().join(format!("client-{n}.properties"));
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The output of Kafka's own tool for this client.
pub(crate) fn list_topics(mode: Mode, access: &Access) -> String {
    let cluster = cluster(mode);
    let client = cluster.client(access);
    let config = file(cluster, &client.java());
    let args = ["--bootstrap-server", &client.bootstrap, "--command-config", &config, "--list"];
    cluster.bare_tool("topics", args).unwrap()
}

pub(crate) fn scram(user: User) -> Access {
    Access::Sasl(Mechanism::ScramSha512, user)
}

/// Runs `snapshot`. Panics if a failed run wrote a file.
fn snapshot(bootstrap: &str, config: Option<&str>) -> (Ended, Option<serde_json::Value>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("snapshot.json");
    let mut args = vec!["snapshot", "--bootstrap-server", bootstrap];
    args.extend(config.into_iter().flat_map(|path| ["--kafka-config", path]));
    args.extend(["--out-file", out.to_str().unwrap()]);
    let ended = topicmappr(args);
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, usize::from(ended.code == Some(0)), "files written\n{}", ended.stderr);
    let snapshot = (left == 1).then(|| json(&out));
    (ended, snapshot)
}

fn with(mode: Mode, client: &Client, config: &str) -> (Ended, Option<serde_json::Value>) {
    snapshot(&client.bootstrap, Some(&file(cluster(mode), config)))
}

/// The run fails in both modes with this message.
fn fails(client: impl Fn(&Cluster) -> Client, complaint: &str) {
    for mode in MODES {
        let client = client(cluster(mode));
        let (ended, _) = with(mode, &client, &client.librdkafka());
        let ended = ended.with(3).complaining_of(complaint);
        assert_eq!(ended.stdout, "");
    }
}

/// The client's properties as in a Java shop: its certificate and its authority are in keystores of this format.
fn with_keystores(cluster: &Cluster, client: &Client, format: &str) -> String {
    let [authority, certificate, key] =
        ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location"]
            .map(|named| client.properties[named].as_str());
    let [bundle, keystore, truststore] = ["bundle", "keystore", "truststore"]
        .map(|name| cluster.path().join(format!("{name}.{format}")).display().to_string());
    let run = |line: String| {
        let mut words = line.split(' ');
        let ended = Command::new(words.next().unwrap()).args(words).output().unwrap();
        assert!(ended.status.success(), "{line}\n{}", String::from_utf8_lossy(&ended.stdout));
    };
    run(format!(
        "openssl pkcs12 -export -in {certificate} -inkey {key} -passout pass:changeit -out {bundle}"
    ));
    run(format!(
        "keytool -importkeystore -noprompt -srckeystore {bundle} -srcstoretype PKCS12 -srcstorepass changeit \
         -destkeystore {keystore} -deststoretype {format} -deststorepass changeit"
    ));
    run(format!(
        "keytool -importcert -noprompt -alias ca -file {authority} -keystore {truststore} -storetype {format} \
         -storepass changeit"
    ));
    format!(
        "security.protocol=SSL\nssl.truststore.location={truststore}\nssl.truststore.password=changeit\n\
         ssl.keystore.location={keystore}\nssl.keystore.password=changeit\nssl.key.password=changeit\n"
    )
}

/// The stores are what Java's own client takes with the same file.
#[test]
#[ignore = "live"]
fn the_keystores_of_a_java_client_are_taken() {
    let cluster = cluster(Mode::KRaft);
    let client = cluster.client(&Access::MutualTls);
    for format in ["JKS", "PKCS12"] {
        let config = with_keystores(cluster, &client, format);
        let path = file(cluster, &config);
        let list = ["--bootstrap-server", &client.bootstrap, "--command-config", &path, "--list"];
        assert!(cluster.bare_tool("topics", list).unwrap().contains("hidden"), "{format}");
        let (ended, snapshot) = with(Mode::KRaft, &client, &config);
        ended.with(0);
        assert!(find_topic(&snapshot.unwrap(), "hidden").is_some(), "{format}");
        // librdkafka, which keeps the state in Kafka's topic, is given the same certificates.
        let access = operate::live::data_plane(&client.bootstrap, Some(Path::new(&path))).unwrap();
        assert!(StateTopic::find(access).unwrap().is_none(), "{format}");
        let wrong = config.replace("ssl.keystore.password=changeit", "ssl.keystore.password=guess");
        let (ended, _) = with(Mode::KRaft, &client, &wrong);
        ended.with(2).complaining_of("the password in ssl.keystore.password does not open it");
    }
}

/// From 17.0.21 on, Java's alert in TLS 1.2 does not say that a certificate is missing.
#[test]
#[ignore = "live"]
fn a_missing_client_certificate_is_named_in_both_versions_of_tls() {
    let without = |cluster: &Cluster| {
        let mut client = cluster.client(&Access::MutualTls);
        client.properties.retain(|key, _| {
            !matches!(key.as_str(), "ssl.certificate.location" | "ssl.key.location")
        });
        client
    };
    fails(without, "set ssl.certificate.location and ssl.key.location");
}

#[test]
#[ignore = "live"]
fn every_mechanism_lets_the_admin_in_by_both_dialects_of_properties() {
    let mechanisms = [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain];
    let accesses = mechanisms.map(|mechanism| Access::Sasl(mechanism, User::ADMIN));
    for mode in MODES {
        for access in accesses.iter().chain(&[Access::MutualTls]) {
            let client = cluster(mode).client(access);
            for config in [client.librdkafka(), client.java()] {
                let (ended, snapshot) = with(mode, &client, &config);
                ended.with(0);
                assert!(find_topic(&snapshot.unwrap(), "hidden").is_some(), "{access:?}");
            }
        }
    }
}

#[test]
#[ignore = "live"]
fn the_rights_of_a_reader_are_enough() {
    for mode in MODES {
        let client = cluster(mode).client(&scram(User::READER));
        let (ended, snapshot) = with(mode, &client, &client.librdkafka());
        ended.with(0);
        assert!(find_topic(&snapshot.unwrap(), "hidden").is_some());
    }
}

#[test]
#[ignore = "live"]
fn servers_that_do_not_answer_are_named() {
    // No process listens there. The port was free a moment ago, and the kernel does not reuse it so soon.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (ended, _) = snapshot(&closed, None);
    ended.with(3).complaining_of(&closed);
}

#[test]
#[ignore = "live"]
fn an_advertised_address_that_does_not_answer_is_named() {
    let advertised = "127.0.0.200:9";
    let cluster = Cluster::builder()
        .brokers(1)
        .property("advertised.listeners", &format!("PLAINTEXT://{advertised}"))
        .start()
        .unwrap();
    let (ended, _) = snapshot(&cluster.bootstrap(), None);
    ended.with(3).complaining_of(advertised);
}

#[test]
#[ignore = "live"]
fn a_wrong_password_is_called_that() {
    fails(|c| c.client(&scram(User::ADMIN)).with("sasl.password", "guess"), "authentication");
}

#[test]
#[ignore = "live"]
fn a_broker_with_an_untrusted_certificate_is_not_talked_to() {
    fails(|c| c.client(&scram(User::ADMIN)).trusting_a_stranger(), "certificate");
}

#[test]
#[ignore = "live"]
fn a_client_certificate_that_the_broker_does_not_trust_is_refused() {
    fails(|c| c.client(&Access::UntrustedCertificate), "certificate");
}

#[test]
#[ignore = "live"]
fn a_user_without_any_right_is_told_which_one_it_needs() {
    fails(|c| c.client(&scram(User::NOBODY)), "describe");
}

/// Kafka silently leaves the topic out of the list, but the log dirs show it.
#[test]
#[ignore = "live"]
fn a_hidden_topic_is_an_error_and_not_a_smaller_snapshot() {
    fails(|c| c.client(&scram(User::LIMITED)), "hidden");
    fails(|c| c.client(&scram(User::LIMITED)), "--operation Describe --topic");
}
