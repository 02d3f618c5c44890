//! The description of a cluster.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::config;
use crate::error::Error;
use crate::jars::Jars;
use crate::relay::Cap;

/// Where a cluster keeps its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// In ZooKeeper.
    ZooKeeper,
    /// In a quorum of its own controllers (separate processes from the brokers).
    KRaft,
}

/// A Kafka release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(&'static str);

impl Version {
    /// The oldest release that the tests know.
    pub const V2_8: Self = Self("2.8.2");
    /// The first one whose brokers tell the size of their disks (KIP-827).
    pub const V3_3: Self = Self("3.3.2");
    /// One before log dirs may fail with KRaft.
    pub const V3_6: Self = Self("3.6.2");
    /// The first release without ZooKeeper.
    pub const V4_0: Self = Self("4.0.1");
    /// One before cordons.
    pub const V4_1: Self = Self("4.1.1");
    /// The last release line that runs on ZooKeeper.
    pub const V3_9: Self = Self("3.9.2");
    /// The current release line.
    pub const V4_3: Self = Self("4.3.1");

    /// As Maven writes it.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    pub(crate) fn runs(self, mode: Mode) -> bool {
        mode == Mode::KRaft || self.is_before_4()
    }

    /// Whether it may run on ZooKeeper.
    pub(crate) fn is_before_4(self) -> bool {
        self.0 < "4"
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What brokers require from a client. There is always a PLAINTEXT listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// Nothing: only PLAINTEXT.
    Open,
    /// Listeners SASL_SSL (SCRAM-SHA-512, SCRAM-SHA-256, PLAIN) and SSL (client certificate required).
    Authenticated,
    /// The same with an authorizer. [`User::ADMIN`](crate::User::ADMIN) and all clients on PLAINTEXT have all rights;
    /// other users have the rights that ACLs grant.
    Authorized,
}

/// The address that each broker advertises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// 127.0.0.11 and up, as if each broker had its own machine.
    Distinct,
    /// 127.0.0.1 for all, as if they shared a machine.
    Shared,
}

/// The description of a [`Cluster`] before it starts.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) mode: Mode,
    pub(crate) version: Option<Version>,
    pub(crate) brokers: u16,
    pub(crate) members: u16,
    /// How many controllers a dynamic quorum has besides its first voters; `None`: the quorum is static.
    pub(crate) spares: Option<u16>,
    pub(crate) first_id: i32,
    pub(crate) racks: Vec<String>,
    pub(crate) log_dirs: u16,
    pub(crate) security: Security,
    pub(crate) hosts: Hosts,
    pub(crate) chroot: String,
    pub(crate) heap_mib: u32,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) cards: Option<Cap>,
    pub(crate) exporter: bool,
    pub(crate) guards_zookeeper: bool,
    /// Every broker is a controller, too.
    pub(crate) combined: bool,
    /// The security protocol of the controllers' listeners.
    pub(crate) controllers_by: &'static str,
    /// How many KRaft controllers a cluster in ZooKeeper mode can migrate to.
    pub(crate) successors: u16,
    pub(crate) processes: Processes,
    /// The brokers that leave without a word when they stop.
    pub(crate) mortal: BTreeSet<i32>,
    pub(crate) timeout: Duration,
}

/// The heap of a broker, in MiB.
const HEAP_MIB: u32 = 256;

/// Which servers have a JVM of their own.
#[derive(Debug, Clone)]
pub(crate) enum Processes {
    All,
    Of(BTreeSet<i32>),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            mode: Mode::KRaft,
            version: None,
            brokers: 3,
            members: 1,
            spares: None,
            first_id: 1001,
            racks: ["a", "b", "c"].map(String::from).to_vec(),
            log_dirs: 1,
            security: Security::Open,
            hosts: Hosts::Distinct,
            chroot: String::new(),
            heap_mib: HEAP_MIB,
            properties: Vec::new(),
            cards: None,
            exporter: false,
            guards_zookeeper: false,
            combined: false,
            controllers_by: "PLAINTEXT",
            successors: 0,
            processes: Processes::Of(BTreeSet::new()),
            mortal: BTreeSet::new(),
            timeout: Duration::from_secs(180),
        }
    }
}

impl Builder {
    /// ZooKeeper or KRaft (the default).
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The release. The default is the newest one that supports the mode.
    pub fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// The number of brokers. Their ids are 1001 and up.
    pub fn brokers(mut self, brokers: u16) -> Self {
        assert!((1..=15).contains(&brokers), "a block of ports is made for 1 to 15 brokers");
        self.brokers = brokers;
        self
    }

    /// The number of KRaft controllers or ZooKeeper servers; the default is one. Their ids are 9000 and up.
    pub fn quorum(mut self, members: u16) -> Self {
        assert!((1..=5).contains(&members), "a quorum is made of 1 to 5 servers");
        self.members = members;
        self
    }

