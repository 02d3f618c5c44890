//! Errors between us and a cluster, with the evidence.

use crate::address::Address;
use crate::properties::{ConfigError, Mechanism, SecurityProtocol};
use kafka_protocol::ResponseError;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use std::{fmt, io};

/// Why a call to a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client properties cannot be used.
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    /// No bootstrap address accepts a connection.
    #[error("cannot reach the cluster: {}", list(.failures))]
    Unreachable {
        /// The result for each address.
        failures: BTreeMap<Address, Unreached>,
    },
    /// A broker advertises an address that we cannot connect to, while the bootstrap address works.
    #[error(
        "broker {broker} cannot be reached at the address it advertises, {advertised}: {cause} \
         (the bootstrap address {bootstrap} answers)"
    )]
    AdvertisedUnreachable {
        /// The address that answers.
        bootstrap: Address,
        /// The broker.
        broker: BrokerId,
        /// Its `advertised.listeners` entry for our listener.
        advertised: Address,
        /// The failure at that address.
        cause: Unreached,
    },
    /// No answer came before the deadline.
    #[error("{address} did not answer {api} within {} ms", after.as_millis())]
    Timeout {
        /// The address that did not answer.
        address: Address,
        /// The request, by its name in Kafka's protocol guide, or the stage of connecting.
        api: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// The connection ended before the answer came.
    #[error("{address} closed the connection instead of answering {api}{}", because(.cause))]
    Closed {
        /// The address that closed the connection.
        address: Address,
        /// The request.
        api: &'static str,
        /// The operating system's error, if it says more than "closed".
        cause: Option<io::Error>,
    },
    /// The listener speaks another `security.protocol` than ours.
    #[error("{address} {spoken}, but security.protocol is {configured}")]
    WrongProtocol {
        /// The listener.
        address: Address,
        /// The `security.protocol` of our settings.
        configured: SecurityProtocol,
        /// The protocol that the listener speaks, found by probing it.
        spoken: Spoken,
    },
    /// The TLS handshake failed.
    #[error("TLS with {address} failed: {fault}")]
    Tls {
        /// The listener.
        address: Address,
        /// Why.
        fault: TlsFault,
    },
    /// The broker rejected our credentials.
    #[error("{address} refused user {user:?} by {mechanism}: {reason}")]
    Authentication {
        /// The listener.
        address: Address,
        /// The mechanism.
        mechanism: Mechanism,
        /// The user of our settings.
        user: String,
        /// The broker's explanation.
        reason: String,
    },
    /// No bearer token for our login.
    #[error("no token from {origin}: {reason}")]
    Token {
        /// The file or the token endpoint.
        origin: String,
        /// What is wrong with it, or what it answered.
        reason: String,
        /// Whether a later attempt may succeed: the source did not answer, or will be renewed.
        may_pass: bool,
    },
    /// A Kafka ACL is missing.
    #[error(transparent)]
    Authorization(Box<Denied>),
    /// Topics that the caller needs and that we may not describe. Without this right, a deleted topic looks the same.
    #[error(
        "{} hidden from {}: {} (the ACL Describe on Topic is missing)",
        of_topics(.topics, "is", "are"), who(.principal), some(.topics)
    )]
    HiddenTopics {
        /// The topics. They are in log dirs, in a plan or in a ledger, but metadata withholds them.
        topics: BTreeSet<String>,
        /// Our principal in the cluster, if known.
        principal: Option<String>,
    },
    /// Topics that are in no listing, while too few brokers answer to tell whether they still exist.
    #[error(
        "too few brokers answer to tell whether {} still there: {} ({answered} of {asked} answered)",
        of_topics(.topics, "is", "are"), some(.topics)
    )]
    UntoldTopics {
        /// The topics.
        topics: BTreeSet<String>,
        /// How many live brokers were asked.
        asked: usize,
        /// How many of them answered.
        answered: usize,
    },
    /// The answer breaks Kafka's protocol.
    #[error("{address} is not compatible with this client: {fault}")]
    Protocol {
        /// The address that sent it.
        address: Address,
        /// What is wrong with it.
        fault: ProtocolFault,
    },
    /// The broker answered with an error code.
    #[error("{address} answered {api} with {code:?}{}", said(.message))]
    Refused {
        /// The address that answered.
        address: Address,
        /// The request.
        api: &'static str,
        /// The code.
        code: ResponseError,
        /// The broker's own explanation.
        message: Option<String>,
    },
    /// The cluster's answers do not form a consistent snapshot.
    #[error("the cluster contradicts itself; it may have changed while it was read: {0}")]
    Contradictory(#[from] Box<mapper::SnapshotError>),
}

/// Why a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// The host name does not resolve.
    #[error("the name cannot be resolved ({0})")]
    Unresolved(io::Error),
    /// Nothing answered within this time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The operating system refused.
    #[error("{0}")]
    Refused(io::Error),
}

