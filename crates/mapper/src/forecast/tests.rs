use super::*;
use crate::ids::PartitionId;
use crate::snapshot::{LogDir, PartitionFacts, Parts};

/// The same numbers in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.uniform()
    }

    fn one_of<const N: usize>(&mut self, of: [usize; N]) -> usize {
        let at = bytes(self.uniform() * N as f64).0;
        of[usize::try_from(at).unwrap()]
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A topic with seasons, growth and retention: what is written in each hour since its start.
struct Written {
    hours: Vec<f64>,
    retention_hours: usize,
}

impl Written {
    fn of(dice: &mut Dice, hours: usize) -> Self {
        let base = dice.between(1e5, 1e7);
        let week_growth = dice.between(-0.02, 0.08);
        let (weekend, night, noise) =
            (dice.between(0.4, 1.0), dice.between(0.3, 1.0), dice.between(0.02, 0.25));
        let begins = if dice.uniform() < 0.3 { dice.between(0.0, hours as f64 * 0.5) } else { 0.0 };
        let mut of_day = 1.0;
        let hours = (0..hours).map(|hour| {
            if hour % 24 == 0 {
                of_day = (1.0 + noise * dice.normal()).max(0.1);
            }
            let season = if hour / 24 % 7 < 2 { weekend } else { 1.0 };
            let hour_of_day = if hour % 24 < 8 { night } else { 1.0 };
            let trend = 1.0 + week_growth * hour as f64 / 168.0;
            let on = if (hour as f64) < begins { 0.0 } else { 1.0 };
            on * base * season * hour_of_day * trend.max(0.1) * of_day
        });
        let hours = hours.collect();
        Self { hours, retention_hours: dice.one_of([24, 72, 168, 336, 720]) }
    }

    fn size(&self, hour: usize) -> u64 {
        let first = (hour + 1).saturating_sub(self.retention_hours);
        bytes(self.hours[first..=hour].iter().sum::<f64>() * 3600.0).0
    }
}

const BROKER: BrokerId = BrokerId(1);
const TOTAL: u64 = 1 << 50;

fn cluster(topics: &[Written], hour: usize) -> Snapshot {
    let topic = |(at, written): (usize, &Written)| {
        let mut partition = Partition::new(PartitionId(0), [BROKER]);
        partition.size = Some(Bytes(written.size(hour)));
        let bytes_in = Some(bytes(written.hours[hour]).0);
        partition.facts = Some(Box::new(PartitionFacts { bytes_in, ..PartitionFacts::default() }));
        let ms = written.retention_hours * 3_600_000;
        let config = BTreeMap::from([("retention.ms".to_owned(), ms.to_string())]);
        let partitions = vec![partition];
        Topic { name: format!("t{at:03}"), config, partitions, ..Topic::default() }
    };
    let topics: Vec<Topic> = topics.iter().enumerate().map(topic).collect();
    let held: u64 = topics.iter().map(|topic| topic.partitions[0].size.unwrap().0).sum();
    let (total, free) = (Some(Bytes(TOTAL)), Some(Bytes(TOTAL - held)));
    let broker = Broker { storage_total: total, storage_free: free, ..Broker::new(BROKER) };
    Snapshot::new(Parts { brokers: vec![broker], topics, ..Parts::default() }).unwrap()
}

fn used(cluster: &Snapshot) -> f64 {
    (TOTAL - cluster.brokers()[0].storage_free.unwrap().0) as f64
}

/// Growth with seasons, trends and retention, three weeks recorded: of all days of the next two weeks, the interval holds
/// about eight in ten, and in the median the storage of a broker in seven days is as said.
#[test]
fn eight_of_ten_days_are_within_the_interval() {
    let (before, recorded, after) = (60 * 24, 21 * 24, 14 * 24);
    let now = before + recorded - 1;
    let (mut within, mut days, mut errors) = (0, 0, Vec::new());
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let topics: Vec<Written> =
            (0..8).map(|_| Written::of(&mut dice, before + recorded + after)).collect();
        let mut history = StorageHistory::until(now as i64);
        for hour in before..=now {
            history.see(hour as i64, &cluster(&topics, hour));
        }
        let today = cluster(&topics, now);
        let forecast = history.forecast(&today);
        let growth = &forecast.growths()[&(BROKER, 0)];
        for day in 1..=14 {
            let grown = used(&cluster(&topics, now + day * 24)) - used(&today);
            days += 1;
            within += usize::from((grown - growth.bytes[day]).abs() <= growth.margin(day));
            if day == 7 {
                let said = used(&today) + growth.bytes[day];
                errors.push((used(&today) + grown - said).abs() / (used(&today) + grown));
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    let (share, median) = (within as f64 / f64::from(days), errors[errors.len() / 2]);
    println!("{share:.3} of {days} days within the interval; median error at 7 days {median:.4}");
    assert!((0.75..=0.85).contains(&share), "{share:.3}");
    assert!(median <= 0.15, "{median:.3}");
}

/// Two volumes of one broker: the one that grows is full, and a plan for next week knows.
#[test]
fn each_volume_fills_by_itself() {
    let (day, gb) = (86_400, 1_000_000_000_u64);
    let text = |size: u64| {
        format!(
            r#"{{"version": 1, "brokers": [{{"id": 1, "log_dirs": [
                {{"path": "/a", "total_bytes": {total}, "free_bytes": {free}}},
                {{"path": "/b", "total_bytes": {total}, "free_bytes": {total}}}]}}],
              "topics": [{{"name": "t", "config": {{"retention.ms": "2592000000"}}, "partitions": [
                {{"id": 0, "replicas": [1], "size_bytes": {size}, "bytes_in_per_second": {rate},
                  "log_dirs": ["/a"]}}]}}]}}"#,
            total = 20 * gb,
            free = 20 * gb - size,
            rate = gb / day,
        )
    };
    let cluster = |size| Snapshot::from_json(text(size).as_bytes()).unwrap();
    let mut history = StorageHistory::until(13 * 24);
    for past in 0..14 {
        history.see(past * 24, &cluster((u64::try_from(past).unwrap() + 1) * gb));
    }
    let now = cluster(14 * gb);
    let forecast = history.forecast(&now);
    let disks = forecast.disks();
    let of = |path: &str| disks.iter().find(|disk| disk.paths == [path]).unwrap();
    assert!(matches!(of("/a").full, Some(6 | 7)), "{disks:?}");
    assert_eq!((of("/b").full, of("/b").used), (None, Bytes(0)));
    assert_eq!(forecast.assumed_retention, 0);
    let soon = forecast.cluster_in(3).unwrap();
    let size = soon.topics()[0].partitions[0].size.unwrap().0;
    assert!(size.abs_diff(17 * gb) < gb / 10, "{size}");
    let dirs: Vec<&LogDir> = soon.brokers()[0].log_dirs.iter().collect();
    assert!(dirs[0].free.unwrap().0.abs_diff(3 * gb) < gb / 10, "{dirs:?}");
    assert_eq!(dirs[1].free, Some(Bytes(20 * gb)));
}

#[test]
fn what_keeps_data_and_for_how_long() {
    let of = |pairs: &[(&str, &str)]| {
        let config = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        retention(&Topic { config: config.collect(), ..Topic::default() })
    };
    assert_eq!(of(&[]), (Retention::Days(7.0), true));
    assert_eq!(of(&[("retention.ms", "86400000")]), (Retention::Days(1.0), false));
    assert_eq!(of(&[("retention.ms", "-1")]), (Retention::Unlimited, false));
    assert_eq!(of(&[("cleanup.policy", "compact")]), (Retention::Unlimited, false));
    let tiered = ("remote.storage.enable", "true");
    let days = |local| of(&[tiered, ("retention.ms", "864000000"), ("local.retention.ms", local)]);
    assert_eq!(days("86400000"), (Retention::Days(1.0), false));
    assert_eq!(days("-2"), (Retention::Days(10.0), false));
}
