//! The volumes under the log dirs of a broker.

use super::{Broker, LogDir, Partition, Topic};
use crate::bytes::Bytes;
use crate::ids::BrokerId;

/// One volume of a broker, with the log dirs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume<'b> {
    /// The paths of its log dirs, in order.
    pub paths: Vec<&'b str>,
    /// Its size, in bytes.
    pub total: Bytes,
    /// Its usable bytes.
    pub free: Bytes,
}

impl Broker {
    /// Its volumes, in order of their first path. Log dirs with equal total and free bytes are on one volume. A log dir
    /// without figures has failed, or its figures are unknown, so it is on no volume.
    pub fn volumes(&self) -> Vec<Volume<'_>> {
        let mut dirs: Vec<&LogDir> = self.log_dirs.iter().collect();
        dirs.sort_by(|a, b| a.path.cmp(&b.path));
        let mut volumes: Vec<Volume<'_>> = Vec::new();
        for dir in dirs {
            let Some((total, free)) = dir.total.zip(dir.free) else { continue };
            match volumes.iter_mut().find(|known| (known.total, known.free) == (total, free)) {
                Some(known) => known.paths.push(&dir.path),
                None => volumes.push(Volume { paths: vec![&dir.path], total, free }),
            }
        }
        volumes
    }
}

impl Topic {
    /// The log dir in which a broker keeps its replica of a partition, where known.
    pub fn log_dir_of(&self, partition: &Partition, broker: BrokerId) -> Option<&str> {
        let at = partition.replicas.iter().position(|id| *id == broker)?;
        let index = partition.facts.as_ref()?.log_dirs.get(at).copied().flatten()?;
        self.log_dir_paths.get(usize::from(index.0)).map(String::as_str)
    }
}
