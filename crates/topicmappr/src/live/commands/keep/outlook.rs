//! The cluster as recorded load lets expect it.

use super::Args;
use crate::error::Error;
use crate::load_folder::KnownHistory;
use crate::session::Session;
use execute::keep::KeepPolicy;
use mapper::Snapshot;
use operate::events::Note;
use operate::exported;

impl Args {
    /// The cluster as the policy wants to know it, if there are enough records.
    pub(super) fn later(
        &self,
        now: &Snapshot,
        policy: &KeepPolicy,
        history: &mut KnownHistory,
        session: &mut Session<'_, '_>,
    ) -> Result<Option<Snapshot>, Error> {
        let Some((days, folder)) = policy.looks_ahead_days().zip(self.load_folder.as_deref())
        else {
            exported::expects(Vec::new());
            return Ok(None);
        };
        match history.of(now, folder) {
            Ok(history) => {
                let now = now.with_free_storage();
                let forecast = history.forecast(&now);
                exported::expects(forecast.disks());
                let then = forecast.cluster_in(days);
                Ok(Some(then.map_err(|problem| Error::OddNumbers { problem })?))
            }
            // A new folder. What is wrong now matters more.
            Err(error @ Error::FewRecords { .. }) => {
                exported::expects(Vec::new());
                session.say(&Note::new(format!("filling disks are not known: {error}")))?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
