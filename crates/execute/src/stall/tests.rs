use super::*;
use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
use mapper::{LeadBy, Leaders, Mends, PartitionId, PlanTerms, Ratio, Reason, Request};

const PATIENCE: u64 = 600;

fn ids(ids: &[u32]) -> mapper::Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

/// Partitions of `t`, in their order: each is led by the first broker, alone in sync, and goes to the second.
struct World {
    plan: Plan,
    seen: Seen,
    watch: Watch,
}

fn of(partition: u32) -> TopicPartition {
    TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) }
}

fn world(ways: &[(u32, u32)]) -> World {
    let (mut moves, mut seen) = (Vec::new(), Seen::default());
    let mut topic = Topic { name: "t".to_owned(), ..Topic::default() };
    for (number, (from, to)) in (0..).zip(ways) {
        let (from, to) = (ids(&[*from]), ids(&[*to]));
        seen.running.insert(of(number), Running { target: to.clone(), adding: to.clone() });
        seen.live.extend(from.iter().chain(&to));
        let mut partition = Partition::new(PartitionId(number), from.iter().chain(&to).copied());
        partition.facts = Some(Box::new(PartitionFacts {
            isr: Some(from.clone()),
            leader: Leader::Broker(from[0]),
            ..PartitionFacts::default()
        }));
        topic.partitions.push(partition);
        moves.push(Move {
            topic: "t".into(),
            partition: PartitionId(number),
            from,
            via: Box::default(),
            disk_bytes: mapper::Bytes(0),
            to,
            log_dirs: Vec::new(),
            reason: Reason::Balance,
            bytes: None,
        });
    }
    seen.topics.insert("t".to_owned(), topic);
    let terms = PlanTerms { mends: Mends::Nothing, ..PlanTerms::new(Vec::new(), Ratio::ZERO) };
    let (by, evacuate) = (LeadBy::Count, Default::default());
    let request = Request::Leaders(Leaders { terms, by, per_topic: false, evacuate });
    let plan = Plan { steps: vec![(0..moves.len()).collect()], moves, ..Plan::empty(request) };
    World { plan, seen, watch: Watch::default() }
}

impl World {
    /// The stalls after this many seconds, in which only these partitions grew.
    fn later(&mut self, seconds: u64, growing: &[u32]) -> Vec<Stall> {
        self.seen.at_seconds += seconds;
        for change in &self.plan.moves {
            let so_far = self.seen.copies.bytes.entry((change.of(), change.to[0])).or_default();
            so_far.0 += u64::from(growing.contains(&change.partition.0));
        }
        self.watch.look(&self.plan, &mut self.seen, PATIENCE)
    }

    /// The stalls after this many seconds, if no broker reports sizes.
    fn untold(&mut self, seconds: u64) -> Vec<Stall> {
        self.seen.at_seconds += seconds;
        self.seen.copies.bytes.clear();
        self.watch.look(&self.plan, &mut self.seen, PATIENCE)
    }

    fn facts(&mut self, partition: usize) -> &mut PartitionFacts {
        let topic = self.seen.topics.get_mut("t").unwrap();
        topic.partitions[partition].facts.as_mut().unwrap()
    }
}

fn is(stall: &Stall, broker: u32, direction: LimitingSide, cause: StallCause) -> bool {
    (stall.broker, stall.direction, stall.cause) == (BrokerId(broker), direction, cause)
}

#[test]
fn what_grows_is_not_stalled_and_what_stands_is_when_its_time_has_come() {
    let mut world = world(&[(1, 3)]);
    assert_eq!(world.later(1, &[]), []);
    assert_eq!(world.later(599, &[]), []);
    assert_eq!(world.later(1, &[0]), []);
    assert_eq!(world.later(599, &[]), []);
    let stalls = world.later(1, &[]);
    assert!(is(&stalls[0], 1, LimitingSide::Outgoing, StallCause::UsedUp), "{stalls:?}");
    assert_eq!((stalls.len(), stalls[0].since_seconds), (1, 601));
    assert_eq!(world.later(1, &[0]), [], "it goes on");
}

#[test]
fn the_side_that_others_use_is_the_one_that_limits() {
    // Two other copies go into 3; no other copy comes from 1.
    let mut world = world(&[(1, 3), (2, 3), (4, 3)]);
    world.later(1, &[]);
    world.later(300, &[1, 2]);
    let stalls = world.later(300, &[1, 2]);
    assert!(is(&stalls[0], 3, LimitingSide::Incoming, StallCause::UsedUp), "{stalls:?}");
    assert_eq!(stalls[0].partitions, [of(0)].into());
}

#[test]
fn a_dead_destination_and_a_missing_leader_are_named() {
    let mut world = world(&[(1, 3), (2, 4)]);
    world.later(1, &[]);
    world.seen.live = [BrokerId(1), BrokerId(4)].into();
    world.facts(1).leader = Leader::None;
    assert_eq!(world.untold(0), []);
    let stalls = world.untold(600);
    assert!(is(&stalls[0], 2, LimitingSide::Outgoing, StallCause::NoLeader), "{stalls:?}");
    assert!(is(&stalls[1], 3, LimitingSide::Incoming, StallCause::Dead), "{stalls:?}");
}

#[test]
fn who_lives_and_does_not_tell_is_not_called_stalled() {
    let mut world = world(&[(1, 3)]);
    for _ in 0..4 {
        assert_eq!(world.untold(300), []);
    }
}

#[test]
fn a_replica_in_sync_and_a_move_that_has_ended_are_watched_no_more() {
    let mut world = world(&[(1, 3), (1, 4)]);
    world.later(1, &[]);
    world.facts(0).isr = Some(ids(&[1, 3]));
    world.seen.running.remove(&of(1));
    assert_eq!(world.later(600, &[]), []);
}
