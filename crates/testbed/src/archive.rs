//! Class-data archives: recorded once for each release and mode, they halve the start of a server.

use crate::cache;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::jvm::{Jvm, Sharing};
use crate::spec::{Builder, Mode, Version};

/// Makes sure that there are archives: on the first call, by running a cluster of one broker.
/// A JVM whose archive was not written starts without.
pub(crate) fn ensure(version: Version, mode: Mode) -> Result<(), Error> {
    let jvm = Jvm::of(version, mode, Sharing::Use)?;
    if jvm.archives().exists() {
        return Ok(());
    }
    let _lock = cache::lock("archives")?;
    cache::whole(jvm.archives(), |part| {
        let builder = Builder { mode, version: Some(version), brokers: 1, ..Builder::default() };
        let cluster = Cluster::start_with(builder, Sharing::Record(part.to_owned()))?;
        cluster.tool("topics", ["--create", "--topic", "t", "--partitions", "2"])?;
        cluster.stop_all()
    })
}