    /// Makes the quorum of controllers dynamic (KIP-853), with this many more controllers. They have no vote, and do not
    /// run: [`Cluster::start_member`] formats and starts one.
    pub fn dynamic(mut self, spares: u16) -> Self {
        self.spares = Some(spares);
        self
    }

    /// `broker.rack`, assigned round-robin. An empty list means no racks.
    pub fn racks<S: Into<String>>(mut self, racks: impl IntoIterator<Item = S>) -> Self {
        self.racks = racks.into_iter().map(Into::into).collect();
        self
    }

    /// The number of log dirs of each broker.
    pub fn log_dirs(mut self, log_dirs: u16) -> Self {
        self.log_dirs = log_dirs;
        self
    }

    /// What brokers require from clients.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The addresses of the brokers.
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// The cluster's path in ZooKeeper, such as `/kafka`.
    pub fn chroot(mut self, chroot: &str) -> Self {
        self.chroot = chroot.to_owned();
        self
    }

    /// One more line in every broker's `server.properties`, which overrides ours.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Tiered storage (KIP-405) in a folder that all brokers share and that the caller removes. Brokers upload and delete
    /// segments as soon as a topic's configs allow it.
    pub fn tiered(self, remote: &Path) -> Result<Self, Error> {
        let jar = Jars::of_tiered_storage(self.version_or_newest()?)?.classpath()?;
        let remote = remote.display().to_string();
        let class = "org.apache.kafka.server.log.remote.storage.LocalTieredStorage";
        let keys = [
            ("remote.log.storage.system.enable", "true"),
            ("remote.log.storage.manager.class.name", class),
            ("remote.log.storage.manager.class.path", &jar),
            ("rsm.config.dir", &remote),
            ("remote.log.metadata.manager.listener.name", "PLAINTEXT"),
            ("rlmm.config.remote.log.metadata.topic.num.partitions", "1"),
            ("rlmm.config.remote.log.metadata.topic.replication.factor", "1"),
            ("remote.log.metadata.topic.min.isr", "1"),
            ("remote.log.manager.task.interval.ms", "1000"),
            ("log.retention.check.interval.ms", "1000"),
            ("log.initial.task.delay.ms", "1000"),
        ];
        Ok(keys.into_iter().fold(self, |builder, (key, value)| builder.property(key, value)))
    }

    /// The listener SASL_SSL takes bearer tokens for `kafka` that are signed by one of the keys at this address, too. All
    /// servers run in the common JVM, which is told that it may read the keys.
    pub fn tokens(self, keys: &str) -> Self {
        let package = "org.apache.kafka.common.security.oauthbearer";
        let jaas = format!("{package}.OAuthBearerLoginModule required;");
        let handler = format!("{package}.OAuthBearerValidatorCallbackHandler");
        let of_listener = "listener.name.sasl_ssl.oauthbearer.sasl";
        self.security(Security::Authenticated)
            .property("sasl.enabled.mechanisms", "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER")
            .property(&format!("{of_listener}.jaas.config"), &jaas)
            .property(&format!("{of_listener}.server.callback.handler.class"), &handler)
            .property("sasl.oauthbearer.jwks.endpoint.url", keys)
            .property("sasl.oauthbearer.expected.audience", "kafka")
            .property("sasl.oauthbearer.clock.skew.seconds", "0")
            // Brokers then end a connection with its token (KIP-368).
            .property("connections.max.reauth.ms", "3600000")
    }

    /// Replicas fetch 64 KiB at a time. Kafka allows every fetch that begins within the quota, whatever its size.
    pub fn small_fetches(self) -> Self {
        let keys = ["replica.fetch.max.bytes", "replica.fetch.response.max.bytes"];
        keys.iter().fold(self, |builder, key| builder.property(key, "65536"))
    }

    /// Puts a relay with this limit in front of every broker, as its network card: [`Cluster::card`].
    pub fn network(mut self, cap: Cap) -> Self {
        self.cards = Some(cap);
        self
    }

    /// Runs the JMX exporter in every broker: [`Cluster::exporters`].
    pub fn exporter(mut self) -> Self {
        self.exporter = true;
        self
    }

    /// Gives the one ZooKeeper server a second port, with TLS and client certificates ([`Cluster::secure_zookeeper`]), and
    /// logins by SASL as [`User::ADMIN`](crate::User::ADMIN). Its properties belong to a JVM, so it has its own.
    pub fn guarded_zookeeper(mut self) -> Self {
        self.guards_zookeeper = true;
        self.mode(Mode::ZooKeeper).processes_of([config::QUORUM])
    }

    /// Makes every broker a controller, too. It has no vote at the start. For a dynamic quorum.
    pub fn combined(mut self) -> Self {
        self.combined = true;
        self
    }

    /// The controllers listen with `SSL` and require a client certificate, or with `SASL_SSL` and require
    /// [`User::ADMIN`](crate::User::ADMIN) by PLAIN. For a cluster with authentication.
    pub fn controllers_by(mut self, protocol: &'static str) -> Self {
        self.controllers_by = protocol;
        self
    }

