//! Flags of the way to the daemon.

use crate::error::Error;
use crate::executing::Pacer;
use std::path::PathBuf;

/// Where one on the same machine listens by itself.
const DEFAULT: &str = "http://localhost:8080";

/// Where the daemon listens that paces an execution.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DaemonArgs {
    /// The API of the autothrottle that leads in this cluster and paces what is moved; it takes a rate of --throttle as an
    /// override [default with --throttle auto: http://localhost:8080; else: none]
    #[arg(long, value_name = "URL")]
    autothrottle: Option<String>,
    /// File of the bearer token that its API asks for
    #[arg(long, value_name = "FILE")]
    autothrottle_token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust its API by, instead of the system's
    #[arg(long, value_name = "FILE")]
    autothrottle_ca: Option<PathBuf>,
}

impl DaemonArgs {
    /// Whether one is named.
    pub(crate) fn is_given(&self) -> bool {
        self.autothrottle.is_some()
    }

    /// The way to it; nobody is asked yet.
    pub(crate) fn pacer(&self) -> Result<Pacer, Error> {
        let url = self.autothrottle.as_deref().unwrap_or(DEFAULT);
        let token = self.autothrottle_token_file.as_deref();
        Pacer::new(url, token, self.autothrottle_ca.as_deref())
    }
}
