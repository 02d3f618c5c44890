//! `--map-string`: replica lists that the operator gives.

use crate::error::Error;
use local::files;
use mapper::{BaseReplicas, BrokerId, PartitionId};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::Read;

/// Kafka's reassignment JSON, in which -1 stands for a seat without a broker.
#[derive(Deserialize)]
struct MapString {
    version: u64,
    partitions: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    topic: String,
    partition: PartitionId,
    replicas: Vec<i64>,
}

/// Reads the lists; `-` takes them from stdin.
pub(super) fn read(value: &str, stdin: &mut dyn Read) -> Result<Vec<BaseReplicas>, Error> {
    let mut text = String::new();
    let value = if value == "-" {
        stdin.take(files::MOST).read_to_string(&mut text).map_err(Error::stream)?;
        &text
    } else {
        value
    };
    lists(value).map_err(|problem| Error::flags(format!("--map-string: {problem}")))
}

fn lists(text: &str) -> Result<Vec<BaseReplicas>, String> {
    let read: MapString = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if read.version != 1 {
        return Err(format!("it has version {}, this program reads version 1", read.version));
    }
    let mut seen = BTreeSet::new();
    let mut lists = Vec::new();
    for entry in read.partitions {
        let name = format!("{}-{}", entry.topic, entry.partition);
        if !seen.insert((entry.topic.clone(), entry.partition)) {
            return Err(format!("{name} is listed twice"));
        }
        let replicas = entry.replicas.into_iter().map(seat);
        let replicas: Option<Vec<Option<BrokerId>>> = replicas.collect();
        lists.push(BaseReplicas {
            topic: entry.topic,
            partition: entry.partition,
            replicas: replicas.ok_or_else(|| format!("a replica of {name} is no broker id"))?,
        });
    }
    Ok(lists)
}

/// `Some(None)` is an empty seat, `None` no broker id at all.
fn seat(id: i64) -> Option<Option<BrokerId>> {
    match id {
        -1 => Some(None),
        id => u32::try_from(id).ok().map(|id| Some(BrokerId(id))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(replicas: &str) -> String {
        format!(
            r#"{{"version":1,"partitions":[{{"topic":"a","partition":0,"replicas":{replicas}}}]}}"#
        )
    }

    #[test]
    fn minus_one_is_an_empty_seat() {
        let read = lists(&with("[1,-1]")).unwrap();
        assert_eq!(read[0].replicas, [Some(BrokerId(1)), None]);
        assert!(lists(&with("[-2]")).unwrap_err().contains("a-0"));
    }

    #[test]
    fn a_dash_reads_stdin() {
        let text = with("[1]");
        assert_eq!(read("-", &mut text.as_bytes()).unwrap().len(), 1);
    }
}
