//! The book: what is set in the cluster, the original values and the overrides, in memory and in its place.

use crate::error::Error;
use crate::leader_name::LeaderName;
use crate::place::{Candidate, this_process};
use execute::{Ledger, LedgerEntry, RequestedRate};
use mapper::BrokerId;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use throttle::{RateOverride, RateOverrides};
use tokio::time::Instant;

/// How often the loop checks that the place is still ours.
const LOOK: Duration = Duration::from_millis(500);

/// The ledger, shared by the API and the loop. No caller locks the memory while it waits. One caller at a time uses
/// the place.
#[derive(Debug)]
pub(crate) struct Book {
    name: String,
    pages: Mutex<BookPages>,
    leader: LeaderName,
    /// A rehearsal has none.
    place: tokio::sync::Mutex<Option<Candidate>>,
}

#[derive(Debug, Default)]
struct BookPages {
    /// This process has the place.
    leads: bool,
    ledger: Ledger,
}

impl Book {
    /// Of a place that is not taken yet.
    pub(crate) fn at(place: Candidate) -> Self {
        let (name, leader) = (place.name(), place.leader());
        let place = tokio::sync::Mutex::new(Some(place));
        Self { name, pages: Mutex::default(), leader, place }
    }

    /// A book of these lines. It claims nothing and writes nothing.
    pub(crate) fn rehearse(entries: Vec<LedgerEntry>) -> Self {
        let pages = BookPages { leads: false, ledger: Ledger::replay(entries) };
        let (pages, place) = (Mutex::new(pages), tokio::sync::Mutex::new(None));
        Self { name: String::new(), pages, leader: LeaderName::default(), place }
    }

    /// Where it is kept, as operators know it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the place, and reads it.
    pub(crate) async fn take(&self) -> Result<(), Error> {
        let mut place = self.place.lock().await;
        let Some(place) = place.as_mut() else { return Ok(()) };
        let entries = place.take().await?;
        *self.pages() = BookPages { leads: false, ledger: Ledger::replay(entries) };
        // Not as the place knows us: a pod's name does not say that it is a daemon's.
        let by = this_process().into();
        self.kept(place, vec![LedgerEntry::Opened { by }]).await?;
        self.leader.is(&place.us());
        self.pages().leads = true;
        Ok(())
    }

    /// Forgets the place and its lines, because the place is lost.
    pub(crate) fn let_go(&self) {
        self.leader.is_unknown();
        *self.pages() = BookPages::default();
    }

    /// Notes the name of the process that has the place.
    #[cfg(test)]
    pub(crate) fn is_led_by(&self, name: &str) {
        self.leader.is(name);
    }

    /// Whether this process has the place.
    pub(crate) fn leads(&self) -> bool {
        self.pages().leads
    }

    /// The process that has the place, this one or another. `None`: not known, or no process.
    pub(crate) fn leader(&self) -> Option<String> {
        self.leader.name()
    }

    fn pages(&self) -> MutexGuard<'_, BookPages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger as it is now.
    pub(crate) fn ledger(&self) -> Ledger {
        self.pages().ledger.clone()
    }

    /// Makes sure that this process alone may write to the cluster.
    pub(crate) async fn hold(&self) -> Result<(), Error> {
        match self.place.lock().await.as_mut() {
            Some(place) => place.hold().await,
            None => Ok(()),
        }
    }

    /// Writes to the cluster while the place is certainly ours.
    pub(crate) async fn in_time<T>(&self, write: impl Future<Output = T>) -> Result<T, Error> {
        let until = self.place.lock().await.as_ref().and_then(Candidate::until);
        let Some(until) = until else { return Ok(write.await) };
        tokio::select! {
            // After a pause of the whole process, the clock decides first.
            biased;
            () = tokio::time::sleep_until(until) => {
                Err(Error::lost(&self.name, "a write to the cluster took longer than it was ours"))
            }
            written = write => Ok(written),
        }
    }

