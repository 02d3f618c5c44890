//! The address of ZooKeeper: the servers of an ensemble, and Kafka's chroot in it.
//!
//! In: the text that Kafka calls `zookeeper.connect`, `HOST:PORT,HOST:PORT/chroot`. Out: an [`ZooKeeperAddress`], or the error
//! in the text. Resolves no name and opens no socket.

use crate::access::ZooKeeperAccess;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// ZooKeeper's client port, if an address names none.
const DEFAULT_PORT: u16 = 2181;

/// The servers of one ensemble, Kafka's chroot in it, and how to log in there.
///
/// ```
/// let address: mappr_zookeeper::ZooKeeperAddress = "zk1:2181,zk2/kafka".parse().unwrap();
/// assert_eq!(address.servers(), ["zk1:2181", "zk2:2181"]);
/// assert_eq!(address.chroot(), "/kafka");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZooKeeperAddress {
    servers: Vec<String>,
    chroot: String,
    access: Arc<ZooKeeperAccess>,
}

/// Why a text is not a valid [`ZooKeeperAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAddress {
    /// A server is empty.
    #[error("a server is missing in {text:?}: expected HOST:PORT,HOST:PORT/chroot")]
    NoServer {
        /// The whole text.
        text: String,
    },
    /// The text after the last colon is not a valid port.
    #[error("{server:?} has no valid port (1 to 65535)")]
    Port {
        /// The server as given.
        server: String,
    },
    /// A chroot that is not at the end, or that ZooKeeper would refuse.
    #[error(
        "{chroot:?} is not a ZooKeeper path: give the chroot once, after the last server, as in /kafka"
    )]
    Chroot {
        /// The path as given.
        chroot: String,
    },
    /// The address and the separate prefix name two different chroots.
    #[error("the address names the chroot {address}, the prefix names {prefix}: give one of them")]
    TwoChroots {
        /// The path in the address.
        address: String,
        /// The path of the prefix.
        prefix: String,
    },
    /// An address with a scheme.
    #[error(
        "{server:?} has a scheme: give HOST:PORT; for TLS, name a file with --zookeeper-config"
    )]
    Scheme {
        /// The server as given.
        server: String,
    },
}

impl ZooKeeperAddress {
    /// Each server as `HOST:PORT`, in the order given.
    #[must_use]
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// Kafka's path in the ensemble: empty for the root, otherwise with a leading slash and no trailing slash.
    #[must_use]
    pub fn chroot(&self) -> &str {
        &self.chroot
    }

    /// How to log in.
    #[must_use]
    pub fn access(&self) -> &ZooKeeperAccess {
        &self.access
    }

    /// The same ensemble, reached in this way.
    #[must_use]
    pub fn with_access(self, access: ZooKeeperAccess) -> Self {
        Self { access: Arc::new(access), ..self }
    }

    /// The same ensemble with Kafka under `prefix`, as in older tools (`--zk-prefix kafka`).
    ///
    /// # Errors
    /// If the address already names another chroot, or `prefix` is not a valid path.
    pub fn with_prefix(self, prefix: &str) -> Result<Self, BadAddress> {
        let chroot = parse_chroot(prefix)?;
        if chroot.is_empty() {
            return Ok(self);
        }
        if !self.chroot.is_empty() && self.chroot != chroot {
            return Err(BadAddress::TwoChroots { address: self.chroot, prefix: chroot });
        }
        Ok(Self { chroot, ..self })
    }
}

impl FromStr for ZooKeeperAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        // A scheme contains slashes. Without this check, its server would be parsed as a chroot.
        if let Some(server) = text.split(',').find(|part| part.contains("://")) {
            return Err(BadAddress::Scheme { server: server.trim().to_owned() });
        }
        let (servers, chroot) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, ""),
        };
        let servers = servers.split(',').map(|server| parse_server(server.trim(), text));
        let servers = servers.collect::<Result<_, _>>()?;
        Ok(Self { servers, chroot: parse_chroot(chroot)?, access: Arc::default() })
    }
}

impl fmt::Display for ZooKeeperAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.servers.join(","), self.chroot)
    }
}

fn parse_server(server: &str, text: &str) -> Result<String, BadAddress> {
    // The colons inside a bracketed IPv6 address belong to the host.
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (server, None),
    };
    if host.is_empty() {
        return Err(BadAddress::NoServer { text: text.to_owned() });
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => match port.parse() {
            Ok(port) if port != 0 => port,
            _ => {
                return Err(BadAddress::Port { server: server.to_owned() });
            }
        },
    };
    Ok(format!("{host}:{port}"))
}

fn parse_chroot(text: &str) -> Result<String, BadAddress> {
    let inner = text.trim().trim_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    let bad =
        |name: &str| name.is_empty() || name == "." || name == ".." || name.contains([',', '\0']);
    if inner.split('/').any(bad) {
        return Err(BadAddress::Chroot { chroot: text.trim().to_owned() });
    }
    Ok(format!("/{inner}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Vec<String>, String), BadAddress> {
        text.parse::<ZooKeeperAddress>().map(|address| (address.servers, address.chroot))
    }

    #[test]
    fn servers_and_chroot_are_told_apart() {
        let two = vec!["a:2181".to_owned(), "b:2182".to_owned()];
        assert_eq!(parse("a:2181,b:2182"), Ok((two.clone(), String::new())));
        assert_eq!(parse("a, b:2182/kafka/prod"), Ok((two.clone(), "/kafka/prod".to_owned())));
        assert_eq!(parse("a,b:2182/"), Ok((two, String::new())));
    }

    #[test]
    fn an_ipv6_host_keeps_its_colons() {
        assert_eq!(parse("[::1]").unwrap().0, ["[::1]:2181"]);
        assert_eq!(parse("[::1]:2183").unwrap().0, ["[::1]:2183"]);
    }

    #[test]
    fn a_bad_address_names_the_part_that_is_wrong() {
        assert_eq!(parse(""), Err(BadAddress::NoServer { text: String::new() }));
        assert_eq!(parse("a,,b"), Err(BadAddress::NoServer { text: "a,,b".to_owned() }));
        assert_eq!(parse("a:x"), Err(BadAddress::Port { server: "a:x".to_owned() }));
        assert_eq!(parse("a:0"), Err(BadAddress::Port { server: "a:0".to_owned() }));
        assert_eq!(parse("a/kafka,b"), Err(BadAddress::Chroot { chroot: "/kafka,b".to_owned() }));
        assert_eq!(parse("a/../b"), Err(BadAddress::Chroot { chroot: "/../b".to_owned() }));
        assert_eq!(
            parse("tcp+tls://a:2281"),
            Err(BadAddress::Scheme { server: "tcp+tls://a:2281".to_owned() })
        );
    }

    #[test]
    fn a_prefix_given_apart_is_the_chroot_unless_the_address_has_another() {
        let address = |text: &str| text.parse::<ZooKeeperAddress>().unwrap();
        assert_eq!(address("a").with_prefix("kafka").unwrap(), address("a/kafka"));
        assert_eq!(address("a/kafka").with_prefix("/kafka/").unwrap(), address("a/kafka"));
        assert_eq!(address("a/kafka").with_prefix("").unwrap(), address("a/kafka"));
        assert!(matches!(
            address("a/kafka").with_prefix("other"),
            Err(BadAddress::TwoChroots { .. })
        ));
    }

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        let address: ZooKeeperAddress = "zk1,zk2:2182/kafka".parse().unwrap();
        assert_eq!(address.to_string(), "zk1:2181,zk2:2182/kafka");
        assert_eq!(address.to_string().parse(), Ok(address));
    }
}
