//! Znodes as Kafka's older admin tools and metrics fetchers write them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::runtime::Runtime;
use zookeeper_client::{Acls, Client, CreateMode, Error};

/// Creates a znode and its parents, by the path from the root of the ensemble.
pub(crate) fn create(zookeeper: &str, path: &str, data: &[u8]) {
    let servers = zookeeper.split('/').next().unwrap();
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(servers).await.unwrap();
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            client.mkdir(parent, &options).await.unwrap();
        }
        client.create(path, data, &options).await.unwrap();
    });
}

/// The contents of a znode; `None` if it does not exist.
pub(crate) fn read(zookeeper: &str, path: &str) -> Option<Vec<u8>> {
    let servers = zookeeper.split('/').next().unwrap();
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(servers).await.unwrap();
        match client.get_data(path).await {
            Ok((data, _)) => Some(data),
            Err(Error::NoNode) => None,
            Err(why) => panic!("{path}: {why}"),
        }
    })
}

/// The folder of the executors of each cluster.
const EXECUTORS: &str = "/topicmappr/executors";

/// Leaves what a run of this name leaves that takes the cluster's lock and gives it back at once, after the lock of
/// another one has ended.
pub(crate) fn take_and_leave(zookeeper: &str, name: &str) {
    let servers = zookeeper.split('/').next().unwrap();
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(servers).await.unwrap();
        let clusters = client.list_children(EXECUTORS).await.unwrap();
        let [cluster] = clusters.as_slice() else { panic!("{clusters:?}") };
        let last = format!("{EXECUTORS}/{cluster}/taken/by");
        client.set_data(&last, name.as_bytes(), None).await.unwrap();
    });
    remove_the_lock(zookeeper);
}

/// Removes the lock of the one cluster with executors, whoever has it.
pub(crate) fn remove_the_lock(zookeeper: &str) {
    let servers = zookeeper.split('/').next().unwrap();
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(servers).await.unwrap();
        let clusters = client.list_children(EXECUTORS).await.unwrap();
        let [cluster] = clusters.as_slice() else { panic!("{clusters:?}") };
        let lock = format!("{EXECUTORS}/{cluster}/lock");
        for contender in client.list_children(&lock).await.unwrap() {
            client.delete(&format!("{lock}/{contender}"), None).await.unwrap();
        }
    });
}

/// The same bytes, packed.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}