    /// Waits until our place expires.
    pub(crate) async fn is_over(&self) {
        loop {
            let until = self.place.lock().await.as_ref().and_then(Candidate::until);
            if until.is_some_and(|until| until <= Instant::now()) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Releases the place.
    pub(crate) async fn leave(&self) {
        if let Some(place) = self.place.lock().await.as_mut() {
            place.leave().await;
        }
    }

    /// Reads the lines that others have written there.
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        let mut place = self.place.lock().await;
        let Some(place) = place.as_mut() else { return Ok(()) };
        let news = place.news().await?;
        let mut pages = self.pages();
        news.into_iter().for_each(|entry| pages.ledger.apply(entry));
        Ok(())
    }

    /// Writes lines; they are stored when this returns, and so are all before them. Without new lines, what the place has
    /// not confirmed is written again: it may have lost a line of a config that is about to be set.
    pub(crate) async fn write(&self, entries: Vec<LedgerEntry>) -> Result<(), Error> {
        // Checked before the place, because a waiting task may hold the place for hours.
        if !self.leads() {
            return Err(Error::NotLeading { place: self.name.clone() });
        }
        let mut place = self.place.lock().await;
        match place.as_mut() {
            Some(place) if !entries.is_empty() || place.is_unsure() => {
                self.kept(place, entries).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn kept(&self, place: &mut Candidate, entries: Vec<LedgerEntry>) -> Result<(), Error> {
        let mut ledger = self.ledger();
        entries.iter().cloned().for_each(|entry| ledger.apply(entry));
        place.keep(&entries, &ledger).await?;
        self.pages().ledger = ledger;
        Ok(())
    }

    /// The overrides that operators ask for.
    pub(crate) fn overrides(&self) -> RateOverrides {
        let pages = self.pages();
        let asked = |asked: &RequestedRate| RateOverride {
            rate: asked.rate_bytes_per_second,
            autoremove: asked.autoremove,
        };
        let all = pages.ledger.asked();
        RateOverrides {
            global: all.get(&None).map(asked),
            brokers: all.iter().filter_map(|(id, one)| Some(((*id)?, asked(one)))).collect(),
        }
    }

    /// Records one override for each of these brokers. `None` is all brokers that copy.
    pub(crate) async fn ask(
        &self,
        brokers: impl IntoIterator<Item = Option<BrokerId>>,
        asked: RateOverride,
    ) -> Result<(), Error> {
        let RateOverride { rate, autoremove } = asked;
        let asked = RequestedRate { rate_bytes_per_second: rate, autoremove };
        let entry = |broker| LedgerEntry::Asked { broker, asked };
        self.write(brokers.into_iter().map(entry).collect()).await
    }

    /// Removes overrides.
    pub(crate) async fn withdraw(
        &self,
        brokers: impl IntoIterator<Item = Option<BrokerId>>,
    ) -> Result<(), Error> {
        let entries = brokers.into_iter().map(|broker| LedgerEntry::Withdrawn { broker });
        self.write(entries.collect()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;
    use coordination::Store;
    use mapper::Rate;
    use std::path::Path;

    fn book(path: &Path, waits: bool) -> Book {
        Book::at(Place::of(Store::File { path: path.to_owned() }).candidate(waits))
    }

    async fn taken(path: &Path) -> Result<Book, Error> {
        let book = book(path, false);
        book.take().await.map(|()| book)
    }

    #[tokio::test]
    async fn overrides_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let asked = |megabytes: f64, autoremove| RateOverride {
            rate: Rate::from_megabytes(megabytes).unwrap(),
            autoremove,
        };
        let book = taken(&path).await.unwrap();
        book.ask([None], asked(50.0, true)).await.unwrap();
        book.ask([Some(BrokerId(1))], asked(7.0, false)).await.unwrap();
        book.ask([Some(BrokerId(2))], asked(8.0, false)).await.unwrap();
        book.withdraw([Some(BrokerId(2))]).await.unwrap();
        let before = book.overrides();
        assert!(taken(&path).await.is_err(), "another process has it");
        drop(book);
        let after = taken(&path).await.unwrap().overrides();
        assert_eq!(after, before);
        assert_eq!(after.global, Some(asked(50.0, true)));
        assert_eq!(after.brokers, [(BrokerId(1), asked(7.0, false))].into());
    }

    #[tokio::test]
    async fn who_waits_for_the_place_is_turned_away_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let _another = taken(&path).await.unwrap();
        let book = book(&path, true);
        let asked = book.ask([None], RateOverride { rate: Rate(1), autoremove: false });
        let refused = tokio::select! {
            biased;
            _ = book.take() => panic!("it is another's"),
            refused = asked => refused,
        };
        assert!(matches!(refused, Err(Error::NotLeading { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn who_does_not_have_the_place_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let book = taken(&path).await.unwrap();
        book.let_go();
        let asked = RateOverride { rate: Rate(1), autoremove: false };
        let refused = book.ask([None], asked).await;
        assert!(matches!(refused, Err(Error::NotLeading { .. })), "{refused:?}");
        assert_eq!(book.overrides(), RateOverrides::default());
    }

    #[tokio::test]
    async fn what_was_not_confirmed_is_written_again_before_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let book = taken(&path).await.unwrap();
        book.write(Vec::new()).await.unwrap();
        // Another file at this path: the next line is not stored.
        std::fs::copy(&path, folder.path().join("other")).unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        let asked = RateOverride { rate: Rate(1), autoremove: false };
        let refused = book.ask([None], asked).await;
        assert!(matches!(refused, Err(Error::Lost { .. })), "{refused:?}");
        assert!(book.overrides().global.is_none(), "it counts as not written");
        let again = book.write(Vec::new()).await;
        assert!(matches!(again, Err(Error::Lost { .. })), "{again:?}");
    }
}