/// The protocol that a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// TLS, but we connected without it.
    Tls,
    /// No TLS, but we offered it.
    NoTls,
    /// SASL with these mechanisms, but we offered none.
    Sasl(Vec<String>),
    /// No SASL, but we offered it.
    NoSasl,
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => f.write_str("speaks TLS"),
            Self::NoTls => f.write_str("does not speak TLS"),
            Self::Sasl(mechanisms) => write!(f, "asks for SASL ({})", mechanisms.join(", ")),
            Self::NoSasl => f.write_str("does not take SASL"),
        }
    }
}

/// Why a TLS handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The broker's certificate is not signed by a CA that we trust.
    #[error("its certificate is not signed by a trusted CA")]
    Untrusted,
    /// The certificate is valid for other hosts.
    #[error("its certificate is for {}, not for {expected}", names(.presented))]
    WrongName {
        /// The host that we connected to.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// The certificate has expired, or is not valid yet.
    #[error("its certificate is not valid now: {0}")]
    NotValidNow(String),
    /// The certificate is X.509 version 1, which contains no host names.
    #[error("its certificate is of X.509 version 1, which contains no host names")]
    OldCertificate,
    /// The broker requires a client certificate, or does not accept ours.
    #[error(
        "it refused our client certificate{} ({alert})",
        if *presented { "" } else { ", for we have none" }
    )]
    ClientRefused {
        /// Whether we presented one.
        presented: bool,
        /// The TLS alert that it sent.
        alert: String,
    },
    /// The broker requires a client certificate in TLS 1.2, or accepts no cipher suite of ours (RFC 5246, 7.4.6 and 7.4.1.3).
    #[error("it ended the handshake (HandshakeFailure)")]
    Ended,
    /// The host is not a valid TLS server name.
    #[error("{0:?} is no host name")]
    NoName(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// How an answer breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// The broker does not have this request.
    #[error("it does not offer {api}")]
    NotOffered {
        /// The request.
        api: &'static str,
    },
    /// The broker and this client have no common version of this request.
    #[error("it offers {api} in versions {theirs:?}, we speak {ours:?}")]
    NoCommonVersion {
        /// The request.
        api: &'static str,
        /// The broker's first and last version.
        theirs: (i16, i16),
        /// Our first and last version.
        ours: (i16, i16),
    },
    /// The answer is larger than our limit, or is not a Kafka answer.
    #[error("its answer to {api} begins like a frame of {length} bytes, more than {limit}")]
    FrameTooLarge {
        /// The request.
        api: &'static str,
        /// The length in the frame header.
        length: i64,
        /// Our limit in bytes.
        limit: u32,
    },
    /// An answer to another request.
    #[error("its answer to {api} has correlation id {found}, expected {expected}")]
    WrongCorrelation {
        /// The request.
        api: &'static str,
        /// The id in the answer.
        found: i32,
        /// The id that we sent.
        expected: i32,
    },
    /// The answer cannot be decoded, or the request cannot be encoded, in the negotiated version.
    #[error("{api} version {version}: {reason}")]
    Malformed {
        /// The request.
        api: &'static str,
        /// The negotiated version.
        version: i16,
        /// The codec's error.
        reason: String,
    },
}

/// A missing right that an ACL can grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} may not {api}: the ACL {operation} on {resource} is missing", who(.principal))]
pub struct Denied {
    /// The request that was refused.
    pub api: &'static str,
    /// The resource of the missing ACL.
    pub resource: Resource,
    /// The operation of the missing ACL.
    pub operation: Operation,
    /// Our principal, if known. With TLS the broker derives it from our certificate.
    pub principal: Option<String>,
}

/// A Kafka resource that ACLs are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The cluster as a whole.
    Cluster,
    /// Topics.
    Topics,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "Cluster",
            Self::Topics => "Topic",
        })
    }
}

/// An operation that an ACL grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// See that it exists.
    Describe,
    /// See its configuration.
    DescribeConfigs,
    /// Create it.
    Create,
    /// Change it.
    Alter,
    /// Change its configuration.
    AlterConfigs,
    /// Delete it.
    Delete,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::Create => "Create",
            Self::Alter => "Alter",
            Self::AlterConfigs => "AlterConfigs",
            Self::Delete => "Delete",
        })
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<mapper::SnapshotError> for Error {
    fn from(error: mapper::SnapshotError) -> Self {
        Self::Contradictory(Box::new(error))
    }
}

fn list(failures: &BTreeMap<Address, Unreached>) -> String {
    let each: Vec<String> =
        failures.iter().map(|(address, cause)| format!("{address}: {cause}")).collect();
    each.join("; ")
}

fn because(cause: &Option<io::Error>) -> String {
    cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default()
}

fn said(message: &Option<String>) -> String {
    message.as_ref().map(|message| format!(": {message}")).unwrap_or_default()
}

fn names(presented: &[String]) -> String {
    if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") }
}

fn who(principal: &Option<String>) -> &str {
    principal.as_deref().unwrap_or("this client")
}

/// "1 topic is", "2 topics are".
fn of_topics(topics: &BTreeSet<String>, one: &str, more: &str) -> String {
    match topics.len() {
        1 => format!("1 topic {one}"),
        count => format!("{count} topics {more}"),
    }
}

/// The first few topics: a cluster may hide thousands.
fn some(topics: &BTreeSet<String>) -> String {
    mapper::few(topics, 20)
}
