//! How a client connects, and how it reports failures.

use super::*;
use crate::error::{ProtocolFault, TlsFault};
use crate::fake::{Cluster as FakeCluster, Fake, tls_acceptor};
use crate::properties::{Mechanism, Properties, SecurityProtocol};
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, ListPartitionReassignmentsRequest,
    SaslAuthenticateRequest,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

async fn refusal(settings: Settings) -> Error {
    match Client::connect(settings).await {
        Ok(client) => panic!("connected to {}", client.bootstrap()),
        Err(error) => error,
    }
}

fn with_password() -> FakeCluster {
    FakeCluster { password: Some("alice-secret"), ..FakeCluster::of_three() }
}

fn with_tls() -> FakeCluster {
    FakeCluster { tls: Some(tls_acceptor()), ..FakeCluster::of_three() }
}

fn ca(file: &str) -> String {
    format!("security.protocol=SSL\nssl.ca.location={}/testdata/{file}", env!("CARGO_MANIFEST_DIR"))
}

const ALICE: &str = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=alice\n";

#[tokio::test]
async fn a_dead_bootstrap_address_does_not_matter_if_another_answers() {
    let fake = Fake::start(FakeCluster::of_three()).await;
    let mut settings = fake.settings(&[1, 2], "");
    settings.bootstrap[0].port = 1;
    let client = Client::connect(settings).await.unwrap();
    assert_eq!(*client.bootstrap(), fake.address(2));
    assert_eq!(client.cluster().brokers.len(), 3);
}

#[tokio::test]
async fn when_no_address_answers_each_says_why() {
    let fake = Fake::start(FakeCluster::of_three()).await;
    let mut settings = fake.settings(&[1, 2], "");
    settings.bootstrap[0].port = 1;
    settings.bootstrap[1].host = "no-such-host.invalid".to_owned();
    let error = refusal(settings).await;
    let Error::Unreachable { failures } = &error else { panic!("{error}") };
    let causes: Vec<&Unreached> = failures.values().collect();
    assert!(matches!(causes.as_slice(), [Unreached::Refused(_), Unreached::Unresolved(_)]));
}

#[tokio::test]
async fn a_port_that_never_answers_is_a_timeout_that_names_it() {
    let mut cluster = FakeCluster::of_three();
    cluster.mute.insert(1);
    let fake = Fake::start(cluster).await;
    let error = refusal(fake.settings(&[1], "")).await;
    let Error::Timeout { address, api: "ApiVersions", .. } = error else { panic!("{error}") };
    assert_eq!(address, fake.address(1));
}

/// The address of a Service that leads its first connection to a broker that has just died.
async fn service_of_a_dead_broker_and_of(alive: Address) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let _dead = listener.accept().await.unwrap();
        let (mut client, _) = listener.accept().await.unwrap();
        let mut broker = TcpStream::connect((&*alive.host, alive.port)).await.unwrap();
        copy_bidirectional(&mut client, &mut broker).await
    });
    Address { host: "127.0.0.1".to_owned(), port }
}

#[tokio::test]
async fn a_silent_address_is_tried_again_because_a_service_has_several_brokers() {
    let fake = Fake::start(FakeCluster::of_three()).await;
    let mut settings = fake.settings(&[1], "");
    settings.bootstrap = vec![service_of_a_dead_broker_and_of(fake.address(2)).await];
    settings.setup_timeout = Duration::from_secs(3);
    let client = Client::connect(settings).await.unwrap();
    assert_eq!(client.cluster().brokers.len(), 3);
}

#[tokio::test]
async fn the_right_password_opens() {
    let fake = Fake::start(with_password()).await;
    let settings = fake.settings(&[1], &format!("{ALICE}sasl.password=alice-secret"));
    let client = Client::connect(settings).await.unwrap();
    assert_eq!(client.principal().as_deref(), Some("User:alice"));
}

#[tokio::test]
async fn a_wrong_password_names_user_and_mechanism_and_never_itself() {
    let fake = Fake::start(with_password()).await;
    let settings = fake.settings(&[1], &format!("{ALICE}sasl.password=hunter2"));
    assert!(!format!("{settings:?}").contains("hunter2"));
    let error = refusal(settings).await;
    assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"));
    let Error::Authentication { mechanism, user, reason, .. } = error else { panic!("{error}") };
    assert_eq!((mechanism, user.as_str()), (Mechanism::Plain, "alice"));
    assert!(reason.contains("Invalid username or password"));
}

