//! One test for each way to lead without a log, and laws over random clusters.

use super::*;
use mapper::PartitionId;
use mapper::snapshot::{Broker, Parts, RareFacts};
use proptest::prelude::*;

const B: BrokerId = BrokerId(1004);
const OTHER: BrokerId = BrokerId(1005);
const THIRD: BrokerId = BrokerId(1006);

/// The facts of a test about its one partition.
#[derive(Debug, Clone, Default)]
struct Said {
    replicas: Vec<BrokerId>,
    isr: Vec<BrokerId>,
    leader: Option<BrokerId>,
    elr: Vec<BrokerId>,
    last: Vec<BrokerId>,
    removing: Vec<BrokerId>,
    live: Vec<BrokerId>,
    unclean: bool,
}

impl Said {
    /// Two replicas, and both brokers are down.
    fn new() -> Self {
        Self { replicas: vec![B, OTHER], ..Self::default() }
    }

    fn snapshot(&self) -> Snapshot {
        let mut partition = Partition::new(PartitionId(0), self.replicas.clone());
        partition.facts = Some(Box::new(PartitionFacts {
            isr: Some(self.isr.iter().copied().collect()),
            leader: self.leader.map_or(Leader::None, Leader::Broker),
            rare: RareFacts {
                elr: self.elr.iter().copied().collect(),
                last_known_elr: self.last.iter().copied().collect(),
                removing: self.removing.iter().copied().collect(),
                ..RareFacts::default()
            }
            .into(),
            ..PartitionFacts::default()
        }));
        let mut topic =
            Topic { name: "t".to_owned(), partitions: vec![partition], ..Topic::default() };
        topic.config.insert("unclean.leader.election.enable".into(), self.unclean.to_string());
        let broker = |id| Broker { live: self.live.contains(&id), ..Broker::new(id) };
        let brokers = [B, OTHER, THIRD].map(broker).into();
        Snapshot::new(Parts { brokers, topics: vec![topic], ..Parts::default() }).unwrap()
    }

    fn why(&self) -> Option<WhyErased> {
        let found = would_erase(&self.snapshot(), B, &BTreeSet::new()).unwrap();
        found.first().map(|erasure| erasure.why)
    }
}

#[test]
fn the_only_member_of_an_isr_erases_the_partition() {
    let said = Said { isr: vec![B], live: vec![OTHER], ..Said::new() };
    assert_eq!(said.why(), Some(WhyErased::OnlyInSync));
    // For some seconds after its death it still counts as the leader.
    let just_dead = Said { leader: Some(B), ..said };
    assert_eq!(just_dead.why(), Some(WhyErased::OnlyInSync));
}

#[test]
fn the_only_member_of_an_elr_erases_the_partition() {
    let said = Said { elr: vec![B], live: vec![OTHER], ..Said::new() };
    assert_eq!(said.why(), Some(WhyErased::OnlyEligible));
}

#[test]
fn the_last_leader_erases_the_partition_even_while_others_are_eligible() {
    let said = Said { elr: vec![OTHER, B], last: vec![B], ..Said::new() };
    assert_eq!(said.why(), Some(WhyErased::LastLeader));
}

#[test]
fn the_first_of_an_isr_to_return_erases_the_partition() {
    let said = Said { isr: vec![B, OTHER], ..Said::new() };
    assert_eq!(said.why(), Some(WhyErased::OthersDown));
    let other_is_up = Said { live: vec![OTHER], ..said };
    assert_eq!(other_is_up.why(), None);
}

#[test]
fn a_partition_without_another_replica_is_told_apart() {
    let said = Said { replicas: vec![B], isr: vec![B], ..Said::new() };
    assert_eq!(said.why(), Some(WhyErased::OnlyReplica));
}

#[test]
fn any_replica_leads_where_unclean_elections_are_allowed() {
    let said = Said { isr: vec![OTHER], ..Said::new() };
    assert_eq!(said.why(), None);
    assert_eq!(Said { unclean: true, ..said }.why(), Some(WhyErased::Unclean));
}

#[test]
fn a_replica_that_a_reassignment_takes_away_counts_until_it_is_gone() {
    let replicas = vec![OTHER, THIRD];
    let said = Said { replicas, removing: vec![B], isr: vec![B], ..Said::new() };
    assert_eq!(said.why(), Some(WhyErased::OnlyInSync));
}

#[test]
fn a_log_that_is_still_on_a_disk_is_not_erased() {
    let said = Said { isr: vec![B], ..Said::new() };
    let partition = TopicPartition { topic: "t".into(), partition: PartitionId(0) };
    let found = would_erase(&said.snapshot(), B, &[partition].into()).unwrap();
    assert_eq!(found, []);
}

#[test]
fn what_is_not_told_is_not_safe() {
    let partition = Partition::new(PartitionId(7), [B, OTHER]);
    let topic = Topic { name: "t".to_owned(), partitions: vec![partition], ..Topic::default() };
    let snapshot = Snapshot::new(Parts { topics: vec![topic], ..Parts::default() }).unwrap();
    let untold = would_erase(&snapshot, B, &BTreeSet::new()).unwrap_err();
    assert_eq!(untold.to_string(), "the leader of t-7 is not known");
    // Facts about partitions of other brokers may be missing.
    assert_eq!(would_erase(&snapshot, THIRD, &BTreeSet::new()), Ok(Vec::new()));
}

fn some(ids: &'static [BrokerId]) -> impl Strategy<Value = Vec<BrokerId>> {
    prop::sample::subsequence(ids, 0..=ids.len())
}

fn anything() -> impl Strategy<Value = Said> {
    const ALL: &[BrokerId] = &[B, OTHER, THIRD];
    (some(ALL), some(ALL), some(ALL), some(ALL), prop::option::of(0..3_usize), any::<bool>())
        .prop_map(|(isr, elr, last, live, leader, unclean)| Said {
            replicas: ALL.to_vec(),
            leader: leader.map(|index| ALL[index]),
            isr,
            elr,
            last,
            live,
            unclean,
            removing: Vec::new(),
        })
}

proptest! {
    #[test]
    fn what_another_live_broker_leads_is_never_erased(said in anything()) {
        let led = said.leader.is_some_and(|leader| leader != B && said.live.contains(&leader));
        prop_assert!(!led || said.why().is_none());
    }

    #[test]
    fn whoever_may_lead_and_is_the_only_one_up_erases(said in anything()) {
        let led = said.leader.is_some_and(|leader| leader != B && said.live.contains(&leader));
        let may_lead: BTreeSet<_> = said.isr.iter().chain(&said.elr).chain(&said.last).collect();
        let other_up = may_lead.iter().any(|id| **id != B && said.live.contains(id));
        if !led && may_lead.contains(&B) && !other_up {
            prop_assert!(said.why().is_some());
        }
    }

    #[test]
    fn another_broker_that_comes_up_never_makes_a_start_more_dangerous(said in anything()) {
        let mut more = said.clone();
        more.live.extend([OTHER].iter().filter(|id| !said.live.contains(id)));
        prop_assert!(said.why().is_some() || more.why().is_none());
    }
}
