//! Topics that hold data but are not in metadata.
//!
//! Metadata silently leaves out topics that we may not describe. Log dirs do not, because they need a right on the
//! cluster and not on each topic. A replica in a log dir whose topic is not in metadata therefore belongs to a hidden
//! topic.

use super::storage::Stored;
use crate::admin::Topics;
use crate::client::Client;
use crate::error::Error;
use std::collections::BTreeSet;
use std::time::Duration;

/// Long enough for all brokers to learn of a topic that is being created or deleted.
const PAUSE: Duration = Duration::from_millis(500);

/// Adds the topics that were created during the capture, and drops the deleted ones. Fails if a topic is withheld.
pub(super) async fn complete(
    client: &Client,
    stored: &Stored,
    topics: &mut Topics,
) -> Result<(), Error> {
    let dirs = stored.values().flatten();
    let unlisted: BTreeSet<String> = dirs
        .flat_map(|dir| dir.topics.keys())
        .filter(|name| !topics.contains_key(*name))
        .cloned()
        .collect();
    if unlisted.is_empty() {
        return Ok(());
    }
    tokio::time::sleep(PAUSE).await;
    // A request by name tells them apart: a withheld topic is refused, and a deleted one is unknown.
    let named = client.topics_named(&unlisted).await?;
    if !named.forbidden.is_empty() {
        return Err(client.hidden(named.forbidden));
    }
    topics.extend(named.found);
    Ok(())
}
