//! When an answer is safe to act on, against a cluster of fake brokers. Broker 3 is down.

use super::{Standing, Unsettled, standing};
use crate::error::{Error, Operation, Resource};
use crate::fake::{Cluster, Fake, FakePartition};
use health::{WhyErased, would_erase};
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, ListPartitionReassignmentsRequest};
use kafka_protocol::protocol::Request;
use mapper::BrokerId;
use std::collections::BTreeSet;

const DOWN: BrokerId = BrokerId(3);

/// Three brokers and a topic. The third broker is down, and it alone was in sync.
fn trapped() -> Cluster {
    let mut cluster = Cluster::of_three();
    cluster.fenced.insert(3);
    cluster.topic("healthy", &[&[1, 2], &[2, 3]]);
    cluster.topic("trap", &[&[3, 1]]);
    cluster.topics.get_mut("trap").unwrap()[0] = leaderless(&[3, 1], &[3]);
    cluster
}

fn leaderless(replicas: &[i32], isr: &[i32]) -> FakePartition {
    FakePartition {
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        leader: -1,
        ..Default::default()
    }
}

async fn ask(cluster: Cluster) -> Result<Standing, Error> {
    let fake = Fake::start(cluster).await;
    standing(&fake.client().await, DOWN).await
}

async fn erased(cluster: Cluster) -> Vec<(String, WhyErased)> {
    let Standing::Settled(snapshot) = ask(cluster).await.unwrap() else { panic!("unsettled") };
    let found = would_erase(&snapshot, DOWN, &BTreeSet::new()).unwrap();
    found.into_iter().map(|erasure| (erasure.partition.to_string(), erasure.why)).collect()
}

#[tokio::test]
async fn the_last_copy_is_found_by_isr_by_elr_and_by_last_leader() {
    assert_eq!(erased(trapped()).await, [("trap-0".to_owned(), WhyErased::OnlyInSync)]);

    let mut cluster = trapped();
    let trap = &mut cluster.topics.get_mut("trap").unwrap()[0];
    (trap.isr, trap.elr) = (vec![], vec![3]);
    assert_eq!(erased(cluster).await, [("trap-0".to_owned(), WhyErased::OnlyEligible)]);

    let mut cluster = trapped();
    let trap = &mut cluster.topics.get_mut("trap").unwrap()[0];
    (trap.isr, trap.last_known_elr) = (vec![], vec![3]);
    assert_eq!(erased(cluster).await, [("trap-0".to_owned(), WhyErased::LastLeader)]);
}

#[tokio::test]
async fn unclean_elections_that_only_the_brokers_default_allows_are_seen() {
    for (unclean, erases) in [("true", true), ("false", false)] {
        let mut cluster = trapped();
        cluster.fenced.insert(2);
        cluster.unclean = Some(unclean);
        cluster.topics.remove("healthy");
        cluster.topics.get_mut("trap").unwrap()[0] = leaderless(&[2, 3], &[2]);
        let why: Vec<WhyErased> = erased(cluster).await.into_iter().map(|(_, why)| why).collect();
        assert_eq!(why.contains(&WhyErased::Unclean), erases, "{unclean}: {why:?}");
    }
}

#[tokio::test]
async fn a_cluster_without_eligible_leaders_is_judged_by_its_isrs() {
    let mut cluster = trapped();
    cluster.versions.insert(DescribeTopicPartitionsRequest::KEY, None);
    assert_eq!(erased(cluster).await, [("trap-0".to_owned(), WhyErased::OnlyInSync)]);
}

#[tokio::test]
async fn who_may_not_see_every_topic_gets_no_answer() {
    let mut cluster = trapped();
    cluster.hidden.extend(["trap", "*"]);
    let Error::Authorization(denied) = ask(cluster).await.unwrap_err() else { panic!("another") };
    assert_eq!((denied.resource, denied.operation), (Resource::Topics, Operation::Describe));
}

#[tokio::test]
async fn a_broker_that_still_counts_as_live_is_waited_for() {
    let mut cluster = trapped();
    cluster.fenced.clear();
    assert_eq!(ask(cluster).await.unwrap(), Standing::Unsettled(Unsettled::Live(DOWN)));
}

#[tokio::test]
async fn brokers_that_disagree_are_named() {
    let mut cluster = trapped();
    let mut stale = cluster.topics.clone();
    stale.get_mut("trap").unwrap()[0].leader = 1;
    cluster.stale.insert(2, stale);
    let Standing::Unsettled(Unsettled::Disagree { partition, .. }) = ask(cluster).await.unwrap()
    else {
        panic!("settled")
    };
    assert_eq!(partition.to_string(), "trap-0");
}

#[tokio::test]
async fn a_live_broker_that_does_not_answer_leaves_it_open() {
    let mut cluster = trapped();
    cluster.mute.insert(2);
    let answer = ask(cluster).await.unwrap();
    assert!(
        matches!(answer, Standing::Unsettled(Unsettled::Silent { broker: BrokerId(2), .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_election_that_is_due_is_waited_for() {
    let mut cluster = trapped();
    cluster.topics.get_mut("trap").unwrap()[0].isr = vec![3, 1];
    let answer = ask(cluster).await.unwrap();
    assert!(
        matches!(answer, Standing::Unsettled(Unsettled::Electing { by: BrokerId(1), .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_running_reassignment_is_told_where_we_may_see_it() {
    let mut cluster = trapped();
    cluster.topics.get_mut("trap").unwrap()[0] = leaderless(&[2, 3], &[3]);
    cluster.moves = vec![vec![("trap", 0, (vec![2, 3], vec![2], vec![3]))]];
    let Standing::Settled(snapshot) = ask(cluster).await.unwrap() else { panic!("unsettled") };
    let found = would_erase(&snapshot, DOWN, &BTreeSet::new()).unwrap();
    assert_eq!(found.iter().map(|erasure| erasure.adding).collect::<Vec<_>>(), [true]);

    let mut cluster = trapped();
    cluster.errors.insert(ListPartitionReassignmentsRequest::KEY, 31);
    assert_eq!(erased(cluster).await.len(), 1);
}
