//! The executions of the cluster. The daemon reads their ledger first; only then may an idle value count as the
//! operator's.

use execute::Others;
use kafka::Client;
use operate::execution::OtherLedger;
use operate::stores;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait of a round for the ledger.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where executions keep their ledger.
#[derive(Debug, Clone, Default)]
pub(crate) enum Executors {
    /// In the state topic.
    Topic(coordination::Store),
    /// In ZooKeeper, under the cluster's id.
    ZooKeeper(zookeeper::Address),
    /// Not known: with Kubernetes, their Lease may have any name.
    #[default]
    Unknown,
}

/// The ledger of executions, as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    executors: Executors,
    /// It did not answer, and the log says so.
    silent: bool,
}

impl Beside {
    pub(crate) fn at(executors: Executors) -> Self {
        Self { executors, silent: false }
    }

    /// The configs of executions. If their store cannot be read, a rate that was set for a minute counts as an
    /// operator's.
    pub(crate) async fn others(&mut self, client: &Client) -> Others {
        let store = match (&self.executors, &client.cluster().id) {
            (Executors::Topic(store), _) => store.clone(),
            (Executors::ZooKeeper(address), Some(id)) => {
                stores::executors_in_zookeeper(address.clone(), id)
            }
            (Executors::ZooKeeper(_), None) | (Executors::Unknown, _) => return Others::Nobody,
        };
        let why = match timeout(PATIENCE, OtherLedger::read(client, &store)).await {
            Ok(Ok(ledger)) => {
                self.silent = false;
                return ledger.map_or(Others::Nobody, |ledger| ledger.others());
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
