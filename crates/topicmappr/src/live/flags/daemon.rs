//! Flags of the way to the daemon.

use crate::error::Error;
use operate::execution::Pacer;
use std::path::PathBuf;

/// The default address of a daemon on the same machine.
const DEFAULT: &str = "http://localhost:8080";

/// How to reach the daemon that paces an execution.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DaemonArgs {
    /// Let the autothrottle daemon at this URL pace the moves
    ///
    /// The URL is that of its API, and the daemon must lead in this cluster. A rate of --throttle becomes an override
    /// of the daemon. Default with --throttle auto: http://localhost:8080. Else there is no default.
    #[arg(long, value_name = "URL")]
    autothrottle: Option<String>,
    /// Read the bearer token for the daemon's API from this file
    #[arg(long, value_name = "FILE")]
    autothrottle_token_file: Option<PathBuf>,
    /// Trust these certificates (PEM) for the daemon's API, not the system's
    #[arg(long, value_name = "FILE")]
    autothrottle_ca: Option<PathBuf>,
}

impl DaemonArgs {
    /// Whether the flags name a daemon.
    pub(crate) fn is_given(&self) -> bool {
        self.autothrottle.is_some()
    }

    /// How to reach the daemon. Sends no request.
    pub(crate) fn pacer(&self) -> Result<Pacer, Error> {
        let url = self.autothrottle.as_deref().unwrap_or(DEFAULT);
        let token = self.autothrottle_token_file.as_deref();
        Ok(Pacer::new(url, token, self.autothrottle_ca.as_deref())?)
    }
}
