//! The network counters of a pod's kernel: the files that a sidecar reads, written from the counters of a broker's
//! card.

use std::fs;
use std::path::{Path, PathBuf};

use testbed::Cluster;

const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                      eth0\t00000000\t0101F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";

/// The kernel of one broker's pod, in a folder that is the sidecar's root.
pub(crate) struct Kernel {
    root: PathBuf,
    broker: i32,
}

impl Kernel {
    pub(crate) fn of(broker: i32, root: &Path) -> Self {
        fs::create_dir_all(root.join("proc/net")).unwrap();
        fs::write(root.join("proc/net/route"), ROUTES).unwrap();
        Self { root: root.to_owned(), broker }
    }

    /// Writes the bytes that the card has carried so far. Readers see the old or the new files, never a part.
    pub(crate) fn count(&self, cluster: &Cluster) {
        let passed = cluster.card(self.broker).unwrap().passed();
        let text = format!(
            "Inter-|   Receive  |  Transmit\n face |bytes |bytes\n  eth0: {} 0 0 0 0 0 0 0 {} 0 0 0 0 0 0 0\n",
            passed.rx, passed.tx
        );
        fs::write(self.root.join("dev"), text).unwrap();
        fs::rename(self.root.join("dev"), self.root.join("proc/net/dev")).unwrap();
    }
}
