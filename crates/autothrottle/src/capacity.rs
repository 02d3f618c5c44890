//! The capacities of networks, from flags and files.

use crate::baseline::baseline;
use crate::cli::RateArgs;
use crate::error::Error;
use crate::machines::NodeAnswers;
use mapper::{BrokerId, Rate, Snapshot};
use metrics::{CapMap, Capacities, Ports};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The known capacities.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks {
    told: Capacities,
    /// Instance types from a snapshot or from nodes.
    types: BTreeMap<BrokerId, String>,
}

/// The reason for a missing node, in words.
const NOT_FOUND: &str =
    "no pod is it, or two claim to be: see --namespace, --pod-labels, --identity";
const SILENT: &str = "its node says nothing under --cap-label";
const NO_CAPACITY: &str = "what its node says is no number of MB/s, and no type that --cap-map has";

impl Networks {
    /// The capacity of a broker's network: the operator's number, or else the sustained rate of a machine that
    /// bursts.
    pub(crate) fn of(&self, broker: BrokerId, instance_type: Option<&str>) -> Option<Ports> {
        let kind = instance_type.or_else(|| self.types.get(&broker).map(String::as_str));
        let told = self.told.of(broker, kind).map(|capacity| capacity.ports);
        told.or_else(|| baseline(kind?).map(|rate| Ports { tx: rate, rx: rate }))
    }

    /// Replaces the nodes' earlier answers by their present ones.
    pub(crate) fn learn(&mut self, said: &NodeAnswers) {
        let texts = || said.iter().filter_map(|(id, text)| Some((*id, text.as_deref()?)));
        self.told.nodes =
            texts().filter_map(|(id, text)| Some((id, Ports::from_label(text)?))).collect();
        let types = texts().filter(|(id, _)| !self.told.nodes.contains_key(id));
        self.types = types.map(|(id, text)| (id, text.to_owned())).collect();
    }

    /// The brokers without a known capacity although nodes were asked, and why.
    pub(crate) fn unknown(
        &self,
        live: &BTreeSet<BrokerId>,
        said: &NodeAnswers,
    ) -> BTreeMap<BrokerId, &'static str> {
        let unknown = live.iter().filter(|id| self.of(**id, None).is_none());
        let why = |id: &BrokerId| match said.get(id) {
            None => NOT_FOUND,
            Some(None) => SILENT,
            Some(Some(_)) => NO_CAPACITY,
        };
        unknown.map(|id| (*id, why(id))).collect()
    }
}

/// The map first, then the labels of nodes, then the snapshot's own numbers.
pub(crate) fn networks(args: &RateArgs) -> Result<Networks, Error> {
    let cap_map = args.cap_map.as_deref().map(cap_map).transpose()?.unwrap_or_default();
    let Some(path) = &args.cap_snapshot else {
        let told = Capacities { cap_map, ..Capacities::default() };
        return Ok(Networks { told, types: BTreeMap::new() });
    };
    let snapshot = read(path)?;
    let nodes = match &args.cap_label {
        Some(label) => of_nodes(&snapshot, label)?,
        None => BTreeMap::new(),
    };
    let told = snapshot.brokers().iter();
    let told = told.filter_map(|b| Some((b.id, Rate(b.network_bytes_per_second?)))).collect();
    let types = snapshot.brokers().iter();
    let types = types.filter_map(|b| Some((b.id, b.instance_type.clone()?))).collect();
    Ok(Networks { told: Capacities { cap_map, nodes, snapshot: told }, types })
}

/// JSON, or a file of it.
fn cap_map(text: &str) -> Result<CapMap, Error> {
    let json = match text.trim_start().starts_with('{') || text.trim().is_empty() {
        true => text.to_owned(),
        false => operate::files::read_text(text.as_ref())?,
    };
    if json.trim().is_empty() {
        return Ok(CapMap::default());
    }
    CapMap::parse(&json)
        .map_err(|problem| Error::from(local::Error::flag("--cap-map", text, problem.to_string())))
}

