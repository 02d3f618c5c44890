//! The lead: one process at a time acts on a cluster, and the others wait.

use super::{Daemon, WATCH};
use crate::announced::SETTLING;
use crate::error::Error;
use crate::quiet::Quiet;
use operate::execution::{Outage, Signal, Signals};
use std::convert::Infallible;
use std::time::Duration;
use throttle::{ThrottleDecision, ThrottleMemory};
use tokio::time::Instant;

impl Daemon<'_> {
    /// Waits until it leads, and leads until a signal ends it. If another takes the lead meanwhile, it waits again.
    pub(super) async fn lives(&mut self, signals: &mut Signals) -> Result<Option<Signal>, Error> {
        loop {
            if !self.book.leads()
                && let Some(signal) = self.stand_by(signals).await?
            {
                return Ok(Some(signal));
            }
            self.board.leads();
            if !self.book.ledger().is_empty() {
                tracing::info!(state = self.book.name(), "taking over the throttles of the ledger");
                // By then, moves that were announced to the earlier leader are visible.
                tokio::select! {
                    () = tokio::time::sleep(SETTLING) => {}
                    signal = signals.next() => return Ok(Some(signal)),
                }
            }
            match self.rounds(signals).await {
                Err(error) if error.is_lost() && !self.settings.once => {
                    tracing::warn!(%error, "another daemon may act on the cluster now: this one writes nothing any more");
                    self.book.let_go();
                    self.announced.forget();
                    (self.quiet, self.state) = (Quiet::default(), ThrottleMemory::default());
                    self.before = ThrottleDecision::default();
                    self.canary.rest();
                }
                left => return left,
            }
        }
    }

    /// Waits for the lead. Returns the signal, if one comes first.
    async fn stand_by(&self, signals: &mut Signals) -> Result<Option<Signal>, Error> {
        self.board.waits();
        tracing::info!(state = self.book.name(), "waiting for the lead");
        let mut outage = Outage::none(Duration::MAX);
        loop {
            let taken = tokio::select! {
                taken = self.book.take() => taken,
                never = self.stay_alive() => match never {},
                signal = signals.next() => return Ok(Some(signal)),
            };
            match taken {
                Ok(()) => return Ok(None),
                Err(error) if self.settings.once || error.is_for_good() => {
                    return Err(error);
                }
                Err(error) => {
                    let (rest, tell) = outage.goes_on(Instant::now());
                    if tell {
                        let again_in_seconds = rest.as_secs();
                        tracing::error!(%error, again_in_seconds, "cannot wait for the lead");
                    }
                    // The leader is not known now.
                    self.book.let_go();
                    self.board.failed(error.to_string());
                    tokio::select! {
                        () = tokio::time::sleep(rest) => {}
                        signal = signals.next() => return Ok(Some(signal)),
                    }
                }
            }
        }
    }

    /// Reports the wait for as long as it lasts; never ends.
    async fn stay_alive(&self) -> Infallible {
        loop {
            self.board.alive();
            tokio::time::sleep(WATCH).await;
        }
    }
}
