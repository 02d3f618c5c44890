use super::*;
use crate::measured::Reading;
use mapper::Rate;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ROUTES: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const DEV: &str = "Inter-|   Receive                                                |  Transmit\n \
    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

fn route(interface: &str, to: &str, mask: &str, flags: &str, metric: u32) -> String {
    format!("{interface}\t{to}\t0101F40A\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n")
}

fn counted(interface: &str, received: u64, sent: u64) -> String {
    format!("{interface:>6}: {received} 12 0 0 0 0 0 0 {sent} 9 0 0 0 0 0 0\n")
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn view(root: &Path) -> PodView {
    PodView { root: root.to_owned(), log_dirs: Vec::new() }
}

/// A pod as the kernel shows it: one interface for traffic, and another one for a second network.
fn pod(root: &Path, received: u64, sent: u64) {
    let routes = [
        route("net1", "0000000A", "000000FF", "0001", 0),
        route("net1", "00000000", "00000000", "0003", 200),
        route("eth0", "00000000", "00000000", "0003", 0),
    ];
    put(root, "proc/net/route", &format!("{ROUTES}{}", routes.concat()));
    let all = [counted("lo", 7, 7), counted("eth0", received, sent), counted("net1", 5, 5)];
    put(root, "proc/net/dev", &format!("{DEV}{}", all.concat()));
    fs::create_dir_all(root.join("sys/class/net/eth0")).unwrap();
}

#[test]
fn a_pod_is_counted_by_the_interface_of_its_default_route() {
    let folder = tempfile::tempdir().unwrap();
    pod(folder.path(), 1_000, 18_446_744_073_709_551_615);
    let found = view(folder.path()).read().unwrap();
    let carried = Carried { transmitted_bytes: u64::MAX, received_bytes: 1_000 };
    assert_eq!(found.interfaces, [("eth0".to_owned(), carried)].into());
    assert!(!found.host_network);
}

#[test]
fn without_ipv4_the_default_route_of_ipv6_counts() {
    let folder = tempfile::tempdir().unwrap();
    pod(folder.path(), 1, 2);
    put(folder.path(), "proc/net/route", ROUTES);
    let error = view(folder.path()).read().unwrap_err();
    assert!(matches!(error, PodError::NoDefaultRoute { .. }), "{error}");
    let zero = "0".repeat(32);
    let line = |metric: &str, interface: &str| {
        format!("{zero} 00 {zero} 00 {zero} {metric} 00000001 00000000 00200200 {interface:>8}\n")
    };
    let routes = [line("00000400", "eth0"), line("ffffffff", "lo")].concat();
    put(folder.path(), "proc/net/ipv6_route", &routes);
    let found = view(folder.path()).read().unwrap();
    assert_eq!(found.interfaces.into_keys().collect::<Vec<_>>(), ["eth0"]);
}

#[test]
fn on_the_nodes_network_each_card_counts_once_whatever_leads_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    // Two cards behind a bond, one of them with its fast path (accelerated networking), a bridge, and a pod's veth.
    let all = ["bond0", "eth0", "eth1", "eth2", "fast2", "br0", "veth1"];
    let dev: String = all.iter().map(|name| counted(name, 10, 20)).collect();
    put(root, "proc/net/dev", &format!("{DEV}{dev}"));
    put(
        root,
        "proc/net/route",
        &format!("{ROUTES}{}", route("bond0", "00000000", "00000000", "0003", 0)),
    );
    let net = root.join("sys/class/net");
    for card in ["eth0", "eth1", "eth2", "fast2"] {
        fs::create_dir_all(net.join(card).join("device")).unwrap();
    }
    for other in ["bond0/lower_eth0", "bond0/lower_eth1", "br0/lower_veth1", "veth1"] {
        fs::create_dir_all(net.join(other)).unwrap();
    }
    for (slave, master) in [("eth0", "bond0"), ("eth1", "bond0"), ("fast2", "eth2")] {
        std::os::unix::fs::symlink(format!("../{master}"), net.join(slave).join("master")).unwrap();
    }
    let found = view(root).read().unwrap();
    assert!(found.host_network);
    assert_eq!(found.interfaces.into_keys().collect::<Vec<_>>(), ["eth0", "eth1", "eth2"]);
}

