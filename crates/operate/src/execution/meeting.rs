//! Detects daemons before the run, and again before any existing value is recorded as the operator's.
//!
//! A ledger that is read before and after a look covers everything that the look shows. This also detects a daemon
//! that starts during the run: before its values are recorded, and soon after it sets one.

use super::Execution;
use super::other_ledger::{OtherLedger, unknown};
use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::stores;
use coordination::Store;
use execute::{Others, Round, Stray, records_what_stands};
use kafka::Client;
use std::time::{Duration, Instant};

/// While the operator decides, the result of a search for daemons stays valid for this time.
const STILL: Duration = Duration::from_secs(60);
/// The shortest time between two searches for the owner of a value that is not in our ledger.
const OFTEN: Duration = Duration::from_secs(10);

/// The place where daemons are searched, and the daemons found.
#[derive(Debug)]
pub(crate) struct Meeting {
    store: Store,
    /// The run may go on without an answer: it only reads, the operator said that it is alone, or a right is missing.
    does_without: bool,
    met: Option<OtherLedger>,
    /// Why the last search failed; `None`: it succeeded.
    silence: Option<String>,
    asked: Instant,
}

impl Meeting {
    /// Searches for daemons for the first time. If the search fails and the run may go on without it, a note says so.
    pub(crate) async fn first(
        client: &Client,
        claim: &ClaimBy,
        only_looks: bool,
        context: &mut RunContext<'_>,
    ) -> Result<Self, Error> {
        let store = stores::daemons(claim, &context.access)?;
        let mut does_without = only_looks || *claim == ClaimBy::Nothing;
        let answer = match does_without {
            true => OtherLedger::soon(client, &store).await,
            false => OtherLedger::read(client, &store).await,
        };
        let (met, silence) = match answer {
            Ok(met) => (met, None),
            // A missing right is no failure: daemons may be in another namespace.
            Err(error) if does_without || matches!(error, Error::LockRights(_)) => {
                does_without = true;
                (None, Some(error.to_string()))
            }
            Err(error) => return Err(error),
        };
        let meeting = Self { store, does_without, met, silence, asked: Instant::now() };
        let silence = meeting.silence.iter().map(|why| unknown(why));
        silence.chain(meeting.note()).try_for_each(|note| context.note(&note))?;
        Ok(meeting)
    }

    /// Searches again; returns new notes.
    pub(crate) async fn again(&mut self, client: &Client) -> Vec<Note> {
        if !self.answers() {
            return Vec::new();
        }
        let answer = OtherLedger::soon(client, &self.store).await;
        self.asked = Instant::now();
        match answer {
            Ok(met) => {
                let before = self.note().map(|note| note.text);
                (self.met, self.silence) = (met, None);
                let news = self.note().filter(|note| before.as_ref() != Some(&note.text));
                news.into_iter().collect()
            }
            Err(error) => {
                let is_news = self.silence.is_none();
                let why = self.silence.insert(error.to_string());
                if is_news { vec![unknown(why)] } else { Vec::new() }
            }
        }
    }

    /// The values that daemons account for. If they cannot be read any more, any value may be theirs.
    pub(crate) fn others(&self) -> Others {
        match self.silence {
            Some(_) if !self.does_without => Others::Unread,
            Some(_) | None => self.met.as_ref().map_or(Others::None, OtherLedger::others),
        }
    }

    fn note(&self) -> Option<Note> {
        self.met.as_ref().map(OtherLedger::note)
    }

    /// Whether another search is useful.
    pub(crate) fn answers(&self) -> bool {
        self.silence.is_none() || !self.does_without
    }
}

impl Execution<'_> {
    /// Searches for daemons, and reports them. Searches again if the operator took long to decide after an earlier
    /// report.
    pub async fn meet(
        &mut self,
        claim: &ClaimBy,
        context: &mut RunContext<'_>,
    ) -> Result<(), Error> {
        match &mut self.meeting {
            Some(meeting) if meeting.asked.elapsed() < STILL => {}
            Some(meeting) => {
                let news = meeting.again(self.client).await;
                news.iter().try_for_each(|note| context.note(note))?;
            }
            None => {
                let only_looks = self.books.is_none();
                let first = Meeting::first(self.client, claim, only_looks, context).await?;
                self.meeting = Some(first);
            }
        }
        Ok(())
    }

    /// The values that daemons account for, as far as known. Searches again if the next look depends on it.
    pub(super) async fn others(&mut self, context: &mut RunContext<'_>) -> Result<Others, Error> {
        let Some(meeting) = &mut self.meeting else { return Ok(Others::None) };
        if self.asks {
            let news = meeting.again(self.client).await;
            news.iter().try_for_each(|note| context.note(note))?;
        }
        Ok(meeting.others())
    }

    /// Whether the look behind this round must be repeated, with a search for daemons before and after it.
    pub(super) fn looks_again(&mut self, round: &Round) -> bool {
        if std::mem::take(&mut self.asks) {
            return false;
        }
        let Some(meeting) = self.meeting.as_ref().filter(|meeting| meeting.answers()) else {
            return false;
        };
        let is_due = || meeting.asked.elapsed() >= OFTEN && round.strays.iter().any(is_anothers);
        self.asks = records_what_stands(&round.actions, &self.ledger) || is_due();
        self.asks
    }
}

fn is_anothers(stray: &Stray) -> bool {
    matches!(stray, Stray::UnknownOwner { .. } | Stray::OfAnother { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Action, Key, Ledger, LedgerEntry, rate_setting};
    use mapper::BrokerId;

    fn meeting(does_without: bool, silence: Option<&str>) -> Meeting {
        let access = statelog::Access::new([("bootstrap.servers", "a:1")]);
        let store = Store::Topic { access, role: coordination::Role::Daemon };
        let silence = silence.map(str::to_owned);
        Meeting { store, does_without, met: None, silence, asked: Instant::now() }
    }

    #[test]
    fn of_whoever_does_not_answer_any_more_anything_may_be() {
        assert_eq!(meeting(false, None).others(), Others::None);
        let silent = meeting(false, Some("no answer"));
        assert!(silent.others() == Others::Unread && silent.answers(), "it may answer again");
        let alone = meeting(true, Some("no answer"));
        assert!(alone.others() == Others::None && !alone.answers(), "it does without");
    }

    #[test]
    fn only_what_stands_there_and_is_not_ours_yet_is_a_question() {
        let held = |before: Option<&str>| LedgerEntry::Held {
            setting: rate_setting(BrokerId(1), Key::LeaderRate),
            before: before.map(str::to_owned),
            found: None,
            ours: ["7".into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        };
        let asks =
            |before, ledger: &Ledger| records_what_stands(&[Action::Account(held(before))], ledger);
        assert!(asks(Some("5"), &Ledger::default()));
        assert!(!asks(None, &Ledger::default()), "nothing stood there");
        assert!(!asks(Some("7"), &Ledger::replay([held(None)])), "it is ours");
    }
}
