//! Properties of the goal `disks`: the volumes of each broker are evened, and no replica changes its broker for it.

use crate::balance::{Ask, ask};
use crate::clusters::{Shape, cordoned, shape};
use crate::config;
use mapper::snapshot::{Broker, LogDir, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Bytes, Move, PartitionId, Plan, PlanFile,
    PlanTerms, Ratio, Rebalance, Snapshot, TopicSelection, check, rebalance,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn with_disks(shape: &Shape, ask: &Ask, at: usize) -> Rebalance {
    let mut request = ask.request(shape);
    let goals = &mut request.balance.goals;
    goals.insert(at % (goals.len() + 1), BalanceGoal::Disks);
    request
}

fn divided(mut shape: Shape) -> Shape {
    shape.several_volumes = true;
    shape
}

/// The moves from broker to broker, without log dirs.
fn between_brokers(plan: &Plan) -> Vec<(String, Vec<BrokerId>)> {
    let changed = plan.moves.iter().filter(|change| change.from != change.to);
    changed.map(|change| (change.of().to_string(), change.to.to_vec())).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_plan_for_disks_keeps_every_promise(shape in shape(), ask in ask(), at in 0_usize..5) {
        let shape = divided(shape);
        let before = shape.snapshot();
        if let Ok(plan) = rebalance(&before, &with_disks(&shape, &ask, at)) {
            prop_assert_eq!(check(&before, &plan), []);
            let text = PlanFile::of(plan.clone());
            let mut written = Vec::new();
            text.write_json(&mut written).unwrap();
            prop_assert_eq!(PlanFile::from_json(&written).unwrap().plan, Some(plan));
        }
    }

    #[test]
    fn cordoned_log_dirs_take_nothing_of_it(shape in cordoned(shape()), ask in ask(), at in 0_usize..5) {
        let shape = divided(shape);
        let before = shape.snapshot();
        if let Ok(plan) = rebalance(&before, &with_disks(&shape, &ask, at)) {
            prop_assert_eq!(check(&before, &plan), []);
        }
    }

    #[test]
    fn the_goal_disks_changes_no_list_in_any_order_of_goals(
        shape in shape(), ask in ask(), at in 0_usize..5,
    ) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let without = rebalance(&before, &ask.request(&shape));
        let with = rebalance(&before, &with_disks(&shape, &ask, at));
        prop_assert_eq!(without.is_ok(), with.is_ok());
        if let Ok((without, with)) = without.and_then(|without| Ok((without, with?))) {
            prop_assert_eq!(between_brokers(&without), between_brokers(&with));
        }
    }

    #[test]
    fn limits_hold_for_copies_between_volumes(
        shape in shape(), ask in ask(), bytes in 0_u64..3_000, replicas in 0_u64..6,
    ) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let mut request = with_disks(&shape, &ask, 0);
        request.balance.max_bytes_moved = Some(Bytes(bytes));
        request.balance.max_moves = Some(replicas);
        if let Ok(plan) = rebalance(&before, &request) {
            prop_assert_eq!(check(&before, &plan), []);
        }
    }

    #[test]
    fn evening_disks_again_moves_nothing(shape in shape(), ask in ask(), at in 0_usize..5) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let request = with_disks(&shape, &ask, at);
        let Ok(plan) = rebalance(&before, &request) else { return Ok(()) };
        let after = before.after(&plan);
        if let Ok(again) = rebalance(&after, &request) {
            let left = between_brokers(&again);
            let dirs: Vec<&Move> = again.moves.iter().filter(|change| change.from == change.to).collect();
            prop_assert!(dirs.is_empty() || !left.is_empty(), "{:?}", dirs);
        }
    }

    #[test]
    fn wrong_figures_of_volumes_are_caught(shape in shape(), ask in ask(), more in 0.001_f64..1.0) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let Ok(mut plan) = rebalance(&before, &with_disks(&shape, &ask, 0)) else { return Ok(()) };
        let Some(disks) = &mut plan.after.disks else { return Ok(()) };
        disks.max_used_ratio += more;
        prop_assert_ne!(check(&before, &plan), []);
        // Another snapshot has other free bytes, and no promise is about them.
        let other = before.with_broker_storage(&BTreeMap::new());
        plan.snapshot = Snapshot::empty().hash();
        prop_assert_eq!(check(&other, &plan), []);
    }

    #[test]
    fn no_even_division_of_one_broker_is_cheaper(one in one_broker()) {
        let (before, plan) = one.planned();
        prop_assert_eq!(check(&before, &plan), []);
        let reached = one.reached(&plan);
        let now: Vec<usize> = one.replicas.iter().map(|(_, place)| *place).collect();
        prop_assert!(one.distance(&reached) <= one.distance(&now).max(TOLERANCE));
        let (_, bytes) = plan.moved_between_volumes();
        // Outside the bands, fewer bytes may be as uneven in the other direction.
        if one.distance(&reached) <= TOLERANCE {
            let least = one.least_bytes(TOLERANCE);
            prop_assert!(bytes.0 * 100 <= least * 102, "{:?}: {} of {}", one, bytes, least);
        }
        prop_assert_eq!(plan.bytes_moved(), Some(Bytes(0)));
    }
}