    /// A cluster in ZooKeeper mode that can migrate to this many KRaft controllers (KIP-866): [`Cluster::start_successors`].
    /// Each server has a JVM of its own.
    pub fn migrating(mut self, controllers: u16) -> Self {
        self.successors = controllers;
        self.mode(Mode::ZooKeeper).version(Version::V3_9).processes()
    }

    /// Gives every server a JVM of its own, so that each can be killed or paused. It costs seconds of a core for each;
    /// otherwise all clusters of a release share one JVM.
    pub fn processes(mut self) -> Self {
        self.processes = Processes::All;
        self
    }

    /// Gives these servers a JVM of their own, so that each can be paused, or killed as a power cut does: it leaves logs that
    /// have to be recovered, no mark of a clean end (KIP-966) and, in ZooKeeper, a session that lasts.
    pub fn processes_of(mut self, ids: impl IntoIterator<Item = i32>) -> Self {
        self.processes = Processes::Of(ids.into_iter().collect());
        self
    }

    /// Brokers that leave without a word, also when they are stopped: they hand no leadership over
    /// (`controlled.shutdown.enable`). In the shared JVM, [`Cluster::kill_broker`] takes only these.
    pub fn mortal(mut self, ids: impl IntoIterator<Item = i32>) -> Self {
        self.mortal = ids.into_iter().collect();
        self
    }

    /// The largest heap of each broker, in MiB. A controller gets a quarter less, and a ZooKeeper server three eighths
    /// less. For clusters of tens of thousands of partitions.
    pub fn heap_mib(mut self, mib: u32) -> Self {
        self.heap_mib = mib;
        self
    }

    /// The deadline for a server's start, and for the detection of a broker's death.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts all servers, and returns when every broker is registered.
    pub fn start(self) -> Result<Cluster, Error> {
        let members = self.all_members();
        let members = members + self.successors;
        assert!(members == 1 || self.brokers + members <= 15, "they share ports");
        Cluster::start(self)
    }

    /// The number of controllers or ZooKeeper servers, with those that do not run.
    pub(crate) fn all_members(&self) -> u16 {
        self.members + self.spares.unwrap_or_default()
    }

    /// The places of the KRaft controllers in the quorum's ports, folders and ids.
    pub(crate) fn controllers(&self) -> Range<u16> {
        let first = if self.successors > 0 { self.members } else { 0 };
        first..self.all_members() + self.successors
    }

    pub(crate) fn version_or_newest(&self) -> Result<Version, Error> {
        let version = self.version.unwrap_or(match self.mode {
            Mode::ZooKeeper => Version::V3_9,
            Mode::KRaft => Version::V4_3,
        });
        if version.runs(self.mode) {
            Ok(version)
        } else {
            Err(Error::Unsupported { version, mode: self.mode })
        }
    }

    /// Whether servers without a JVM of their own run in that of all clusters. The exporter is an agent of a JVM, large heaps
    /// would be one heap, and Kafka 3.9 writes the logs of all controllers to one file.
    pub(crate) fn is_hosted(&self, version: Version) -> bool {
        let all = matches!(self.processes, Processes::All) || self.exporter;
        let logs_apart = self.mode == Mode::ZooKeeper || !version.is_before_4();
        !all && self.heap_mib <= HEAP_MIB && logs_apart
    }

    /// Whether the server with this id may run there.
    pub(crate) fn shares_jvm(&self, id: i32) -> bool {
        match &self.processes {
            Processes::All => false,
            Processes::Of(own) => !own.contains(&id),
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = i32> + use<> {
        self.first_id..self.first_id + i32::from(self.brokers)
    }

    /// The broker's index in the order of ids.
    pub(crate) fn index(&self, id: i32) -> Result<u16, Error> {
        u16::try_from(id - self.first_id)
            .ok()
            .filter(|index| *index < self.brokers)
            .ok_or_else(|| Error::UnknownBroker { id, have: self.ids().collect() })
    }

    pub(crate) fn host(&self, index: u16) -> Ipv4Addr {
        match self.hosts {
            Hosts::Shared => Ipv4Addr::LOCALHOST,
            // The assertion in `brokers` keeps the index far below 245.
            Hosts::Distinct => Ipv4Addr::new(127, 0, 0, 11 + index as u8),
        }
    }

    /// The address on which the broker itself listens: behind its relay, if it has one.
    pub(crate) fn behind(&self, index: u16) -> Ipv4Addr {
        match self.cards {
            None => self.host(index),
            Some(_) => Ipv4Addr::new(127, 0, 1, 11 + index as u8),
        }
    }

    pub(crate) fn rack(&self, index: u16) -> Option<&str> {
        let racks = self.racks.len();
        (racks > 0).then(|| self.racks[usize::from(index) % racks].as_str())
    }
}
