//! Opens a session with an ensemble, or reports for each address why it failed.

use crate::address::ZooKeeperAddress;
use crate::error::Error;
use crate::no_session::NoSession;
use crate::socket;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;
use zookeeper_client::{Acls, Client, Error as Reply};

/// How often a session with a login is asked for. The client library sends the login right behind its request for a session. A
/// server on Netty, as each one with TLS, then sometimes answers the login first, and the library takes that for another
/// protocol. `tests/live/guarded.rs` has seen it.
const ATTEMPTS: usize = 5;

/// Deadlines for ZooKeeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For opening a session, over all servers. Default: 15 s.
    pub connect: Duration,
    /// The requested session timeout; the server may choose another one. Default: 10 s. The client leaves a server that
    /// is silent for two fifths of it.
    pub session: Duration,
    /// For each request, including reconnections. Default: 10 s.
    pub request: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(15), session: seconds(10), request: seconds(10) }
    }
}

/// An open session. It closes when the last clone is dropped.
#[derive(Clone)]
pub struct ZooKeeper {
    pub(crate) client: Client,
    pub(crate) address: ZooKeeperAddress,
    pub(crate) deadlines: Deadlines,
}

impl ZooKeeper {
    /// Opens a session. Does not check whether Kafka is there; the readers of Kafka's znodes do that.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with the result for each address; [`Error::LoginRefused`] if a login is wrong or missing.
    pub async fn connect(address: &ZooKeeperAddress, deadlines: Deadlines) -> Result<Self, Error> {
        let access = address.access();
        access.onto(Client::connector()).map_err(Error::UnusableTls)?;
        let attempts = if access.login.is_some() { ATTEMPTS } else { 1 };
        let session = async {
            let mut answer = session(address, deadlines).await;
            for _ in 1..attempts {
                if !matches!(answer, Err(Reply::NoHosts)) {
                    break;
                }
                answer = session(address, deadlines).await;
            }
            answer
        };
        match timeout(deadlines.connect, session).await {
            Ok(Ok(client)) => Ok(Self { client, address: address.clone(), deadlines }),
            Ok(Err(Reply::AuthFailed)) => {
                Err(Error::LoginRefused { user: access.user().map(str::to_owned) })
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "no session");
                Err(unreachable(address).await)
            }
            Err(_) => Err(unreachable(address).await),
        }
    }

    /// The address of this session.
    #[must_use]
    pub fn address(&self) -> &ZooKeeperAddress {
        &self.address
    }

    /// The ACL of the znodes that we create.
    pub(crate) fn acls(&self) -> Acls<'static> {
        self.address.access().acls()
    }

    /// The full path of one of Kafka's znodes.
    pub(crate) fn kafka(&self, path: &str) -> String {
        format!("{}{path}", self.address.chroot())
    }
}

impl fmt::Debug for ZooKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeper").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Opens a session with the first server that gives one.
async fn session(address: &ZooKeeperAddress, deadlines: Deadlines) -> Result<Client, Reply> {
    let (access, servers) = (address.access(), address.servers().join(","));
    let connector = Client::connector().with_session_timeout(deadlines.session).with_fail_eagerly();
    let connector = access.onto(connector)?;
    if access.tls.is_none() {
        return connector.connect(&servers).await;
    }
    // The library panics for a host that no certificate can name.
    match address.servers().iter().all(|server| socket::name(server).is_some()) {
        true => connector.secure_connect(&servers).await,
        false => Err(Reply::NoHosts),
    }
}

/// The client library reports only "no hosts" for all of them. This probes each address for its reason.
async fn unreachable(address: &ZooKeeperAddress) -> Error {
    let ask = address.servers().iter().map(|server| NoSession::of(server, address.access()));
    let reasons = join_all(ask).await;
    let servers: BTreeMap<_, _> = address.servers().iter().cloned().zip(reasons).collect();
    Error::Unreachable { servers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    }

    async fn failure(servers: &str) -> BTreeMap<String, NoSession> {
        let deadlines = Deadlines { connect: Duration::from_millis(500), ..Deadlines::default() };
        match ZooKeeper::connect(&servers.parse().unwrap(), deadlines).await.unwrap_err() {
            Error::Unreachable { servers } => servers,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn every_address_that_does_not_answer_is_named_with_its_reason() {
        let (one, two) = (free_port().await, free_port().await);
        let servers = failure(&format!("127.0.0.1:{one},127.0.0.1:{two}/kafka")).await;
        assert_eq!(servers.len(), 2);
        assert!(
            servers.values().all(|reason| reason.to_string().contains("refused")),
            "{servers:?}"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_no_zookeeper_is_told_from_one_that_is_down() {
        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = mute.local_addr().unwrap().to_string();
        let servers = failure(&address).await;
        assert_eq!(servers[&address], NoSession::Mute);
    }
}
