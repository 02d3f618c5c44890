//! `throttle clear --strays`: deletes throttles that pace no copy and that no ledger lists.

use crate::error::Error;
use crate::live::flags::{ConsentArgs, LedgerArgs};
use crate::live::views::{Cleared, StraysView};
use crate::session::Session;
use execute::{Accounts, Throttled, throttled};
use operate::Status;
use operate::events::Note;
use operate::execution::OtherLedger;
use operate::throttles::{self, change};
use std::time::Duration;

/// How often the command looks for a config that it has deleted, and the time between two looks.
const LOOKS: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// The flags of `throttle clear`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Clear throttles that pace no copy and that no ledger lists
    #[arg(long, required = true)]
    strays: bool,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    session.needs_consent(args.consent)?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        // A copy of a topic that we cannot see may be what a rate is there for.
        client.sees_every_topic().await?;
        let ledger = args.ledger.find(client.cluster().id.as_deref())?;
        let daemons = OtherLedger::of_daemons(&client, &mut session.context()?).await?;
        // Taken, so that no execution of this machine begins meanwhile.
        let (_taken, accounts) = match ledger.as_deref() {
            Some(path) if !args.consent.dry_run => {
                let (store, accounts) = throttles::take(path)?;
                (Some(store), accounts)
            }
            ledger => (None, throttles::accounts(ledger)?),
        };
        if ledger.is_none() {
            session.say(&Note {
                text:
                    "no ledger was found: throttles of executions on other machines count as strays"
                        .to_owned(),
                hint: Some("name theirs with --state-file FILE".to_owned()),
            })?;
        }
        let accounts = daemons.beside(accounts);
        args.clear(&client, &accounts, session).await
    })
}

impl Args {
    async fn clear(
        &self,
        client: &kafka::Client,
        accounts: &Accounts,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let look = throttles::look(client).await?;
        let found = strays(&look, accounts);
        session.event(&StraysView::of(&found, &look.untold))?;
        if found.is_empty() {
            return Ok(Status::Done);
        }
        if self.consent.dry_run {
            return Ok(Status::Findings);
        }
        session.agrees(self.consent, "Clear them? Type yes:", "yes")?;
        // During the question, a move may have begun, or a right may have been revoked.
        client.sees_every_topic().await?;
        let mut still = strays(&throttles::look(client).await?, accounts);
        still.retain(|stray| found.contains(stray));
        let deletions = still.iter().map(|s| (s.place.clone(), s.key, None));
        let refused = change(client, deletions).await;
        let after = self.gone(client, &still, &refused).await?;
        let cleared = Cleared::of(&found, &after.set, &refused);
        session.result(&cleared)?;
        Ok(if cleared.is_whole() { Status::Done } else { Status::Partly })
    }

    /// Looks until the cleared configs are gone. With ZooKeeper, a broker may report a deleted config for a moment.
    async fn gone(
        &self,
        client: &kafka::Client,
        cleared: &[Throttled],
        refused: &throttles::FailedChanges,
    ) -> Result<throttles::Look, Error> {
        let mut looks = 1;
        loop {
            let look = throttles::look(client).await?;
            let taken = cleared.iter().filter(|one| !refused.contains_key(&one.place));
            let value = |one: &Throttled| look.set.get(&one.place)?.get(&one.key);
            if looks == LOOKS || !taken.clone().any(|one| value(one) == Some(&one.value)) {
                return Ok(look);
            }
            looks += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn strays(look: &throttles::Look, accounts: &Accounts) -> Vec<Throttled> {
    let mut all = throttled(&look.set, &look.in_flight, accounts);
    all.retain(|one| one.stray);
    all
}
