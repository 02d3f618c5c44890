//! A server of a cluster: a process, or part of the JVM of all clusters.

use std::time::Duration;

use crate::error::Error;
use crate::host::{Hosted, died};
use crate::process::Process;

#[derive(Debug)]
pub(crate) enum Server {
    Own(Process),
    Hosted(Hosted),
}

impl Server {
    /// Why it does not run, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<String> {
        match self {
            Self::Own(process) => process.ended().map(|status| status.to_string()),
            Self::Hosted(server) => server.started().and_then(|start| start.clone().err()),
        }
    }

    /// Whether a hosted one serves.
    pub(crate) fn has_started(&mut self) -> bool {
        let Self::Hosted(server) = self else { return false };
        matches!(server.started(), Some(Ok(())))
    }

    /// Asks it to stop cleanly, and waits for the end.
    pub(crate) fn terminate(&mut self, within: Duration) -> Result<(), Error> {
        match self {
            Self::Own(process) => process.terminate(within),
            Self::Hosted(server) => server.stop(true).map_err(|log| died("a server", log)),
        }
    }

    /// Kills it as a power cut does. A hosted one stops without waiting for anything.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        match self {
            Self::Own(process) => {
                process.kill();
                Ok(())
            }
            Self::Hosted(server) => server.stop(false).map_err(|log| died("a server", log)),
        }
    }

    /// Sends it a signal, by the name that `kill` accepts.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Error> {
        let Self::Own(process) = self else { return Err(Error::Hosted) };
        process.signal(name)
    }
}
