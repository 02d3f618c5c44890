//! What tests ask and change often. Kafka's own tools would need a JVM each time, and more than a second of a core.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka::admin::{ConfigChange, ConfigOp, ConfigResource};
use kafka::{Client, Properties, Settings};
use mapper::BrokerId;
use testbed::{Access, Cluster, until};
use tokio::runtime::Runtime;

use crate::plan::Partition;

const PATIENCE: Duration = Duration::from_secs(30);

fn with_client<T>(bootstrap: &str, ask: impl AsyncFnOnce(Client) -> T) -> T {
    let mut properties = Properties::default();
    properties.set("bootstrap.servers", bootstrap);
    let settings = Settings::from_properties(&properties).unwrap();
    Runtime::new().unwrap().block_on(async { ask(Client::connect(settings).await.unwrap()).await })
}

/// Sets a config of a topic or broker, and waits until every broker knows. It is written as for
/// `kafka-configs.sh --add-config`: a list has brackets.
pub(crate) fn set(cluster: &Cluster, kind: &str, name: &str, config: &str) {
    let resource = match kind {
        "topics" => ConfigResource::Topic(name.to_owned()),
        "brokers" => ConfigResource::Broker(BrokerId(name.parse().unwrap())),
        other => panic!("{other} have no configs"),
    };
    let (key, value) = config.split_once('=').unwrap();
    let value = value.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or(value);
    let op = ConfigOp::Set(value.to_owned());
    let change = [ConfigChange { resource: resource.clone(), key: key.to_owned(), op }];
    let bootstrap = cluster.client(&Access::Plaintext).bootstrap;
    let refused =
        with_client(&bootstrap, async |client| client.set_configs(&change, PATIENCE).await);
    assert!(matches!(&refused, Ok(none) if none.is_empty()), "{refused:?}");
    let keys: [&'static str; 1] = [key.to_owned().leak()];
    for address in cluster.running().values() {
        // A client asks the broker that it connects to about topics.
        let known = || {
            let asked = std::slice::from_ref(&resource);
            with_client(address, async |client| client.configs_set(asked, &keys, PATIENCE).await)
                .is_ok_and(|set| {
                    set.get(&resource)
                        .is_some_and(|own| own.get(keys[0]).is_some_and(|now| now == value))
                })
                .then_some(())
        };
        until(format!("{config} at {address}"), PATIENCE, known).unwrap();
    }
}

/// The partitions whose reassignment the controller lists.
pub(crate) fn in_flight(cluster: &Cluster) -> BTreeSet<Partition> {
    let bootstrap = cluster.client(&Access::Plaintext).bootstrap;
    let listed = with_client(&bootstrap, async |client| client.reassignments().await).unwrap();
    listed.into_keys().map(|of| (of.topic, i32::try_from(of.partition.0).unwrap())).collect()
}

/// Changes the list of throttled followers of a topic, and waits until a broker shows it: the words of its value, in
/// any order.
pub(crate) fn change_list(cluster: &Cluster, topic: &str, op: ConfigOp, then: Option<&[&str]>) {
    let resource = ConfigResource::Topic(topic.to_owned());
    let key = "follower.replication.throttled.replicas";
    let change = [ConfigChange { resource: resource.clone(), key: key.to_owned(), op }];
    let bootstrap = cluster.client(&Access::Plaintext).bootstrap;
    let refused =
        with_client(&bootstrap, async |client| client.set_configs(&change, PATIENCE).await);
    assert!(matches!(&refused, Ok(none) if none.is_empty()), "{refused:?}");
    let wanted: Option<BTreeSet<&str>> = then.map(|words| words.iter().copied().collect());
    let mut now = None;
    let shown = until(format!("{change:?}"), PATIENCE, || {
        let asked = std::slice::from_ref(&resource);
        let set = with_client(&bootstrap, async |client| {
            client.configs_set(asked, &[key], PATIENCE).await
        });
        now = set.unwrap().remove(&resource).and_then(|mut own| own.remove(key));
        let words = now.as_deref().map(|value| value.split(',').collect());
        (words == wanted).then_some(())
    });
    shown.unwrap_or_else(|why| panic!("{why}: {now:?}"));
}
