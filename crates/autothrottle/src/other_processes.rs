//! Other processes of ours in the cluster. The daemon reads the ledger of executions first; only then may an idle value
//! count as the operator's. If its own ledger is in a file, it asks for other daemons before it writes anything.

use crate::error::Error;
use coordination::Store;
use execute::{Ledger, Others};
use kafka::Client;
use operate::execution::OtherLedger;
use operate::{ledger_records, stores};
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait of a round for the ledger.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where executions keep their ledger.
#[derive(Debug, Clone, Default)]
pub(crate) enum Executors {
    /// In the state topic.
    Topic(Store),
    /// In ZooKeeper, under the cluster's id.
    ZooKeeper(zookeeper::ZooKeeperAddress),
    /// Not known: with Kubernetes, their Lease may have any name.
    #[default]
    Unknown,
}

/// Other processes of ours in the cluster: the ledger of executions, as far as it can be read, and other daemons.
#[derive(Debug, Default)]
pub(crate) struct OtherProcesses {
    executors: Executors,
    /// The stores in which other daemons may lead, until they were asked. Only for a ledger in a file: it is found by no
    /// other process.
    unasked: Vec<Store>,
    /// It did not answer, and the log says so.
    silent: bool,
}

impl OtherProcesses {
    /// Around a ledger that others find (`unasked` is empty), or around a file, in a cluster where other daemons may lead
    /// in these stores.
    pub(crate) fn at(executors: Executors, unasked: Vec<Store>) -> Self {
        Self { executors, unasked, silent: false }
    }

    /// The stores that are not asked yet.
    #[cfg(test)]
    pub(crate) fn unasked(&self) -> &[Store] {
        &self.unasked
    }

    /// Refuses a cluster in which another daemon leads. Asks once, in the first round that reaches all stores: before it,
    /// nothing is written to the cluster.
    pub(crate) async fn refuse_others(&mut self) -> Result<(), Error> {
        for store in &self.unasked {
            refuse_another(store).await?;
        }
        self.unasked.clear();
        Ok(())
    }

    /// The configs of executions. If their store cannot be read, a rate that was set for a minute counts as an
    /// operator's.
    pub(crate) async fn others(&mut self, client: &Client) -> Others {
        let store = match (&self.executors, &client.cluster().id) {
            (Executors::Topic(store), _) => store.clone(),
            (Executors::ZooKeeper(address), Some(id)) => {
                stores::executors_in_zookeeper(address.clone(), id)
            }
            (Executors::ZooKeeper(_), None) | (Executors::Unknown, _) => return Others::None,
        };
        let why = match timeout(PATIENCE, OtherLedger::read(client, &store)).await {
            Ok(Ok(ledger)) => {
                self.silent = false;
                return ledger.map_or(Others::None, |ledger| ledger.others());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
        };
        if !self.silent {
            tracing::warn!(%why, "cannot read whether executions have set rates here");
        }
        self.silent = true;
        Others::None
    }
}

/// Refuses a store in which a daemon leads, or whose ledger still lists what a daemon has set.
async fn refuse_another(store: &Store) -> Result<(), Error> {
    let asked = async {
        let leader = store.leader().await?;
        let lines = ledger_records::lines_in(store, &store.records().await?)?;
        let ledger = Ledger::replay(lines);
        Ok::<_, coordination::Error>((leader, ledger.held().count()))
    };
    match asked.await {
        Ok((Some(by), _)) => Err(Error::Held { place: store.name(), by }),
        Ok((None, 0)) => Ok(()),
        Ok((None, configs)) => Err(Error::OtherLedger { place: store.name(), configs }),
        // A daemon of this user could not lead there either.
        Err(why) if why.is_forbidden() => {
            tracing::warn!(%why, "cannot read whether another daemon leads");
            Ok(())
        }
        Err(error) => Err(Error::OthersUnknown(Box::new(error.into()))),
    }
}
