//! The mark of a daemon whose ledger is in a file: so that executions find out, in the place that all share, whose the
//! rates are that they meet.
//!
//! The mark exists from the first throttle to the last. A daemon that was killed, or that leaves rates behind, leaves
//! its mark too. The next daemon with the same file takes the mark over; one with another file is refused.

use super::topic::Way;
use crate::error::Error;
use operate::marks::{Common, Mark};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The longest wait for the removal. If it fails, the next daemon takes the mark over.
const PATIENCE: Duration = Duration::from_secs(15);

/// Leaves one mark, and removes it.
#[derive(Debug)]
pub(crate) struct Marker {
    way: Way,
    /// `None`: in the topic of the cluster.
    place: Option<Common>,
    /// A caller may stop waiting; the work continues.
    leaves: Option<JoinHandle<Result<Mark, Error>>>,
    stands: Option<Mark>,
}

impl Marker {
    /// In this place; without one, in the topic of the cluster itself.
    pub(crate) fn at(way: Way, place: Option<Common>) -> Self {
        Self { way, place, leaves: None, stands: None }
    }

    #[cfg(test)]
    pub(crate) fn place(&self) -> Option<&Common> {
        self.place.as_ref()
    }

    /// Where it is left.
    pub(crate) fn common(&self) -> Option<Common> {
        common(&self.way, self.place.clone()).ok()
    }

    /// Says that this process has the ledger in `file`, which `before` had; waits until that stands.
    ///
    /// # Errors
    /// [`Error::Marked`]: another file has the cluster. [`Error::NoMark`] with whatever leaving it meets.
    pub(super) async fn leave(&mut self, file: &Path, before: Option<String>) -> Result<(), Error> {
        let leaves = match self.leaves.take() {
            Some(leaves) => leaves,
            None => {
                let host = crate::host();
                let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
                let (way, place) = (self.way.clone(), self.place.clone());
                tokio::spawn(async move {
                    let is_ours = |there: &Mark| {
                        there.is_at(&host, &file) || Some(there.name()) == before.as_deref()
                    };
                    left(&way, place, &file, is_ours).await
                })
            }
        };
        let left = self.leaves.insert(leaves).await;
        self.leaves = None;
        let left = left.unwrap_or_else(|ended| Err(Error::lost("the mark", ended.to_string())));
        let mark = left.map_err(no_mark)?;
        if self.stands.as_ref() != Some(&mark) {
            tracing::info!(%mark, "left the mark for executions");
        }
        self.stands = Some(mark);
        Ok(())
    }

    /// Removes the mark, if there is one.
    pub(super) async fn remove(&mut self) {
        let Some(mark) = self.stands.take() else { return };
        let removed = tokio::time::timeout(PATIENCE, removed(&self.way, self.place.clone(), &mark));
        let why = match removed.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!(%why, %mark, "the mark stays, and the next start with this file takes it over");
    }
}

/// That it cannot be told, in whose stead; who has it instead says so itself.
fn no_mark(error: Error) -> Error {
    match error {
        error @ (Error::Marked { .. } | Error::Held { .. }) => error,
        error => Error::NoMark(Box::new(error)),
    }
}

fn common(way: &Way, place: Option<Common>) -> Result<Common, Error> {
    place.map_or_else(|| Ok(Common::Topic(way.access()?)), Ok)
}

async fn left(
    way: &Way,
    place: Option<Common>,
    file: &Path,
    is_ours: impl Fn(&Mark) -> bool + Send + Sync,
) -> Result<Mark, Error> {
    let place = common(way, place)?;
    let client = way.client().await?;
    let cluster_id = client.cluster().id.clone().unwrap_or_default();
    let mark = Mark::now(super::this_process(), crate::host(), file.to_owned(), cluster_id);
    match place.leave(&client, &mark, is_ours).await? {
        None => Ok(mark),
        Some(other) => Err(Error::marked(other, &place)),
    }
}

async fn removed(way: &Way, place: Option<Common>, mark: &Mark) -> Result<(), Error> {
    let place = common(way, place)?;
    let client = way.client().await?;
    Ok(place.remove(&client, mark).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = include_str!("../../../../docs/schema/autothrottle-mark.schema.json");

    #[test]
    fn a_mark_is_what_its_schema_says() {
        let file = Path::new("/var/lib/autothrottle/state").to_owned();
        let mark = Mark::now(super::super::this_process(), crate::host(), file, "c".to_owned());
        let schema = serde_json::from_str(SCHEMA).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let written = serde_json::to_value(&mark).unwrap();
        let wrong: Vec<_> = schema.iter_errors(&written).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(!schema.is_valid(&serde_json::json!({"version": 1, "name": "a"})));
    }

    #[test]
    fn who_has_the_cluster_is_told_from_who_cannot_be_asked() {
        let held = || Error::Held { place: "p".to_owned(), by: "b".to_owned() };
        assert_eq!(no_mark(held()).status(), operate::Status::Held);
        let away = no_mark(Error::Untaken { seconds: 5 });
        assert!(matches!(away, Error::NoMark(_)) && away.is_for_good());
        assert_eq!(away.status(), operate::Status::Outside);
    }
}
