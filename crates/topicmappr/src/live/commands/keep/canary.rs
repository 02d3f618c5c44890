//! Whether clients are slow, as autothrottle's canary hears it.

use crate::error::Error;
use crate::session::Session;
use mapper::few;
use metrics::SlowClients;

/// How many brokers a sentence names.
const NAMED: usize = 5;

/// The flag of the canary.
#[derive(Debug, clap::Args)]
pub(super) struct SlowClientsArgs {
    /// Begin no plan while its canary finds clients slow
    ///
    /// The address of autothrottle's API. Only the plan for a lost broker does not wait.
    #[arg(long, value_name = "URL")]
    autothrottle: Option<String>,
}

impl SlowClientsArgs {
    /// Whether the address is a URL.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.canary().map(drop)
    }

    fn canary(&self) -> Result<Option<SlowClients>, Error> {
        Ok(self.autothrottle.as_deref().map(SlowClients::at).transpose()?)
    }

    /// Why clients may be slow.
    pub(super) fn slow(&self, session: &Session<'_, '_>) -> Result<Option<String>, Error> {
        let Some(canary) = self.canary()? else { return Ok(None) };
        session.global.talk.wait_for(async {
            Ok(match canary.slow().await {
                Ok(slow) if slow.is_empty() => None,
                Ok(slow) => {
                    Some(format!("clients of broker {} are slow, by the canary", few(slow, NAMED)))
                }
                Err(error) => Some(format!("it is not known whether clients are slow: {error}")),
            })
        })
    }
}
