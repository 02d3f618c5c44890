//! The servers that keep a cluster's metadata: KRaft controllers or ZooKeeper servers.
//!
//! In: a [`Cluster`], whose description sets their number. The first has the index 0 and the id [`FIRST_MEMBER`]. Each
//! has its own folder, port and process.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::client::User;
use crate::cluster::{Cluster, KAFKA};
use crate::error::{Error, file};
use crate::jars::Jars;
use crate::jvm::Role;
use crate::spec::{Mode, Security};
use crate::{cache, config};

/// The id of the first controller or ZooKeeper server; the others follow.
pub const FIRST_MEMBER: i32 = config::QUORUM;

/// The feature levels with which a controller starts.
const BOOTSTRAP: &str = "bootstrap.checkpoint";
/// The folder of the metadata, and the file in it with the first voters.
const METADATA: &str = "__cluster_metadata-0";
const VOTERS: &str = "00000000000000000000-0000000000.checkpoint";

/// The users of a guarded ZooKeeper server.
const USERS: &str = "users.conf";

/// ZooKeeper does not wait for the disk, and its files stay small.
pub(crate) const ZOOKEEPER_OPTIONS: [&str; 3] =
    ["-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dzookeeper.snapCount=1000000"];

impl Cluster {
    /// The address of the first KRaft controller or ZooKeeper server: `host:port`.
    pub fn quorum(&self) -> String {
        format!("127.0.0.1:{}", self.ports().member(0))
    }

    /// The ids of all controllers or ZooKeeper servers, each with its address.
    pub fn members(&self) -> Vec<(i32, String)> {
        let member = |index| (FIRST_MEMBER + i32::from(index), self.ports().member(index));
        let members = (0..self.spec().members).map(member);
        members.map(|(id, port)| (id, format!("127.0.0.1:{port}"))).collect()
    }

    /// Stops a controller or ZooKeeper server cleanly.
    pub fn stop_member(&self, id: i32) -> Result<(), Error> {
        let server = self.servers().remove(&self.member_name(id)?);
        server.ok_or(Error::WrongState { id, state: "down" })?.terminate(self.spec().timeout)
    }

    /// Kills one as a power cut does. It needs a JVM of its own.
    pub fn kill_member(&self, id: i32) -> Result<(), Error> {
        if self.hosts(id) {
            return Err(Error::Hosted);
        }
        let server = self.servers().remove(&self.member_name(id)?);
        server.ok_or(Error::WrongState { id, state: "down" })?.kill()
    }

    /// Starts a stopped one, and returns when it listens or serves.
    pub fn start_member(&self, id: i32) -> Result<(), Error> {
        if self.servers().contains_key(&self.member_name(id)?) {
            return Err(Error::WrongState { id, state: "up" });
        }
        let index = self.member_index(id)?;
        if self.spec().spares.is_some() {
            self.format_spare(index)?;
        }
        self.launch_member(index)?;
        self.await_member(index)
    }

    /// Empties the disk of a stopped controller of a dynamic quorum. It starts with another log dir, and has no vote.
    pub fn wipe_member(&self, id: i32) -> Result<(), Error> {
        if self.servers().contains_key(&self.member_name(id)?) {
            return Err(Error::WrongState { id, state: "up" });
        }
        let data = self.data_of(self.member_index(id)?);
        file(fs::remove_dir_all(&data), "remove", &data)
    }

    /// Pauses the first KRaft controller or ZooKeeper server: it neither answers nor ends.
    pub fn pause_quorum(&self) -> Result<(), Error> {
        self.signal_quorum("-STOP")
    }

    /// Resumes it.
    pub fn resume_quorum(&self) -> Result<(), Error> {
        self.signal_quorum("-CONT")
    }

    fn signal_quorum(&self, name: &str) -> Result<(), Error> {
        let server = config::member_folder(self.mode(), 0);
        self.servers().get(&server).map_or(Ok(()), |server| server.signal(name))
    }

    fn member_index(&self, id: i32) -> Result<u16, Error> {
        let index = u16::try_from(id - FIRST_MEMBER).ok();
        index.filter(|index| *index < self.spec().all_members()).ok_or_else(|| {
            let have = self.members().into_iter().map(|(id, _)| id).collect();
            Error::UnknownBroker { id, have }
        })
    }