#[test]
fn log_dirs_of_one_volume_are_one() {
    let folder = tempfile::tempdir().unwrap();
    pod(folder.path(), 1, 2);
    let dirs: Vec<_> = ["a", "b"].iter().map(|name| folder.path().join(name)).collect();
    dirs.iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let volumes = PodView { root: folder.path().to_owned(), log_dirs: dirs.clone() };
    let volumes = volumes.read().unwrap().volumes;
    assert_eq!(volumes.keys().collect::<Vec<_>>(), [&dirs[0]]);
    assert!(volumes[&dirs[0]].size_bytes > volumes[&dirs[0]].free_bytes);
    let gone = PodView { root: folder.path().to_owned(), log_dirs: vec!["/no/such".into()] };
    assert!(gone.read().unwrap_err().to_string().contains("/no/such"));
}

/// Answers each request with the page of that moment.
async fn serve(broker: u32, root: std::path::PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2048];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET /sidecar HTTP/1.1"));
            let text = page(BrokerId(broker), &view(&root).read().unwrap()).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
            stream.write_all((head + &text).as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}")
}

fn brokers(ids: &[u32]) -> Vec<BrokerAddress> {
    let address =
        |id: &u32| BrokerAddress { id: BrokerId(*id), host: Some("127.0.0.1".to_owned()) };
    ids.iter().map(address).collect()
}

fn sidecar(peers: &[String]) -> Sidecar {
    let peers = peers.iter().map(|text| text.parse().unwrap()).collect();
    Sidecar::new(peers, &HttpSettings::default()).unwrap()
}

#[tokio::test]
async fn counters_of_pods_become_rates_and_a_page_says_whose_it_is() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pod(one.path(), 0, 0);
    pod(two.path(), 0, 0);
    let pages = [serve(1001, one.path().into()).await, serve(1002, two.path().into()).await];
    let mut sidecar = sidecar(&pages);
    let asked = brokers(&[1001, 1002, 1003]);
    let first = sidecar.fetch(&asked).await;
    assert_eq!(first.brokers[&BrokerId(1001)].as_ref().unwrap().tx, None, "{first:?}");
    let missing = first.brokers[&BrokerId(1003)].as_ref().unwrap_err().to_string();
    assert!(missing.ends_with("no sidecar says that it is broker 1003's"), "{missing}");
    pod(two.path(), 4_000_000, 9_000_000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = sidecar.fetch(&asked).await.brokers;
    let rates = second[&BrokerId(1002)].as_ref().unwrap();
    let near = |found: Option<Reading<Rate>>, most: u64| {
        let found = found.unwrap().value.0;
        // On a busy machine, some time passes between the two.
        assert!(found <= most && found > most / 100, "{found}");
    };
    near(rates.tx, 9_000_000);
    near(rates.rx, 4_000_000);
    let idle = second[&BrokerId(1001)].as_ref().unwrap();
    assert_eq!((idle.tx.unwrap().value, idle.replication_out), (Rate(0), None));
}

#[tokio::test]
async fn the_page_of_another_broker_is_a_wrong_address_and_no_measurement() {
    let folder = tempfile::tempdir().unwrap();
    pod(folder.path(), 1, 1);
    let at = serve(1001, folder.path().into()).await;
    let answers = sidecar(&[format!("1002={at}")]).fetch(&brokers(&[1001, 1002])).await.brokers;
    let error = answers[&BrokerId(1002)].as_ref().unwrap_err().to_string();
    assert!(error.ends_with("it is about broker 1001, not 1002"), "{error}");
    assert!(answers[&BrokerId(1001)].is_err());
}

#[test]
fn peers_are_named_by_host_by_broker_or_by_service() {
    let shown = |text: &str| text.parse::<SidecarPeers>().map(|peers| peers.to_string());
    assert_eq!(shown("http://{host}:8081").unwrap(), "http://{host}:8081/sidecar");
    assert_eq!(shown("7=http://h:1/own").unwrap(), "7=http://h:1/own");
    assert_eq!(shown("http://kafka.svc:8081/").unwrap(), "http://kafka.svc:8081/sidecar");
    for text in ["", "kafka:8081", "ftp://h/", "http://{hots}:1"] {
        assert!(shown(text).is_err(), "{text}");
    }
}
