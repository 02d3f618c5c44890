//! Checks that there is a Kafka cluster under the chroot. If not, looks for one elsewhere.

use crate::connect::ZooKeeper;
use crate::error::Error;
use std::collections::BTreeSet;

/// Every ZooKeeper-mode cluster has it since its first start, even with all brokers down.
pub(crate) const IDS: &str = "/brokers/ids";
/// The most znodes to search. An ensemble that other systems share may have any number.
const MOST_PLACES: usize = 500;

impl ZooKeeper {
    /// # Errors
    /// [`Error::NoKafka`] with the root's znodes and the chroots that contain a cluster.
    pub(crate) async fn expect_kafka(&self) -> Result<(), Error> {
        if self.get(&self.kafka(IDS)).await?.is_some() {
            return Ok(());
        }
        let chroot = if self.address.chroot().is_empty() { "/" } else { self.address.chroot() };
        // If we may not list the root, the error only has fewer details.
        let found = self.children("/").await.ok().flatten().unwrap_or_default();
        let likely = self.clusters(&found).await.unwrap_or_default();
        let (chroot, chroot_ids) = (chroot.to_owned(), self.kafka(IDS));
        Err(Error::NoKafka { chroot, chroot_ids, found, likely })
    }

    /// The root, its children and grandchildren that contain a cluster.
    async fn clusters(&self, found: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        let mut places = vec![String::new()];
        for name in found.iter().filter(|name| *name != "zookeeper").take(MOST_PLACES) {
            let first = format!("/{name}");
            let below = self.children(&first).await.ok().flatten().unwrap_or_default();
            places.extend(below.iter().map(|second| format!("{first}/{second}")));
            places.push(first);
        }
        places.truncate(MOST_PLACES);
        let wanted = places.into_iter().map(|place| (place.clone(), format!("{place}{IDS}")));
        let clusters = self.parsed_each(wanted, |_| Ok(())).await?;
        Ok(clusters
            .into_keys()
            .map(|place| if place.is_empty() { "/".into() } else { place })
            .collect())
    }
}