const TOLERANCE: f64 = 0.005;

/// A broker with up to three volumes and six replicas, all of which find room on any volume.
#[derive(Debug, Clone)]
struct OneBroker {
    /// The size of each volume.
    volumes: Vec<u64>,
    /// Each replica's bytes, and its volume.
    replicas: Vec<(u64, usize)>,
}

fn one_broker() -> impl Strategy<Value = OneBroker> {
    let volumes = vec(prop_oneof![Just(10_000_000_u64), 8_000_000_u64..20_000_000], 2..4);
    volumes.prop_flat_map(|volumes| {
        // Volumes of equal figures are one volume.
        let volumes: Vec<u64> = (0..).zip(volumes).map(|(at, size)| size + at).collect();
        let last = volumes.len();
        vec((1_u64..1_000_000, 0..last), 1..7)
            .prop_map(move |replicas| OneBroker { volumes: volumes.clone(), replicas })
    })
}

impl OneBroker {
    fn path(at: usize) -> String {
        format!("/d{at}")
    }

    fn used(&self, places: &[usize]) -> Vec<u64> {
        let mut used = vec![0; self.volumes.len()];
        for ((bytes, _), place) in self.replicas.iter().zip(places) {
            used[*place] += bytes;
        }
        used
    }

    fn planned(&self) -> (Snapshot, Plan) {
        let id = BrokerId(1);
        let now: Vec<usize> = self.replicas.iter().map(|(_, place)| *place).collect();
        let dir = |(at, (total, used)): (usize, (&u64, u64))| LogDir {
            path: Self::path(at),
            total: Some(Bytes(*total)),
            free: Some(Bytes(total - used)),
        };
        let log_dirs = self.volumes.iter().zip(self.used(&now)).enumerate().map(dir).collect();
        let mut topic = Topic { name: "t".to_owned(), ..Topic::default() };
        for (number, (bytes, place)) in (0..).zip(&self.replicas) {
            let index = topic.log_dir(&Self::path(*place)).unwrap();
            let log_dirs = [Some(index)].into_iter().collect();
            topic.partitions.push(Partition {
                size: Some(Bytes(*bytes)),
                facts: Some(Box::new(PartitionFacts { log_dirs, ..PartitionFacts::default() })),
                ..Partition::new(PartitionId(number), [id])
            });
        }
        let brokers = vec![Broker { log_dirs, ..Broker::new(id) }];
        let parts = Parts { brokers, topics: vec![topic], ..Parts::default() };
        let before = Snapshot::new(parts).unwrap();
        let everywhere = Assignment::new(TopicSelection::Rest, [id].into());
        let terms = PlanTerms::new(vec![everywhere], Ratio::ZERO);
        let balance = Balance { goals: vec![BalanceGoal::Disks], ..Balance::default() };
        let plan = rebalance(&before, &Rebalance::new(terms, balance)).unwrap();
        (before, plan)
    }

    /// The volume of each replica after a plan.
    fn reached(&self, plan: &Plan) -> Vec<usize> {
        let named: BTreeMap<usize, usize> = plan
            .moves
            .iter()
            .filter_map(|change| {
                let dir = change.log_dir(BrokerId(1))?;
                let at = (0..self.volumes.len()).find(|at| Self::path(*at) == dir)?;
                Some((change.partition.0 as usize, at))
            })
            .collect();
        let stays = self.replicas.iter().map(|(_, place)| *place).enumerate();
        stays.map(|(at, place)| named.get(&at).copied().unwrap_or(place)).collect()
    }

    /// How far the worst volume is from its share, as a part of that share.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn distance(&self, places: &[usize]) -> f64 {
        let all = self.replicas.iter().map(|(bytes, _)| bytes).sum::<u64>() as f64;
        let total = self.volumes.iter().sum::<u64>() as f64;
        let off = |(used, volume): (u64, &u64)| {
            let share = all * *volume as f64 / total;
            (used as f64 - share).abs() / share
        };
        self.used(places).into_iter().zip(&self.volumes).map(off).fold(0.0, f64::max)
    }

    /// Every way to divide the replicas.
    fn divisions(&self) -> impl Iterator<Item = Vec<usize>> {
        let (volumes, replicas) = (self.volumes.len(), self.replicas.len());
        let count = volumes.pow(u32::try_from(replicas).unwrap());
        (0..count).map(move |mut number| {
            let digit = |_| {
                let digit = number % volumes;
                number /= volumes;
                digit
            };
            (0..replicas).map(digit).collect()
        })
    }

    /// The fewest bytes that reach a distance.
    fn least_bytes(&self, distance: f64) -> u64 {
        let bytes = |places: Vec<usize>| -> u64 {
            let moved = self.replicas.iter().zip(places).filter(|((_, now), then)| now != then);
            moved.map(|((bytes, _), _)| bytes).sum()
        };
        let near = self.divisions().filter(|places| self.distance(places) <= distance + 1e-6);
        near.map(bytes).min().unwrap_or(u64::MAX / 200)
    }
}