#[tokio::test]
async fn a_mechanism_that_the_listener_lacks_is_refused_with_those_it_has() {
    let fake = Fake::start(with_password()).await;
    let scram = ALICE.replace("mechanism=PLAIN", "mechanism=SCRAM-SHA-256");
    let error = refusal(fake.settings(&[1], &format!("{scram}sasl.password=x"))).await;
    let Error::Authentication { reason, .. } = error else { panic!("{error}") };
    assert_eq!(reason, "it offers only PLAIN");
}

fn spoken(error: Error) -> (SecurityProtocol, Spoken) {
    let Error::WrongProtocol { configured, spoken, .. } = error else { panic!("{error}") };
    (configured, spoken)
}

#[tokio::test]
async fn sasl_against_a_listener_without_is_said_as_such() {
    let fake = Fake::start(FakeCluster::of_three()).await;
    let error = refusal(fake.settings(&[1], &format!("{ALICE}sasl.password=x"))).await;
    assert!(error.hint().unwrap().contains("security.protocol=PLAINTEXT "));
    assert_eq!(spoken(error), (SecurityProtocol::SaslPlaintext, Spoken::NoSasl));
}

#[tokio::test]
async fn a_listener_that_wants_sasl_is_said_as_such_with_its_mechanisms() {
    let fake = Fake::start(with_password()).await;
    let error = refusal(fake.settings(&[1], "")).await;
    assert!(error.hint().unwrap().contains("security.protocol=SASL_PLAINTEXT "));
    let mechanisms = Spoken::Sasl(vec!["PLAIN".to_owned()]);
    assert_eq!(spoken(error), (SecurityProtocol::Plaintext, mechanisms));
}

#[tokio::test]
async fn tls_against_a_plaintext_port_is_said_as_such() {
    let fake = Fake::start(FakeCluster::of_three()).await;
    let error = refusal(fake.settings(&[1], &ca("ca.crt"))).await;
    assert_eq!(spoken(error), (SecurityProtocol::Ssl, Spoken::NoTls));
}

#[tokio::test]
async fn plaintext_against_a_tls_port_is_said_as_such() {
    let fake = Fake::start(with_tls()).await;
    let error = refusal(fake.settings(&[1], "")).await;
    assert!(error.hint().unwrap().contains("security.protocol=SSL (or SASL_SSL)"));
    assert_eq!(spoken(error), (SecurityProtocol::Plaintext, Spoken::Tls));
}

