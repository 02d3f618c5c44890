//! Flags of the way to the daemon.

use crate::error::Error;
use crate::executing::Pacer;
use std::path::PathBuf;

/// Where the daemon listens that paces an execution.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DaemonArgs {
    /// With --throttle auto: the API of the autothrottle that leads in this cluster
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    autothrottle: String,
    /// File of the bearer token that its API asks for
    #[arg(long, value_name = "FILE")]
    autothrottle_token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust its API by, instead of the system's
    #[arg(long, value_name = "FILE")]
    autothrottle_ca: Option<PathBuf>,
}

impl DaemonArgs {
    /// The way to it; nobody is asked yet.
    pub(crate) fn pacer(&self) -> Result<Pacer, Error> {
        let token = self.autothrottle_token_file.as_deref();
        Pacer::new(&self.autothrottle, token, self.autothrottle_ca.as_deref())
    }
}
