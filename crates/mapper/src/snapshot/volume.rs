//! The volumes of a broker: what its log dirs lie on.

use super::{Broker, LogDir, Partition, Topic};
use crate::bytes::Bytes;
use crate::ids::BrokerId;

/// One volume of a broker, with the log dirs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume<'b> {
    /// The paths of its log dirs, in order.
    pub paths: Vec<&'b str>,
    /// Its size.
    pub total: Bytes,
    /// What is usable on it.
    pub free: Bytes,
}

impl Broker {
    /// Its volumes, in order of their first path: log dirs of equal total and free are on one. A log dir that tells
    /// neither has failed, or nobody knows, and is on none.
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
    /// The log dir in which a broker keeps its replica of a partition, where that is known.
    pub fn log_dir_of(&self, partition: &Partition, broker: BrokerId) -> Option<&str> {
        let at = partition.replicas.iter().position(|id| *id == broker)?;
        let index = partition.facts.as_ref()?.log_dirs.get(at).copied().flatten()?;
        self.log_dir_paths.get(usize::from(index.0)).map(String::as_str)
    }
}
