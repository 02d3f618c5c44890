//! `--dry-run`: what one round would change, and nothing else.

use crate::book::Book;
use crate::daemon::connect;
use crate::error::Error;
use crate::look::Looker;
use crate::place::Place;
use crate::quiet::Quiet;
use crate::settings::DaemonSettings;
use crate::wishes::reconciled;
use execute::{Action, Stray, ThrottleResource};
use operate::Status;
use std::collections::BTreeMap;
use std::io::Write;
use throttle::{ThrottleMemory, decide};

/// Shows what would be set and restored. The status is `Findings` if there is anything.
pub(crate) async fn run(
    settings: DaemonSettings,
    place: Place,
    out: &mut dyn Write,
) -> Result<Status, Error> {
    let book = Book::rehearse(place.peek().await?);
    let client = connect(&settings).await?;
    let (ledger, overrides) = (book.ledger(), book.overrides());
    let mut looker = Looker::new(&settings)?;
    looker.warm_up(&client).await?;
    let look = looker.look(&client, &ledger, &overrides, BTreeMap::new()).await?;
    let mut quiet = Quiet::default();
    quiet.learn(&look.cluster, &ledger, look.throttle.at);
    let (_, decision) = decide(ThrottleMemory::default(), &look.throttle, &settings.limits);
    let terms = (&quiet, settings.keeps_throttles);
    let holding = reconciled(&decision, &ledger, &look.cluster, terms);
    let written =
        write(out, &holding.actions, &holding.strays.into_iter().collect::<Vec<_>>(), &look);
    written.and_then(|()| out.flush()).map_err(local::Error::Stream)?;
    Ok(if holding.actions.iter().any(is_change) { Status::Findings } else { Status::Done })
}

fn is_change(action: &Action) -> bool {
    matches!(action, Action::Set { .. })
}

fn write(
    out: &mut dyn Write,
    actions: &[Action],
    strays: &[Stray],
    look: &crate::look::Look,
) -> std::io::Result<()> {
    writeln!(out, "partitions with replicas to copy: {}", look.throttle.copies.len())?;
    for action in actions {
        let Action::Set { setting, edit } = action else { continue };
        let now = look.cluster.configs.get(&setting.resource).and_then(|set| set.get(&setting.key));
        let value = edit.after(now.map(String::as_str));
        let now = now.map_or("nothing", String::as_str);
        match value {
            Some(value) => writeln!(out, "would set {setting} to {value} (now: {now})")?,
            None => writeln!(out, "would remove {setting} (now: {now})")?,
        }
    }
    for stray in strays {
        match stray {
            Stray::UnknownOwner { setting, value } => {
                writeln!(out, "leaves {setting}: {value}, set by an unknown owner")?;
            }
            Stray::OfAnother { setting, value } => {
                writeln!(out, "leaves {setting}: {value}, set by another process")?;
            }
            Stray::ChangedByOthers { setting, value } => {
                let value = value.as_deref().unwrap_or("nothing");
                writeln!(out, "leaves {setting}: {value}, changed by others")?;
            }
            Stray::Unreachable { setting } => {
                let why = match &setting.resource {
                    ThrottleResource::Broker(_) => "its broker does not answer",
                    ThrottleResource::Topic(_) => "this user may not see its topic",
                };
                writeln!(out, "waits with {setting}: {why}")?;
            }
        }
    }
    if !actions.iter().any(is_change) {
        writeln!(out, "would change nothing")?;
    }
    Ok(())
}
