//! Whole captures of a cluster that corrupts its answers to one request. Each capture ends in a snapshot or in an
//! error.

use super::{Cluster, Fake};
use crate::admin::ConfigKeys;
use crate::bounded::tests::mutations;
use crate::client::Client;
use crate::snapshot::{Wanted, snapshot};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};

/// Captures for each API; `MAPPR_MUTATIONS` overrides it.
const CAPTURES: u64 = 5;

fn cluster() -> Cluster {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2, 3], &[2, 3, 1], &[3, 1]]);
    cluster.topic("logs", &[&[1, 2]]);
    cluster.moves = vec![vec![("events", 0, (vec![1, 2, 3], vec![3], vec![]))]];
    cluster.arriving.insert("logs");
    cluster
}

/// After this long, a capture hangs. The pauses before repeated questions add up to fifteen seconds; a busy machine adds more.
const LONGEST: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_broker_that_spoils_its_answers_is_read_or_refused() {
    let apis = [
        ApiVersionsRequest::KEY,
        DescribeClusterRequest::KEY,
        DescribeConfigsRequest::KEY,
        DescribeLogDirsRequest::KEY,
        DescribeTopicPartitionsRequest::KEY,
        ListPartitionReassignmentsRequest::KEY,
        MetadataRequest::KEY,
    ];
    futures::future::join_all(apis.map(attack)).await;
}

async fn attack(key: i16) {
    let random = StdRng::seed_from_u64(key.cast_unsigned().into());
    let fake = Fake::start(Cluster { spoilt: Some((key, random)), ..cluster() }).await;
    let mut settings = fake.settings(&[1], "");
    // No process listens at a corrupted address.
    settings.setup_timeout = Duration::from_secs(1);
    settings.request_timeout = Duration::from_secs(1);
    let mut read = 0;
    for _ in 0..mutations(CAPTURES) {
        let begun = Instant::now();
        let captured_at = "2026-11-22T07:00:00Z".to_owned();
        let wanted = Wanted { captured_at, configs: ConfigKeys::All };
        let captured = async { snapshot(&Client::connect(settings.clone()).await?, &wanted).await };
        read += u32::from(captured.await.is_ok());
        assert!(begun.elapsed() < LONGEST, "{key}: {:?}", begun.elapsed());
    }
    eprintln!("API {key}: {read} read");
}
