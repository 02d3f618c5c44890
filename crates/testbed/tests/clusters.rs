//! The testbed's own guarantees, on real servers: `cargo xtask test --only clusters`.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mappr_testbed::{Access, Cluster, Error, Mechanism, Mode, Security, User, Version, until};

const SOON: Duration = Duration::from_secs(60);

/// The ids of the live brokers, from Kafka's own tool.
fn live(cluster: &Cluster) -> Vec<i32> {
    let answer = cluster.tool("broker-api-versions", [""; 0]).unwrap();
    let id = |line: &str| line.split("(id: ").nth(1)?.split(' ').next()?.parse().ok();
    let mut ids: Vec<i32> = answer.lines().filter_map(id).collect();
    ids.sort_unstable();
    ids
}

/// Waits until the brokers say that these are live. They hear of a change after the controller.
fn await_live(cluster: &Cluster, ids: &[i32]) {
    let mut said = Vec::new();
    let awaited = until(format!("{ids:?} are live"), SOON, || {
        said = live(cluster);
        (said == ids).then_some(())
    });
    assert!(awaited.is_ok(), "{ids:?} should be live, and the brokers say {said:?}");
}

/// Whether a broker has ever asked the controller to move its leaderships before it left. With ZooKeeper, brokers in the
/// shared JVM have no log of their own.
fn has_handed_over(cluster: &Cluster, id: i32) -> Option<bool> {
    let log = cluster.path().join(format!("broker-{id}/server.log"));
    let log = (cluster.mode() == Mode::KRaft).then(|| fs::read_to_string(log).unwrap())?;
    Some(log.to_lowercase().contains("controlled shutdown"))
}

