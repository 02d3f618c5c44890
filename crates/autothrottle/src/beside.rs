//! The executions of the cluster. The daemon reads their ledger first; only then may an idle value count as the
//! operator's.

use execute::Others;
use kafka::Client;
use operate::execution::set_by_executions;
use operate::marks::Common;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait of a round for the ledger.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where executions keep their ledger.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// `None`: this daemon is alone, says its operator.
    place: Option<Common>,
    /// It did not answer, and the log says so.
    silent: bool,
}

impl Beside {
    pub(crate) fn at(place: Option<Common>) -> Self {
        Self { place, silent: false }
    }

    /// The configs of executions. If a source cannot be read, a rate that was set for a minute counts as an
    /// operator's.
    pub(crate) async fn others(&mut self, client: &Client) -> Others {
        let Some(place) = &self.place else { return Others::Nobody };
        let why = match timeout(PATIENCE, set_by_executions(client, place)).await {
            Ok(Ok(others)) => {
                self.silent = false;
                return others;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
        };
        if !self.silent {
            tracing::warn!(%why, "cannot read whether executions have set rates here");
        }
        self.silent = true;
        Others::Nobody
    }
}
