//! The hand-written JSON equals serde's JSON.

use super::*;
use crate::snapshot::{Broker, Partition, Parts, Topic};
use crate::{
    Assignment, Engine, PlaceBy, PlanTerms, Ratio, Reason, Rebuild, TopicSelection, WhyLeftOut,
    rebuild,
};

/// Three topics on a broker that leaves. One has a name that JSON has to escape.
fn plan() -> Plan {
    let partition = |id| Partition::new(PartitionId(id), [1, 2].map(BrokerId));
    let topic = |name: &str| Topic {
        name: name.to_owned(),
        partitions: (0..4).map(partition).collect(),
        ..Topic::default()
    };
    let parts = Parts {
        brokers: [1, 2, 3].map(|id| Broker::new(BrokerId(id))).into(),
        topics: ["a", "b", "d"].map(topic).into(),
        ..Parts::default()
    };
    let assignment = Assignment::new(TopicSelection::Rest, [1, 3].map(BrokerId).into());
    let terms = PlanTerms::new(vec![assignment], Ratio::ZERO);
    let request = Rebuild { solver: Engine::Heuristic, ..Rebuild::new(terms, PlaceBy::Count) };
    let mut plan = rebuild(&Snapshot::new(parts).unwrap(), &request).unwrap();
    // No cluster has such a topic, but an edited file can.
    for change in plan.moves.iter_mut().filter(|change| &*change.topic == "b") {
        change.topic = "b \"c\" \\ \u{7} é".into();
    }
    plan
}

/// The same plan with every optional part.
fn full() -> Plan {
    let mut plan = plan();
    plan.cluster_id = Some("\"".to_owned());
    plan.bound_bytes = Some(Bytes(u64::MAX));
    plan.floor = Some(BalanceFloor { max_used_ratio: 0.1, ..BalanceFloor::default() });
    let reasons = [
        Reason::Lost,
        Reason::Leaving,
        Reason::Map,
        Reason::Replication,
        Reason::Rack,
        Reason::Forced,
        Reason::Balance,
        Reason::Leader,
    ];
    for (change, reason) in plan.moves.iter_mut().zip(reasons) {
        change.reason = reason;
        change.bytes = Some(Bytes(reason as u64));
    }
    plan.moves[1].via = [[1, 2, 3].map(BrokerId).as_slice().into(), Replicas::new()].into();
    plan.moves[2].to = (1..9).map(BrokerId).collect();
    plan.moves[3].log_dirs = vec!["any".to_owned(), "/\"data\"".to_owned()];
    plan.steps = vec![vec![0, 1], vec![], vec![11, 1, 2]];
    plan.left_out = vec![LeftOut {
        topic: "a".into(),
        partition: PartitionId(9),
        replicas: Replicas::new(),
        why: WhyLeftOut::NoOtherLeader { leader: BrokerId(4) },
    }];
    plan
}

fn written(file: &PlanFile) -> String {
    let mut out = Vec::new();
    file.write_json(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plan_is_written_as_serde_writes_it_and_read_back() {
    for plan in [plan(), full()] {
        assert_eq!(plan.moves.len(), 12);
        let file = PlanFile::of(plan.clone());
        let text = serde_json::to_string(&file).unwrap() + "\n";
        assert_eq!(written(&file), text);
        let mut out = Vec::new();
        plan.write_json(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), text);
        assert_eq!(PlanFile::from_json(text.as_bytes()).unwrap(), file);
    }
}

#[test]
fn a_map_of_any_length_is_written_as_serde_writes_it() {
    let entries = PlanFile::map(&full());
    let many = entries.iter().cycle().take(24_000).cloned().collect();
    for entries in [vec![], entries[..1].to_vec(), entries, many] {
        let file = PlanFile { partitions: entries, plan: None };
        assert_eq!(written(&file), serde_json::to_string(&file).unwrap() + "\n");
    }
}
