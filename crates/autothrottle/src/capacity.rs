//! What networks can carry, as flags and files tell it.

use crate::cli::RateArgs;
use crate::error::Error;
use mapper::{BrokerId, Rate, Snapshot};
use metrics::{CapMap, Capacities, Ports};
use std::collections::BTreeMap;
use std::path::Path;
use topicmappr::shared;

/// The map first, then the labels of nodes, then the snapshot's own numbers.
pub(crate) fn capacities(args: &RateArgs) -> Result<Capacities, Error> {
    let cap_map = args.cap_map.as_deref().map(cap_map).transpose()?.unwrap_or_default();
    let Some(path) = &args.cap_snapshot else {
        return Ok(Capacities { cap_map, ..Capacities::default() });
    };
    let snapshot = read(path)?;
    let nodes = match &args.cap_label {
        Some(label) => of_nodes(&snapshot, label)?,
        None => BTreeMap::new(),
    };
    let told = snapshot.brokers().iter();
    let told = told.filter_map(|b| Some((b.id, Rate(b.network_bytes_per_second?)))).collect();
    Ok(Capacities { cap_map, nodes, snapshot: told })
}

/// JSON, or a file of it.
fn cap_map(text: &str) -> Result<CapMap, Error> {
    let json = match text.trim_start().starts_with('{') || text.trim().is_empty() {
        true => text.to_owned(),
        false => shared::read_text(text.as_ref())?,
    };
    if json.trim().is_empty() {
        return Ok(CapMap::default());
    }
    CapMap::parse(&json).map_err(|problem| Error::Flag {
        flag: "--cap-map",
        value: text.to_owned(),
        problem: problem.to_string(),
    })
}

fn read(path: &Path) -> Result<Snapshot, Error> {
    let text = shared::read_text(path)?;
    Snapshot::from_json(text.as_bytes()).map_err(|problem| Error::Flag {
        flag: "--cap-snapshot",
        value: path.display().to_string(),
        problem: problem.to_string(),
    })
}

/// A label that says nothing costs its broker the capacity, so it is wrong input; a node without one is not.
fn of_nodes(snapshot: &Snapshot, label: &str) -> Result<BTreeMap<BrokerId, Ports>, Error> {
    let bad =
        |problem: String| Error::Flag { flag: "--cap-label", value: label.to_owned(), problem };
    let mut nodes = BTreeMap::new();
    for broker in snapshot.brokers() {
        let labels = broker.kubernetes.as_ref().map(|facts| &facts.node_labels);
        let Some(text) = labels.and_then(|labels| labels.get(label)) else { continue };
        let ports = Ports::from_label(text);
        let odd =
            || bad(format!("the node of broker {} has {text:?}, no number of MB/s", broker.id));
        nodes.insert(broker.id, ports.ok_or_else(odd)?);
    }
    if nodes.is_empty() {
        return Err(bad("no broker's node in the snapshot has it".to_owned()));
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    const SNAPSHOT: &str = r#"{"version":1,"brokers":[
        {"id":1,"network_bytes_per_second":1000000},
        {"id":2,"network_bytes_per_second":2000000,
         "kubernetes":{"pod":"k/p-2","node":"n","node_labels":{"net":"500","odd":"x"}}}],"topics":[]}"#;

    fn told(more: &[&str]) -> Result<Capacities, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot.json");
        std::fs::write(&path, SNAPSHOT).unwrap();
        let own = ["autothrottle", "--cap-snapshot", path.to_str().unwrap()];
        capacities(&Cli::try_parse_from(own.iter().chain(more)).unwrap().rates)
    }

    fn tx(of: &Capacities, broker: u32) -> Option<u64> {
        of.of(BrokerId(broker), None).map(|capacity| capacity.ports.tx.0)
    }

    #[test]
    fn the_map_goes_before_labels_and_labels_before_the_snapshot() {
        let plain = told(&[]).unwrap();
        assert_eq!(
            [tx(&plain, 1), tx(&plain, 2), tx(&plain, 3)],
            [Some(1_000_000), Some(2_000_000), None]
        );
        let labelled = told(&["--cap-label", "net"]).unwrap();
        assert_eq!([tx(&labelled, 1), tx(&labelled, 2)], [Some(1_000_000), Some(500_000_000)]);
        let mapped = told(&["--cap-label", "net", "--cap-map", r#"{"2":7}"#]).unwrap();
        assert_eq!(tx(&mapped, 2), Some(7_000_000));
    }

    #[test]
    fn a_label_that_tells_nothing_is_wrong_input() {
        for label in ["odd", "none"] {
            let refused = told(&["--cap-label", label]).unwrap_err();
            assert_eq!(refused.status(), topicmappr::Status::BadInput, "{refused}");
        }
    }
}
