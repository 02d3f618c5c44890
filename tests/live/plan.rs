//! The contents of a partition map and a snapshot, parsed without our own types as a second opinion.

use std::collections::BTreeMap;

use serde_json::Value;

/// A partition: topic and number.
pub(crate) type Partition = (String, i32);

fn ids(value: &Value) -> Vec<i32> {
    let ids = value.as_array().into_iter().flatten();
    ids.map(|id| i32::try_from(id.as_i64().unwrap()).unwrap()).collect()
}

/// The target replicas of each partition that a plan changes.
pub(crate) fn targets(plan: &Value) -> BTreeMap<Partition, Vec<i32>> {
    assert_eq!(plan["version"], 1);
    let entries = plan["partitions"].as_array().unwrap().iter();
    let target = |entry: &Value| {
        let topic = entry["topic"].as_str().unwrap().to_owned();
        let number = i32::try_from(entry["partition"].as_i64().unwrap()).unwrap();
        ((topic, number), ids(&entry["replicas"]))
    };
    entries.map(target).collect()
}

/// One field of one partition in a snapshot.
pub(crate) fn partition<'a>(snapshot: &'a Value, topic: &str, number: i32) -> &'a Value {
    let partitions = self::topic(snapshot, topic)["partitions"].as_array().unwrap();
    let found = partitions.iter().find(|partition| partition["id"] == number);
    found.unwrap_or_else(|| panic!("no {topic}-{number} in {snapshot:#}"))
}

/// A topic in a snapshot.
pub(crate) fn topic<'a>(snapshot: &'a Value, name: &str) -> &'a Value {
    find_topic(snapshot, name).unwrap_or_else(|| panic!("no {name} in {snapshot:#}"))
}

/// A topic in a snapshot, if it is there.
pub(crate) fn find_topic<'a>(snapshot: &'a Value, name: &str) -> Option<&'a Value> {
    snapshot["topics"].as_array().unwrap().iter().find(|topic| topic["name"] == name)
}

/// A broker in a snapshot, if it is there.
pub(crate) fn find_broker(snapshot: &Value, id: i32) -> Option<&Value> {
    snapshot["brokers"].as_array().unwrap().iter().find(|broker| broker["id"] == id)
}

/// The ids in a field such as `replicas`; none if the field is absent.
pub(crate) fn brokers(partition: &Value, field: &str) -> Vec<i32> {
    ids(&partition[field])
}
