//! What ends the daemon otherwise than asked, with its exit code and a hint.

use operate::Status;
use operate::files::FileError;
use statelog::TOPIC;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a run ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line was refused.
    #[error(transparent)]
    Console(#[from] console::Error),
    /// An error that both binaries share: files, Kafka, Kubernetes.
    #[error(transparent)]
    Operate(#[from] operate::Error),
    /// A limit that makes no sense.
    #[error(transparent)]
    Limit(#[from] throttle::InvalidLimit),
    /// A setting of a metrics backend.
    #[error(transparent)]
    Metrics(#[from] metrics::BadSettings),
    /// Datadog does not take our keys.
    #[error("the keys are refused: {0}")]
    Keys(metrics::MetricsError),
    /// The topic of shared state cannot be found or created, and no flag names another place.
    #[error("the topic {TOPIC} cannot hold the ledger and the overrides: {0}")]
    NoTopic(#[source] Box<Error>),
    /// A daemon has led in a store, and has left configs behind. The ledger in a file does not list them.
    #[error("{place} lists {} that a daemon has set here", mapper::counted(*.configs, "config"))]
    OtherLedger { place: String, configs: usize },
    /// Other daemons could not be asked for.
    #[error("whether another daemon leads in this cluster is not known: {0}")]
    OthersUnknown(#[source] Box<Error>),
    /// The topic of shared state is not read or written as it should be.
    #[error(transparent)]
    Topic(Box<statelog::Error>),
    /// The store of the ledger did not answer in time.
    #[error("{store}: {why}")]
    Silent { store: String, why: String },
    /// Another process has the place of the ledger.
    #[error("{place} is held by {by}")]
    Held { place: String, by: String },
    /// ZooKeeper did not answer, or not as it should.
    #[error(transparent)]
    ZooKeeper(zookeeper::Error),
    /// A record of the ledger that no daemon of this version has written.
    #[error("the record {name} is not understood: {problem}")]
    Record { name: String, problem: String },
    /// We have lost the place of the ledger.
    #[error("{place} is lost: {why}")]
    Lost { place: String, why: String },
    /// Another process has the place: this one waits for it.
    #[error("another process leads: it has {place}, and this one waits for it")]
    NotLeading { place: String },
    /// The API would be open to every machine.
    #[error("--api-listen {0} is open to other machines, and each of them could change rates")]
    OpenToAll(SocketAddr),
    /// The API has no address.
    #[error("cannot listen on {address}: {problem}")]
    Listen { address: String, problem: io::Error },
    /// A certificate or its key.
    #[error("{}: {problem}", .path.display())]
    Tls { path: PathBuf, problem: String },
}

impl From<clap::Error> for Error {
    fn from(error: clap::Error) -> Self {
        Self::Console(error.into())
    }
}

local::convert_through!(operate::Error => Error: local::Error, FileError, kafka::Error);

impl From<statelog::Error> for Error {
    fn from(error: statelog::Error) -> Self {
        match error {
            statelog::Error::Lost(lost) => {
                Self::lost(&format!("the topic {TOPIC}"), lost.to_string())
            }
            error => Self::Topic(Box::new(error)),
        }
    }
}

impl From<coordination::Error> for Error {
    fn from(error: coordination::Error) -> Self {
        use coordination::Error as Of;
        match error {
            Of::Held { lock, holder } => Self::Held { place: lock, by: holder },
            Of::Lost { lock, why } | Of::Ended { lock, why } => Self::Lost { place: lock, why },
            Of::Silent { store, why } => Self::Silent { store, why },
            Of::Unreadable { name, problem } => Self::Record { name, problem },
            Of::Topic(error) => (*error).into(),
            Of::ZooKeeper(error) => (*error).into(),
            Of::Kubernetes(error) => Self::Operate((*error).into()),
            Of::Lines(error) => Self::Operate(error.into()),
        }
    }
}

impl From<zookeeper::Error> for Error {
    fn from(error: zookeeper::Error) -> Self {
        // A read may report it too. Every later request would fail in the same way.
        if error.is_session_over() {
            return Self::lost("the lock in ZooKeeper", error.to_string());
        }
        Self::ZooKeeper(error)
    }
}

impl Error {
    /// The place of the ledger is ours no more.
    pub(crate) fn lost(place: &str, why: impl Into<String>) -> Self {
        Self::Lost { place: place.to_owned(), why: why.into() }
    }

    /// Whether another process may act on the cluster now.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::NotLeading { .. })
    }

    /// Whether the cluster is another daemon's, so that this one must not begin.
    pub(crate) fn is_anothers(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::OtherLedger { .. })
    }

    /// Whether waiting is useless: the place never existed, or its content is not for us.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(self, Self::NoTopic(_)) || matches!(self.status(), Status::BadInput | Status::Held)
    }

    /// The exit code.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Console(error) => error.status(),
            Self::Operate(error) => error.status(),
            Self::Limit(_)
            | Self::Metrics(_)
            | Self::Keys(_)
            | Self::OpenToAll(_)
            | Self::Record { .. }
            | Self::Tls { .. } => Status::BadInput,
            Self::Held { .. }
            | Self::OtherLedger { .. }
            | Self::Lost { .. }
            | Self::NotLeading { .. } => Status::Held,
            Self::NoTopic(why) | Self::OthersUnknown(why) => why.status(),
            Self::Topic(why) if is_unread(why) => Status::BadInput,
            Self::Topic(_) | Self::Silent { .. } | Self::Listen { .. } | Self::ZooKeeper(_) => {
                Status::Outside
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Console(error) => return error.hint(),
            Self::Operate(error) => return error.hint(),
            Self::Held { .. } => {
                "another autothrottle, or an execution, works with it: one at a time acts on a cluster"
            }
            Self::ZooKeeper(error) => return error.hint(),
            Self::Record { .. } => {
                "use the program that wrote it; topicmappr throttle show names what is set in the cluster"
            }
            Self::NoTopic(why) => return Some(elsewhere(why)),
            Self::OthersUnknown(_) => {
                "a daemon with --state-file works alone, and asks the cluster for others first"
            }
            Self::OtherLedger { .. } => {
                "start autothrottle without --state-file first: it restores those values"
            }
            Self::Topic(why) => return Some(about(why)),
            Self::OpenToAll(_) => {
                "ask for a token (--api-token-file, AUTOTHROTTLE_API_TOKEN), or say that you mean it: --api-insecure"
            }
            Self::Lost { .. }
            | Self::NotLeading { .. }
            | Self::Limit(_)
            | Self::Metrics(_)
            | Self::Keys(_)
            | Self::Silent { .. }
            | Self::Listen { .. }
            | Self::Tls { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// Writes the error and its hint to `err`; help goes to `out`.
    pub(crate) fn tell(&self, out: &mut dyn Write, err: &mut dyn Write) -> Status {
        let help = match self {
            Self::Console(error) => error.help(),
            _ => None,
        };
        // A path may be a URL in the wrong place.
        let said = metrics::without_login(&self.to_string());
        let told = match (help, self.hint()) {
            (Some(help), _) => write!(out, "{help}"),
            (None, Some(hint)) => write!(err, "error: {said}\nhint: {hint}\n"),
            (None, None) => writeln!(err, "error: {said}"),
        };
        // If stderr fails, there is no other way to report it.
        let _ = told.and_then(|()| out.flush());
        self.status()
    }
}

/// Whether there is a record that we cannot read.
fn is_unread(error: &statelog::Error) -> bool {
    matches!(error, statelog::Error::Malformed { .. } | statelog::Error::Newer { .. })
}

/// What to do about the topic, or without it.
fn elsewhere(why: &Error) -> String {
    let rest = why.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!(
        "--state-file FILE, --zookeeper HOST:PORT or --lease NAMESPACE/NAME do without it{rest}"
    )
}

fn about(error: &statelog::Error) -> String {
    use statelog::Error as Of;
    match error {
        Of::Unavailable { .. } => {
            format!("{TOPIC} needs a live leader, and Kafka its transactions (__transaction_state)")
        }
        Of::Forbidden { .. } => format!(
            "allow Create, Describe, DescribeConfigs, Read and Write on topic {TOPIC}, and Describe and Write on transactional id mappr-autothrottle"
        ),
        Of::Malformed { .. } | Of::Newer { .. } => {
            "use the program that wrote it; topicmappr throttle show names what is set in the cluster"
                .to_owned()
        }
        other => other.hint().unwrap_or_default(),
    }
}
