//! Whether clients are slow, as autothrottle's canary hears it.

use crate::error::Error;
use crate::session::Session;
use mapper::few;
use operate::slow_clients::SlowClients;
use std::path::PathBuf;

/// How many brokers a sentence names.
const NAMED: usize = 5;

/// The flags of the canary.
#[derive(Debug, clap::Args)]
pub(super) struct SlowClientsArgs {
    /// Begin no plan while the canary of this autothrottle finds clients slow
    ///
    /// The URL is that of its API. Only the plan for a lost broker does not wait.
    #[arg(long, value_name = "URL")]
    canary: Option<String>,
    /// Trust these certificates (PEM) for --canary, not the system's
    #[arg(long, value_name = "FILE", requires = "canary")]
    canary_ca: Option<PathBuf>,
}

impl SlowClientsArgs {
    /// The way to the canary, if there is one. Sends nothing.
    pub(super) fn open(&self) -> Result<Option<SlowClients>, Error> {
        let open = |url: &String| SlowClients::at(url, self.canary_ca.as_deref());
        Ok(self.canary.as_ref().map(open).transpose()?)
    }

    /// The address as it may be shown.
    pub(super) fn url(&self) -> Option<String> {
        self.canary.as_deref().map(metrics::value_without_login)
    }

    /// Why clients may be slow.
    pub(super) fn slow(&self, session: &Session<'_, '_>) -> Result<Option<String>, Error> {
        let Some(mut canary) = self.open()? else { return Ok(None) };
        session.global.talk.wait_for(async {
            Ok(match canary.slow().await {
                Ok(slow) if slow.is_empty() => None,
                Ok(slow) => {
                    Some(format!("clients of broker {} are slow, by the canary", few(slow, NAMED)))
                }
                Err(why) => Some(format!("it is not known whether clients are slow: {why}")),
            })
        })
    }
}
