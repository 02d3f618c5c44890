//! The migration of a cluster from ZooKeeper to KRaft (KIP-866), step by step.
//!
//! In: a [`Cluster`] that was built with [`Builder::migrating`](crate::Builder::migrating). The test decides what happens
//! between the steps. The order is Kafka's:
//!
//! 1. [`start_successors`](Cluster::start_successors): the controllers start, and wait for the brokers.
//! 2. [`restart_at`](Cluster::restart_at) with [`Step::Migrating`], each broker. After the last one, the controllers copy
//!    the metadata: [`await_migration`](Cluster::await_migration). From here on they write to both.
//! 3. [`restart_at`](Cluster::restart_at) with [`Step::KRaft`], each broker.
//! 4. [`finalise`](Cluster::finalise), each controller: there is no way back, and ZooKeeper may go.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::cluster::{Cluster, KAFKA};
use crate::config;
use crate::error::Error;
use crate::jvm::Role;
use crate::quorum::FIRST_MEMBER;
use crate::spec::Mode;
use crate::wait::until;

/// What a controller logs when all metadata is copied.
const COPIED: &str = "Completed migration of metadata from ZooKeeper to KRaft";

/// How a server runs during a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// With `zookeeper.metadata.migration.enable`.
    Migrating,
    /// In KRaft mode, without ZooKeeper.
    KRaft,
}

impl Cluster {
    /// The ids of the KRaft controllers, each with its address.
    pub fn successors(&self) -> Vec<(i32, String)> {
        let one = |index| {
            let address = format!("127.0.0.1:{}", self.ports().member(index));
            (FIRST_MEMBER + i32::from(index), address)
        };
        self.spec().controllers().map(one).collect()
    }

    /// Formats and starts the KRaft controllers, which will take the metadata over.
    pub fn start_successors(&self) -> Result<(), Error> {
        let id = self.id()?;
        for index in self.spec().controllers() {
            let config = self.configure_successor(index, Step::Migrating)?;
            self.tool("storage", ["format", "--cluster-id", &id, "--config", &config])?;
            self.launch_successor(index)?;
        }
        self.spec().controllers().try_for_each(|index| self.await_successor(index))
    }

    /// Stops a broker cleanly, and starts it again at this step. Returns when it serves.
    pub fn restart_at(&self, id: i32, step: Step) -> Result<(), Error> {
        let index = self.spec().index(id)?;
        self.stop_broker(id)?;
        let (spec, ports) = (self.spec(), self.ports());
        let text = config::migrating_broker(spec, ports, self.path(), id, index, step);
        let name = config::broker_folder(id);
        self.write(&format!("{name}/server.properties"), &text)?;
        self.launch_broker(id)?;
        let started = match step {
            Step::KRaft => "Transitioning from RECOVERY to RUNNING".to_owned(),
            Step::Migrating => format!("[KafkaServer id={id}] started"),
        };
        let at = (self.spec().host(index), self.ports().broker(index));
        self.await_server(&name, || {
            self.read_log(&name).contains(&started) && TcpStream::connect(at).is_ok()
        })
    }

    /// Waits until the controllers have copied all metadata.
    pub fn await_migration(&self, within: Duration) -> Result<(), Error> {
        until("the copy of the metadata", within, || {
            let mut names = self.spec().controllers().map(folder);
            names.any(|name| self.read_log(&name).contains(COPIED)).then_some(())
        })
    }

    /// Restarts a controller without ZooKeeper.
    pub fn finalise(&self, id: i32) -> Result<(), Error> {
        let index = self.spec().controllers().find(|index| FIRST_MEMBER + i32::from(*index) == id);
        let index = index.ok_or_else(|| {
            let have = self.successors().into_iter().map(|(id, _)| id).collect();
            Error::UnknownBroker { id, have }
        })?;
        let server = self.servers().remove(&folder(index));
        server.ok_or(Error::WrongState { id, state: "down" })?.terminate(self.spec().timeout)?;
        self.configure_successor(index, Step::KRaft)?;
        self.launch_successor(index)?;
        self.await_successor(index)
    }

    /// Writes the properties of a controller, and returns their path.
    fn configure_successor(&self, index: u16, step: Step) -> Result<String, Error> {
        let (spec, ports) = (self.spec(), self.ports());
        let text = config::migrating_controller(spec, ports, self.path(), index, step);
        let name = format!("{}/server.properties", folder(index));
        self.write(&name, &text)?;
        Ok(self.path().join(name).display().to_string())
    }

    fn launch_successor(&self, index: u16) -> Result<(), Error> {
        let heap = self.spec().heap_mib * 3 / 4;
        self.launch(&folder(index), Role::Controller, heap, &[], KAFKA, "server.properties")
    }

    fn await_successor(&self, index: u16) -> Result<(), Error> {
        let at = (Ipv4Addr::LOCALHOST, self.ports().member(index));
        self.await_server(&folder(index), || TcpStream::connect(at).is_ok())
    }
}

fn folder(index: u16) -> String {
    config::member_folder(Mode::KRaft, index)
}