fn read(path: &Path) -> Result<Snapshot, Error> {
    let text = operate::files::read_text(path)?;
    Snapshot::from_json(text.as_bytes()).map_err(|problem| {
        Error::from(local::Error::flag(
            "--cap-snapshot",
            path.display().to_string(),
            problem.to_string(),
        ))
    })
}

/// A label without a number is wrong input, because its broker would have no capacity. A node without the label is
/// not.
fn of_nodes(snapshot: &Snapshot, label: &str) -> Result<BTreeMap<BrokerId, Ports>, Error> {
    let bad = |problem: String| Error::from(local::Error::flag("--cap-label", label, problem));
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
        {"id":1,"network_bytes_per_second":1000000}, {"id":4,"instance_type":"m5.large"},
        {"id":2,"network_bytes_per_second":2000000,
         "kubernetes":{"pod":"k/p-2","node":"n","node_labels":{"net":"500","odd":"x"}}}],"topics":[]}"#;

    fn told(more: &[&str]) -> Result<Networks, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot.json");
        std::fs::write(&path, SNAPSHOT).unwrap();
        let own = ["autothrottle", "--cap-snapshot", path.to_str().unwrap()];
        networks(&Cli::try_parse_from(own.iter().chain(more)).unwrap().rates)
    }

    fn tx(of: &Networks, broker: u32) -> Option<u64> {
        of.of(BrokerId(broker), None).map(|ports| ports.tx.0)
    }

    #[test]
    fn a_machine_that_bursts_has_its_baseline_where_nobody_says_what_it_carries() {
        let plain = told(&[]).unwrap();
        assert_eq!(tx(&plain, 4), Some(93_750_000));
        assert_eq!(plain.of(BrokerId(3), Some("r6i.4xlarge")).unwrap().rx, Rate(781_250_000));
        assert_eq!(plain.of(BrokerId(3), Some("m5.8xlarge")), None);
        let said = |map: &str| tx(&told(&["--cap-map", map]).unwrap(), 4);
        assert_eq!(said(r#"{"m5.large":1250}"#), Some(1_250_000_000), "also by its type");
        assert_eq!(said(r#"{"default":50}"#), Some(50_000_000));
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
    fn nodes_say_a_number_or_a_type_and_who_says_neither_is_named() {
        let args = ["autothrottle", "--cap-map", r#"{"i3.4xlarge":1250}"#];
        let mut networks = networks(&Cli::try_parse_from(args).unwrap().rates).unwrap();
        let said = |texts: &[(u32, Option<&str>)]| -> NodeAnswers {
            let text = |text: Option<&str>| text.map(str::to_owned);
            texts.iter().map(|(id, one)| (BrokerId(*id), text(*one))).collect()
        };
        let told = [(1, "500-250"), (2, "i3.4xlarge"), (3, "m5.large"), (4, "fast")];
        let mut all = said(&told.map(|(id, text)| (id, Some(text))));
        all.extend(said(&[(5, None)]));
        networks.learn(&all);
        let megabytes = |networks: &Networks, id| Some(tx(networks, id)? / 1_000_000);
        let of = |networks: &Networks| [1, 2, 3, 4].map(|id| megabytes(networks, id));
        assert_eq!(of(&networks), [Some(500), Some(1250), Some(93), None]);
        assert_eq!(networks.of(BrokerId(1), None).unwrap().rx, Rate(250_000_000));
        let live = (1..=6).map(BrokerId).collect();
        let unknown = [(4, NO_CAPACITY), (5, SILENT), (6, NOT_FOUND)];
        assert_eq!(
            networks.unknown(&live, &all),
            unknown.map(|(id, why)| (BrokerId(id), why)).into()
        );
        let kind = networks.of(BrokerId(1), Some("i3.4xlarge")).unwrap();
        assert_eq!(kind.tx, Rate(1_250_000_000), "a type that metrics tell, and the map has");

        networks.learn(&said(&[(1, Some("700"))]));
        assert_eq!(of(&networks), [Some(700), None, None, None], "another node");
    }

    #[test]
    fn a_label_that_tells_nothing_is_wrong_input() {
        for label in ["odd", "none"] {
            let refused = told(&["--cap-label", label]).unwrap_err();
            assert_eq!(refused.status(), operate::Status::BadInput, "{refused}");
        }
    }
}
