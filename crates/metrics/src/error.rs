//! Why a broker has no metrics, with the evidence. Never contains a key.

/// Why a backend has no answer for a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The host of the broker is unknown.
    #[error("the host of the broker is not known")]
    NoHost,
    /// No URL is configured for the broker.
    #[error("no --exporter-url is about the broker")]
    NoUrl,
    /// There was no connection, or no answer in time.
    #[error("{url} gives no answer: {reason}")]
    Unreachable {
        /// The requested URL, without keys.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server refused the request.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// The requested URL, without keys.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the server's message.
        message: String,
    },
    /// The answer is not in the expected format.
    #[error("{url} sent an unusable answer: {problem}")]
    Malformed {
        /// The requested URL, without keys.
        url: String,
        /// What is wrong in the answer, and where.
        problem: String,
    },
    /// The answer is valid, but does not contain the broker.
    #[error("{url} has no data about the broker: {problem}")]
    NotThere {
        /// The requested URL, without keys.
        url: String,
        /// What was looked for.
        problem: String,
    },
}

impl MetricsError {
    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoHost => "the broker is not registered now; name its page: --exporter-url ID=URL".to_owned(),
            Self::NoUrl => "add --exporter-url 'http://{host}:PORT/metrics', for all brokers".to_owned(),
            Self::Unreachable { url, .. } => format!("does curl -sv {url} answer from this machine?"),
            Self::Refused { status: 401 | 403, .. } => {
                "are the keys or the token right, and of this site? They are read from files or the environment".to_owned()
            }
            Self::Refused { status: 429, .. } => "ask less often: a longer --interval".to_owned(),
            Self::Malformed { .. } => "is this the metrics page, and not one of another program?".to_owned(),
            Self::NotThere { problem, .. } if problem.starts_with("no sidecar") => {
                "does its pod run autothrottle with --sidecar-listen, and lead --sidecar-peers there?".to_owned()
            }
            Self::NotThere { .. } => {
                "metrics show --output json tells what was found; the names of metrics are flags".to_owned()
            }
            Self::Refused { .. } => return None,
        })
    }
}