/// Kills, restarts, stops, wipes and restarts one broker of three.
fn a_life_of_brokers(mode: Mode, version: Version) {
    let cluster = Cluster::builder()
        .mode(mode)
        .version(version)
        .brokers(3)
        .processes_of([1002])
        .mortal([1001])
        .log_dirs(2)
        .start()
        .unwrap();
    await_live(&cluster, &[1001, 1002, 1003]);
    assert!(!cluster.id().unwrap().is_empty());

    cluster.kill_broker(1002).unwrap();
    await_live(&cluster, &[1001, 1003]);
    assert!(matches!(cluster.kill_broker(1002), Err(Error::WrongState { id: 1002, .. })));
    cluster.start_broker(1002).unwrap();
    await_live(&cluster, &[1001, 1002, 1003]);

    cluster.kill_broker(1001).unwrap();
    await_live(&cluster, &[1002, 1003]);
    assert_ne!(has_handed_over(&cluster, 1001), Some(true));
    cluster.start_broker(1001).unwrap();

    // Kafka 3.9 without ZooKeeper has a JVM for each server, where every broker can be killed.
    if (mode, version) != (Mode::KRaft, Version::V3_9) {
        assert!(matches!(cluster.kill_broker(1003), Err(Error::Hosted)));
    }
    cluster.stop_broker(1003).unwrap();
    assert_ne!(has_handed_over(&cluster, 1003), Some(false));
    await_live(&cluster, &[1001, 1002]);
    cluster.wipe_broker(1003).unwrap();
    assert!(cluster.log_dirs(1003).iter().all(|dir| !dir.exists()));
    cluster.start_broker(1003).unwrap();
    await_live(&cluster, &[1001, 1002, 1003]);

    let folder = cluster.path().to_owned();
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
#[ignore = "live"]
fn zookeeper_brokers_are_killed_wiped_and_restarted() {
    a_life_of_brokers(Mode::ZooKeeper, Version::V3_9);
}

#[test]
#[ignore = "live"]
fn kraft_brokers_are_killed_wiped_and_restarted() {
    a_life_of_brokers(Mode::KRaft, Version::V4_3);
}

#[test]
#[ignore = "live"]
fn the_last_3_x_runs_without_zookeeper_too() {
    a_life_of_brokers(Mode::KRaft, Version::V3_9);
}

#[test]
#[ignore = "live"]
fn version_4_does_not_run_on_zookeeper() {
    let refused = Cluster::builder().mode(Mode::ZooKeeper).version(Version::V4_3).start();
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}

/// Lists the topics over one way to connect, with Kafka's own tool.
fn topics_through(cluster: &Cluster, access: &Access, name: &str) -> Result<String, Error> {
    let client = cluster.client(access);
    let file = cluster.path().join(name);
    fs::write(&file, client.java()).unwrap();
    let (server, file) = (client.bootstrap, file.display().to_string());
    let args = ["--bootstrap-server", &server, "--command-config", &file, "--list"];
    cluster.bare_tool("topics", args)
}

/// Every way to connect works, an untrusted certificate is refused, and a user without rights sees no topic.
fn ways_in(mode: Mode) {
    let cluster = Cluster::builder()
        .mode(mode)
        .brokers(1)
        .security(Security::Authorized)
        .chroot(if mode == Mode::ZooKeeper { "/deep/kafka" } else { "" })
        .start()
        .unwrap();
    cluster.tool("topics", ["--create", "--topic", "seen", "--partitions", "1"]).unwrap();
    // The broker hears of the topic after the controller.
    let listed = || cluster.tool("topics", ["--list"]).unwrap().contains("seen").then_some(());
    until("the topic", SOON, listed).unwrap();
    for mechanism in [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain] {
        let access = Access::Sasl(mechanism, User::ADMIN);
        let topics = topics_through(&cluster, &access, "sasl.properties").unwrap();
        assert_eq!(topics.trim(), "seen", "{mechanism:?}");
    }
    assert_eq!(
        topics_through(&cluster, &Access::MutualTls, "tls.properties").unwrap().trim(),
        "seen"
    );

    let limited = Access::Sasl(Mechanism::ScramSha512, User::LIMITED);
    assert_eq!(topics_through(&cluster, &limited, "limited.properties").unwrap().trim(), "");
    let stranger = topics_through(&cluster, &Access::UntrustedCertificate, "stranger.properties");
    assert!(matches!(stranger, Err(Error::Tool { .. })), "{stranger:?}");
}

#[test]
#[ignore = "live"]
fn zookeeper_cluster_lets_in_who_may() {
    ways_in(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn kraft_cluster_lets_in_who_may() {
    ways_in(Mode::KRaft);
}

/// Not a real test: the next test starts this process and kills it.
#[test]
#[ignore = "live"]
fn owner_that_will_be_killed() {
    let Some(told) = std::env::var_os("MAPPR_OWNER_TELLS") else {
        return;
    };
    // The broker has a JVM of its own, its controller runs in the JVM of all clusters.
    let cluster = Cluster::builder().brokers(1).processes_of([1001]).start().unwrap();
    fs::write(told, cluster.path().display().to_string()).unwrap();
    std::thread::sleep(SOON * 5);
}

#[test]
#[ignore = "live"]
fn a_cluster_ends_when_its_owner_is_killed() {
    // If the test fails, its servers still end by the records in this folder, which therefore stays.
    let folder = tempfile::tempdir().unwrap().keep();
    let (told, home) = (folder.join("told"), folder.join("tmp"));
    fs::create_dir(&home).unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "owner_that_will_be_killed"])
        .env("MAPPR_OWNER_TELLS", &told)
        .env("TMPDIR", &home)
        .stdout(Stdio::null())
        .spawn()
        .map(Owner)
        .unwrap();
    until("start of the cluster", SOON * 5, || {
        fs::read_to_string(&told).ok().filter(|text| !text.is_empty())
    })
    .unwrap();
    let home_name = home.to_str().unwrap();
    assert!(servers_of(home_name).len() >= 2);
    owner.0.kill().unwrap();
    owner.0.wait().unwrap();
    until("end of its servers", SOON, || servers_of(home_name).is_empty().then_some(())).unwrap();
    let files = || fs::read_dir(&home).unwrap().count();
    until("end of its files", SOON, || (files() == 0).then_some(())).unwrap();
    fs::remove_dir_all(folder).unwrap();
}

/// A process that ends with the test, also after a panic.
struct Owner(Child);

impl Drop for Owner {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processes whose command line contains the folder.
fn servers_of(folder: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    processes
        .filter_map(|path| fs::read(path.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains("-Dtestbed.log=") && line.contains(folder))
        .collect()
}