async fn tls_fault(fake: &Fake, properties: &str, host: &str) -> Option<TlsFault> {
    let mut settings = fake.settings(&[1], properties);
    settings.bootstrap[0].host = host.to_owned();
    match Client::connect(settings).await {
        Ok(_) => None,
        Err(Error::Tls { fault, .. }) => Some(fault),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_certificate_counts_if_its_ca_is_ours_and_its_name_the_one_dialled() {
    let fake = Fake::start(with_tls()).await;
    assert_eq!(tls_fault(&fake, &ca("ca.crt"), "localhost").await, None);
    assert_eq!(
        tls_fault(&fake, &ca("another-ca.crt"), "localhost").await,
        Some(TlsFault::Untrusted)
    );
    let fault = tls_fault(&fake, &ca("ca.crt"), "127.0.0.1").await;
    assert!(matches!(fault, Some(TlsFault::WrongName { expected, .. }) if expected == "127.0.0.1"));
}

#[tokio::test]
async fn without_the_name_check_the_ca_still_counts() {
    let fake = Fake::start(with_tls()).await;
    let lax = |file| ca(file) + "\nssl.endpoint.identification.algorithm=\n";
    assert_eq!(tls_fault(&fake, &lax("ca.crt"), "127.0.0.1").await, None);
    let fault = tls_fault(&fake, &lax("another-ca.crt"), "127.0.0.1").await;
    assert_eq!(fault, Some(TlsFault::Untrusted));
}

#[tokio::test]
async fn another_programs_port_is_not_taken_for_a_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let _ = tcp.read(&mut [0; 1024]).await;
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let fake = Fake::start(FakeCluster::of_three()).await;
    let mut settings = fake.settings(&[1], "");
    settings.bootstrap[0].port = port;
    let error = refusal(settings).await;
    assert!(error.hint().unwrap().contains("Kafka broker"));
    let Error::Protocol { fault, .. } = error else { panic!("{error}") };
    assert!(matches!(fault, ProtocolFault::FrameTooLarge { .. }), "{fault}");
}

#[tokio::test]
async fn a_broker_older_than_our_greeting_is_greeted_again_in_its_version() {
    let mut cluster = FakeCluster::of_three();
    cluster.versions.insert(ApiVersionsRequest::KEY, Some((0, 2)));
    let fake = Fake::start(cluster).await;
    fake.client().await;
    let greetings: Vec<i16> =
        fake.now().asked.iter().filter(|asked| asked.1 == 18).map(|asked| asked.2).collect();
    assert_eq!(greetings, [3, 2]);
}

#[tokio::test]
async fn versions_that_do_not_meet_are_named() {
    let mut cluster = FakeCluster::of_three();
    cluster.versions.insert(DescribeClusterRequest::KEY, Some((90, 91)));
    let fake = Fake::start(cluster).await;
    let error = refusal(fake.settings(&[1], "")).await;
    let Error::Protocol { fault, .. } = error else { panic!("{error}") };
    let api = "DescribeCluster";
    assert_eq!(fault, ProtocolFault::NoCommonVersion { api, theirs: (90, 91), ours: (0, 2) });
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_opened_anew() {
    let cluster = FakeCluster { hang_up_after: Some(2), ..FakeCluster::of_three() };
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    client.describe_cluster().await.unwrap();
    client.describe_cluster().await.unwrap();
}

#[tokio::test]
async fn a_login_that_has_run_out_is_renewed_before_the_next_question() {
    let fake = Fake::start(FakeCluster { session: 100, ..with_password() }).await;
    let settings = fake.settings(&[1], &format!("{ALICE}sasl.password=alice-secret"));
    let client = Client::connect(settings).await.unwrap();
    let logins = || {
        let key = SaslAuthenticateRequest::KEY;
        fake.now().asked.iter().filter(|asked| asked.1 == key).count()
    };
    let before = logins();
    tokio::time::sleep(Duration::from_millis(110)).await;
    client.describe_cluster().await.unwrap();
    assert_eq!(logins(), before + 1);
}

#[tokio::test]
async fn a_controller_that_is_nowhere_ends_in_an_error() {
    let fake = Fake::start(FakeCluster { controller: Some(9), ..FakeCluster::of_three() }).await;
    let error = fake.client().await.reassignments().await.unwrap_err();
    let Error::Refused { code, .. } = error else { panic!("{error}") };
    assert_eq!(code, ResponseError::NotController);
}

#[tokio::test]
async fn a_broker_that_waited_for_a_dead_controller_is_asked_once_more() {
    let api = ListPartitionReassignmentsRequest::KEY;
    let mut cluster = FakeCluster::of_three();
    cluster.unanswered.insert(api);
    let fake = Fake::start(cluster).await;
    let mut settings = fake.settings(&[1], "");
    settings.request_timeout = Duration::from_millis(500);
    Client::connect(settings).await.unwrap().reassignments().await.unwrap();
    let asked: Vec<i16> = fake.now().asked.iter().map(|(_, key, _)| *key).collect();
    assert_eq!(asked.iter().filter(|key| **key == api).count(), 1, "the other was not answered");
    assert!(fake.now().unanswered.is_empty());
}

/// Answers the first request of each connection with these bytes, after the request's correlation id.
async fn false_broker(answer: &'static [u8]) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 12];
            let asked = stream.read_exact(&mut request).await.is_ok();
            let length = u32::try_from(answer.len() + 4).unwrap();
            let frame = [&length.to_be_bytes(), &request[8..12], answer].concat();
            let _ = asked && stream.write_all(&frame).await.is_ok();
            // Waits until the client has closed the connection.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    Address { host: "127.0.0.1".to_owned(), port }
}

#[tokio::test]
async fn a_false_broker_that_claims_two_billion_elements_is_named_with_its_request() {
    // 31 bytes on the wire: ApiVersions version 3 without an error, then the length of its list.
    let answer = b"\0\0\xff\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let address = false_broker(answer).await;
    let properties = Properties::parse(&format!("bootstrap.servers={address}")).unwrap();
    let error = refusal(Settings::from_properties(&properties).unwrap()).await;
    assert_eq!(
        error.to_string(),
        format!(
            "{address} is not compatible with this client: ApiVersions version 3: \
             a length of 4294967295 with only 21 bytes left"
        )
    );
}
