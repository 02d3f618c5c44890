//! The one way out.

use super::{Daemon, SOON, connect};
use crate::error::Error;
use crate::wishes::{covered, nothing};
use execute::hold;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What the last look before we leave may take.
const LAST_LOOK: Duration = Duration::from_secs(10);

impl Daemon<'_> {
    /// Puts back what paces nothing any more, and leaves the rest to whoever comes next.
    pub(super) async fn hand_over(&mut self) {
        if !self.book.leads() {
            return;
        }
        let rest = self.announced.close(Instant::now());
        if !rest.is_zero() {
            tracing::info!("moves were announced a moment ago: waiting until they show");
            tokio::time::sleep(rest).await;
        }
        let ledger = self.book.ledger();
        if ledger.is_empty() {
            tracing::info!("nothing in the cluster is ours");
            return;
        }
        let next = &self.settings.command_line;
        if self.settings.keeps_throttles {
            tracing::info!(
                configs = ledger.held().count(),
                next,
                "what is set stays, as asked for"
            );
            return;
        }
        match tokio::time::timeout(LAST_LOOK, self.clear_unless_copied()).await {
            Ok(Ok(0)) if self.book.ledger().is_empty() => {
                tracing::info!("nothing is copied any more: every value is as it was before")
            }
            Ok(Ok(0)) => tracing::warn!(
                configs = self.book.ledger().held().count(),
                next,
                "nothing is copied any more, but not every value could be put back: the next start tries again"
            ),
            Ok(Ok(copied)) => tracing::warn!(
                partitions = copied,
                next,
                "replicas are being copied: their rates stay, and the next start takes them over"
            ),
            Ok(Err(error)) => {
                tracing::warn!(%error, next, "what is set stays, and the next start takes it over")
            }
            Err(_) => tracing::warn!(
                next,
                "Kafka does not answer: what is set stays, and the next start takes it over"
            ),
        }
    }

    /// How many partitions are being copied under a list of ours; if none, nothing of ours is left.
    async fn clear_unless_copied(&mut self) -> Result<usize, Error> {
        let client = match self.client.take() {
            Some(client) => client,
            None => connect(self.settings).await?,
        };
        let client = &*self.client.insert(client);
        let ledger = self.book.ledger();
        let mut look =
            self.looker.look(client, &ledger, &self.book.overrides(), BTreeMap::new()).await?;
        let copied = look.throttle.copies.iter().map(|copy| copy.of.clone()).collect();
        let copied = covered(&ledger, &look.cluster, &copied).len();
        if copied > 0 {
            return Ok(copied);
        }
        loop {
            let holding = hold(&nothing(&self.book.ledger()), &self.book.ledger(), &look.cluster);
            for stray in &holding.strays {
                tracing::warn!(?stray, "left as it is");
            }
            if !self.act(&holding).await? {
                return Ok(0);
            }
            tokio::time::sleep(SOON).await;
            self.look_again(&mut look).await?;
        }
    }
}
