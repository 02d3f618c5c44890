//! The only way in which the daemon ends.

use super::{Daemon, SOON, connect};
use crate::error::Error;
use crate::wishes::{covered, nothing};
use execute::reconcile;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The longest time for the last look before the end.
const LAST_LOOK: Duration = Duration::from_secs(10);

impl Daemon<'_> {
    /// Restores the configs that pace nothing any more, and leaves the rest to the next daemon.
    pub(super) async fn hand_over(&mut self) {
        if !self.book.leads() {
            return;
        }
        let rest = self.announced.close(Instant::now());
        if !rest.is_zero() {
            tracing::info!("moves were announced a moment ago: waiting until they are visible");
            tokio::time::sleep(rest).await;
        }
        let ledger = self.book.ledger();
        if ledger.is_empty() {
            tracing::info!("this daemon has set nothing in the cluster");
            return;
        }
        let next = &self.settings.command_line;
        if self.settings.keeps_throttles {
            tracing::info!(
                configs = ledger.held().count(),
                next,
                "throttles stay set, as --skip-auto-delete-throttles asks"
            );
            return;
        }
        match tokio::time::timeout(LAST_LOOK, self.clear_unless_copied()).await {
            Ok(Ok(0)) if self.book.ledger().is_empty() => {
                tracing::info!("no replica is copied any more: the original values are restored")
            }
            Ok(Ok(0)) => tracing::warn!(
                configs = self.book.ledger().held().count(),
                next,
                "no replica is copied any more, but some values could not be restored: the next start tries again"
            ),
            Ok(Ok(copied)) => tracing::warn!(
                partitions = copied,
                next,
                "replicas are being copied: their rates stay, and the next start takes them over"
            ),
            Ok(Err(error)) => {
                tracing::warn!(%error, next, "throttles stay set, and the next start takes them over")
            }
            Err(_) => tracing::warn!(
                next,
                "Kafka does not answer: throttles stay set, and the next start takes them over"
            ),
        }
    }

    /// Clears our throttles unless a partition is being copied under one. Returns the number of these partitions.
    async fn clear_unless_copied(&mut self) -> Result<usize, Error> {
        // A daemon that ends before its first round has not asked yet.
        self.beside.refuse_others().await?;
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
            let holding =
                reconcile(&nothing(&self.book.ledger()), &self.book.ledger(), &look.cluster);
            for stray in &holding.strays {
                tracing::warn!(?stray, "left alone");
            }
            if !self.act(&holding).await? {
                return Ok(0);
            }
            tokio::time::sleep(SOON).await;
            self.look_again(&mut look).await?;
        }
    }
}
