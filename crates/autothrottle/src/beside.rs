//! The executions beside us: what they account for, asked for before what stands while nothing moves counts as an operator's.

use execute::Others;
use kafka::Client;
use std::time::Duration;
use tokio::time::timeout;
use topicmappr::shared::{Common, set_by_executions};

/// What a round waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where they keep what they have set.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// `None`: this daemon is alone, says its operator.
    place: Option<Common>,
    /// It did not answer, and that was said.
    silent: bool,
}

impl Beside {
    pub(crate) fn at(place: Option<Common>) -> Self {
        Self { place, silent: false }
    }

    /// What is theirs. Whoever cannot be asked is done without: what has stood for a minute counts as an operator's then.
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
            tracing::warn!(%why, "whether executions have rates of their own here is not known");
        }
        self.silent = true;
        Others::Nobody
    }
}
