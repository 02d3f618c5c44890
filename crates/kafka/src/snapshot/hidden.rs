//! Topics that hold data but are not in metadata.
//!
//! Metadata leaves out what we may not describe, without a word. Log dirs do not: they need a right on the cluster,
//! not on each topic. Whoever sees a replica there and not its topic was kept from the topic.

use super::storage::Stored;
use crate::admin::Topics;
use crate::client::Client;
use crate::error::Error;
use std::collections::BTreeSet;
use std::time::Duration;

/// Long enough for a topic that is just being made or deleted to be known everywhere as what it is.
const PAUSE: Duration = Duration::from_millis(500);

/// Adds the topics that were made meanwhile, forgets those that were deleted, and refuses to go on without those
/// that are withheld.
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
    // By name, a withheld topic is refused as such, and a deleted one is unknown.
    let named = client.topics_named(&unlisted).await?;
    if !named.forbidden.is_empty() {
        return Err(client.hidden(named.forbidden));
    }
    topics.extend(named.found);
    Ok(())
}
