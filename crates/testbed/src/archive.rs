//! Class-data archives. Each release and mode records them once, and they halve the start time of a server.

use crate::cache;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::jvm::{Jvm, Sharing};
use crate::spec::{Builder, Mode, Version};

/// Makes sure that the archives exist. The first call runs a cluster of one broker to record them. A JVM without an
/// archive also starts, only more slowly.
pub(crate) fn ensure(version: Version, mode: Mode) -> Result<(), Error> {
    let jvm = Jvm::of(version, mode, Sharing::Use)?;
    if jvm.archives().exists() {
        return Ok(());
    }
    let _lock = cache::lock("archives")?;
    cache::whole(jvm.archives(), |part| {
        let builder = Builder { mode, version: Some(version), brokers: 1, ..Builder::default() };
        let cluster = Cluster::start_with(builder, Sharing::Record(part.to_owned()))?;
        cluster.stop_all()
    })
}