    fn member_name(&self, id: i32) -> Result<String, Error> {
        Ok(config::member_folder(self.mode(), self.member_index(id)?))
    }

    pub(crate) fn write_quorum(&self) -> Result<(), Error> {
        for index in 0..self.spec().all_members() {
            let folder = config::member_folder(self.mode(), index);
            let (name, text) = match self.mode() {
                Mode::ZooKeeper => {
                    ("zoo.cfg", config::zookeeper(self.spec(), self.ports(), self.path(), index))
                }
                Mode::KRaft => (
                    "server.properties",
                    config::controller(self.spec(), self.ports(), self.path(), index),
                ),
            };
            self.write(&format!("{folder}/{name}"), &text)?;
            if self.spec().guards_zookeeper {
                self.write(&format!("{folder}/{USERS}"), &config::zookeeper_users())?;
            }
            if self.mode() == Mode::ZooKeeper && self.spec().members > 1 {
                self.write(&format!("{folder}/data/myid"), &(index + 1).to_string())?;
            }
        }
        Ok(())
    }

    /// Starts all of them first, because none serves before there is a majority.
    pub(crate) fn start_quorum(&self) -> Result<(), Error> {
        if self.spec().spares.is_some() {
            self.format_voters()?;
        }
        for index in 0..self.spec().members {
            if self.mode() == Mode::KRaft && self.spec().spares.is_none() {
                self.format_controller(index)?;
            }
            self.launch_member(index)?;
        }
        match self.mode() {
            Mode::ZooKeeper => {
                (0..self.spec().members).try_for_each(|index| self.await_member(index))
            }
            // The brokers wait for the controllers.
            Mode::KRaft => Ok(()),
        }
    }

    fn data_of(&self, index: u16) -> PathBuf {
        self.path().join(config::member_folder(Mode::KRaft, index)).join("data")
    }

    /// Formats the voters of a dynamic quorum. Kafka's storage tool writes the first one; the others differ only in
    /// their ids. A copy of the feature levels is for controllers that come later.
    fn format_voters(&self) -> Result<(), Error> {
        let mut voters = Vec::new();
        for (id, address) in self.members() {
            voters.push((id, config::new_id()?, address));
        }
        let initial: Vec<String> =
            voters.iter().map(|(id, directory, at)| format!("{id}@{at}:{directory}")).collect();
        let first = self.data_of(0);
        let config = first.with_file_name("server.properties").display().to_string();
        let own = ["format", "--cluster-id", &self.id, "--config", &config].map(String::from);
        let initial = ["--initial-controllers".to_owned(), initial.join(",")];
        self.tool("storage", own.iter().chain(&initial).chain(&self.credentials()))?;
        let copy = |name: &str, to: &Path| {
            file(fs::copy(first.join(name), to.join(name)), "copy", first.join(name)).map(drop)
        };
        copy(BOOTSTRAP, self.path())?;
        for (index, (id, directory, _)) in (0..).zip(&voters).skip(1) {
            let data = self.data_of(index);
            config::format_as(&self.id, *id, &data, directory)?;
            file(fs::create_dir_all(data.join(METADATA)), "create", &data)?;
            copy(BOOTSTRAP, &data)?;
            copy(&format!("{METADATA}/{VOTERS}"), &data)?;
        }
        Ok(())
    }

