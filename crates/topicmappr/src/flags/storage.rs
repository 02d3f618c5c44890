//! `--broker-storage`: the storage of brokers, if no server reports it.

use crate::error::Error;
use console::units;
use local::files;
use mapper::{BrokerId, Bytes};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The flag's value: pairs, or a file of pairs.
#[derive(Debug, Clone)]
pub(crate) struct BrokerStorage(String);

impl FromStr for BrokerStorage {
    type Err = Infallible;

    fn from_str(value: &str) -> Result<Self, Infallible> {
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Display for BrokerStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl BrokerStorage {
    /// The capacity of each broker named; reads the file if the value is not pairs.
    pub(crate) fn capacities(&self) -> Result<BTreeMap<BrokerId, Bytes>, Error> {
        if self.0.contains('=') {
            pairs(&self.0)
        } else {
            pairs(&files::read_text(Path::new(&self.0))?)
        }
    }
}

/// Pairs by line or comma; `#` starts a comment.
fn pairs(text: &str) -> Result<BTreeMap<BrokerId, Bytes>, Error> {
    let lines = text.lines().filter_map(|line| line.split('#').next());
    let entries = lines.flat_map(|line| line.split(',')).map(str::trim);
    let mut capacities = BTreeMap::new();
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let (id, size) = pair(entry)
            .map_err(|problem| local::Error::flag("--broker-storage", entry.to_owned(), problem))?;
        if capacities.insert(id, size).is_some() {
            return Err(local::Error::flag(
                "--broker-storage",
                entry.to_owned(),
                format!("broker {id} is named twice"),
            )
            .into());
        }
    }
    Ok(capacities)
}

fn pair(entry: &str) -> Result<(BrokerId, Bytes), String> {
    let (id, size) = entry.split_once('=').ok_or("write ID=SIZE: 1001=500GB")?;
    let id = id.parse().map_err(|_| format!("{:?} is not a broker id", id.trim()))?;
    Ok((id, units::size(size)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_may_stand_in_lines_with_comments() {
        let read = pairs("# disks\n1001=500GB, 1002 = 2TiB\n\n1003=1GB # small\n").unwrap();
        let expected = [(1001, 500_000_000_000), (1002, 2 << 40), (1003, 1_000_000_000)];
        assert_eq!(read, expected.map(|(id, size)| (BrokerId(id), Bytes(size))).into());
    }

    #[test]
    fn a_broker_named_twice_is_refused() {
        let error = pairs("1=1GB,1=2GB").unwrap_err();
        assert!(error.to_string().contains("broker 1 is named twice"), "{error}");
    }
}