    /// The arguments with which the storage tool writes the users of a cluster with logins.
    fn credentials(&self) -> Vec<String> {
        let users = match self.spec().security {
            Security::Open => &[][..],
            Security::Authenticated | Security::Authorized => &User::ALL,
        };
        let mut credentials = Vec::new();
        for User { name, password } in users {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                let told = format!("{mechanism}=[name={name},password={password},iterations=4096]");
                credentials.extend(["--add-scram".to_owned(), told]);
            }
        }
        credentials
    }

    /// Formats the folder of a controller without a vote, if it is empty.
    fn format_spare(&self, index: u16) -> Result<(), Error> {
        let data = self.data_of(index);
        if data.join("meta.properties").exists() {
            return Ok(());
        }
        let id = FIRST_MEMBER + i32::from(index);
        config::format_as(&self.id, id, &data, &config::new_id()?)?;
        self.add_bootstrap(&data)
    }

    /// Copies the feature levels of a dynamic quorum into the log dir of a controller that comes later.
    pub(crate) fn add_bootstrap(&self, data: &Path) -> Result<(), Error> {
        let kept = self.path().join(BOOTSTRAP);
        file(fs::copy(&kept, data.join(BOOTSTRAP)), "copy", &kept).map(drop)
    }

    /// Formats the folder of a controller. Kafka's storage tool decides the feature levels, and needs a JVM for it: what
    /// it writes is the same in every cluster of a release with these users, and is kept.
    fn format_controller(&self, index: u16) -> Result<(), Error> {
        let credentials = self.credentials();
        let digest = Sha256::digest(credentials.concat());
        let kept = format!("bootstrap-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]);
        let kept = Jars::of(self.version())?.folder().join(kept);
        let folder = self.path().join(config::member_folder(Mode::KRaft, index));
        let data = folder.join("data");
        let lock = cache::lock("bootstrap")?;
        cache::whole(&kept, |part| {
            let config = folder.join("server.properties").display().to_string();
            let own = ["format", "--cluster-id", &self.id, "--config", &config].map(String::from);
            self.tool("storage", own.iter().chain(&credentials))?;
            file(fs::copy(data.join(BOOTSTRAP), part.join(BOOTSTRAP)), "copy", &data).map(drop)
        })?;
        drop(lock);
        config::format(&self.id, FIRST_MEMBER + i32::from(index), std::slice::from_ref(&data))?;
        file(fs::copy(kept.join(BOOTSTRAP), data.join(BOOTSTRAP)), "copy", &kept).map(drop)
    }

    fn launch_member(&self, index: u16) -> Result<(), Error> {
        let name = config::member_folder(self.mode(), index);
        let is_hosted = self.hosts(FIRST_MEMBER + i32::from(index));
        match self.mode() {
            Mode::KRaft if is_hosted => self.launch_hosted(&name, "kafka", "server.properties"),
            // The servers of an ensemble have another main class, which cannot be stopped from outside.
            Mode::ZooKeeper if is_hosted && self.spec().members == 1 => {
                self.launch_hosted(&name, "zookeeper", "zoo.cfg")
            }
            Mode::KRaft => {
                let heap = self.spec().heap_mib * 3 / 4;
                self.launch(&name, Role::Controller, heap, &[], KAFKA, "server.properties")
            }
            Mode::ZooKeeper => {
                let class = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
                let heap = self.spec().heap_mib * 5 / 8;
                let users = format!("-Djava.security.auth.login.config={USERS}");
                let users = self.spec().guards_zookeeper.then_some(users.as_str());
                let options: Vec<&str> = ZOOKEEPER_OPTIONS.into_iter().chain(users).collect();
                self.launch(&name, Role::ZooKeeper, heap, &options, class, "zoo.cfg")
            }
        }
    }

    fn await_member(&self, index: u16) -> Result<(), Error> {
        let port = self.ports().member(index);
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        self.await_server(&config::member_folder(self.mode(), index), || match self.mode() {
            Mode::ZooKeeper => self.ask_zookeeper(index, "srvr").contains("\nMode: "),
            Mode::KRaft => listens(),
        })
    }

    /// What each controller has logged after the first `read_so_far` bytes.
    pub(crate) fn controller_logs(&self, read_so_far: &[usize]) -> impl Iterator<Item = String> {
        let of = |index: u16| {
            let log = self.read_log(&config::member_folder(Mode::KRaft, index));
            let from = read_so_far.get(usize::from(index)).copied().unwrap_or_default();
            log.get(from..).unwrap_or_default().to_owned()
        };
        (0..self.spec().all_members()).map(of)
    }

    pub(crate) fn is_registered(&self, id: i32) -> bool {
        let end = format!("/brokers/ids/{id}");
        let has = |index| {
            self.ask_zookeeper(index, "dump").lines().any(|line| line.trim().ends_with(&end))
        };
        (0..self.spec().members).any(has)
    }

    /// Sends one of ZooKeeper's four-letter words. No answer gives an empty one.
    fn ask_zookeeper(&self, index: u16, word: &str) -> String {
        let ask = || {
            let address = (Ipv4Addr::LOCALHOST, self.ports().member(index));
            let mut socket = TcpStream::connect(address)?;
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            socket.write_all(word.as_bytes())?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().unwrap_or_default()
    }
}
