//! What brokers' CPU is spent on, by a model that is fitted to measured brokers.
//!
//! Kafka and the kernel tell the CPU of a whole broker. [`CpuModel`] splits it: an idle broker takes some, and each byte, each
//! record and each replica adds some. In: rates of partitions, and the measured CPU of brokers. Out: these four costs, by
//! least squares, none below zero (Lawson and Hanson 1974, chapter 23).
//!
//! A model of four costs can follow any four brokers. So its error is that of brokers that it was not fitted to: each
//! broker is predicted once by the others.

use crate::bytes::Ratio;
use crate::cpu_model::CpuModel;
use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::{BrokerId, TopicPartition};
use crate::snapshot::{Leader, Partition, Snapshot};
use crate::traffic;
use std::collections::BTreeMap;

/// Why no model was fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCpuModel {
    /// A broker cannot be predicted by fewer than two others.
    #[error("the CPU of {0} of the brokers is known, and {LEAST_BROKERS} are the least")]
    FewBrokers(usize),
    /// Rates are needed for every partition.
    #[error("the traffic of {0} is unknown: measure it (--rates 60s)")]
    NoRate(TopicPartition),
    /// No cost but that of an idle broker was found.
    #[error("brokers with more traffic and replicas do not take more CPU")]
    NothingCosts,
}

const LEAST_BROKERS: usize = 3;

impl CpuModel {
    /// Fits a model. `measured`: the CPU of brokers in nanocores, over the time of the snapshot's rates.
    ///
    /// # Errors
    /// [`NoCpuModel`]: too little is known, or CPU does not depend on what is known.
    pub fn fit(
        snapshot: &Snapshot,
        measured: &BTreeMap<BrokerId, u64>,
    ) -> Result<Self, NoCpuModel> {
        let all = causes(&DenseCluster::new(snapshot))?;
        #[expect(clippy::cast_precision_loss, reason = "a hundred cores are 10^11")]
        let sample = |(id, cpu): (&BrokerId, &u64)| {
            Some(MeasuredBroker { causes: *all.get(id)?, cpu: *cpu as f64 })
        };
        let samples: Vec<MeasuredBroker> = measured.iter().filter_map(sample).collect();
        if samples.len() < LEAST_BROKERS {
            return Err(NoCpuModel::FewBrokers(samples.len()));
        }
        let mut sums = NormalSums::default();
        samples.iter().for_each(|sample| sums.add(sample, 1.0));
        let [idle, byte, record, replica] = sums.costs();
        let model = Self {
            idle_nanocores: whole(idle),
            picoseconds_per_byte: whole(byte * 1e3),
            nanoseconds_per_record: whole(record),
            nanocores_per_replica: whole(replica),
            brokers: samples.len(),
            error: sums.error(&samples),
        };
        let costs =
            [model.picoseconds_per_byte, model.nanoseconds_per_record, model.nanocores_per_replica];
        if costs == [0; 3] { Err(NoCpuModel::NothingCosts) } else { Ok(model) }
    }
}

/// The whole number next to a cost.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no cost is below zero"
)]
fn whole(cost: f64) -> u64 {
    cost.round() as u64
}

/// The number of costs.
const COSTS: usize = 4;

/// One for an idle broker, and what it does in each second: bytes, records, replicas.
type Causes = [f64; COSTS];

/// What each known broker does. Leaders do what the leader does, unlike in plans, which look ahead.
#[expect(clippy::cast_precision_loss, reason = "no broker does 2^53 of anything in a second")]
fn causes(cluster: &DenseCluster<'_>) -> Result<BTreeMap<BrokerId, Causes>, NoCpuModel> {
    let mut all = vec![[1.0, 0.0, 0.0, 0.0]; cluster.ids.len()];
    for (index, partition) in cluster.partitions() {
        let (facts, seats) = (partition.facts.as_deref(), cluster.seats_of(index));
        let (bytes_in, bytes_out) = facts
            .and_then(|facts| facts.bytes_in.zip(traffic::to_consumers(cluster, facts)))
            .ok_or_else(|| NoCpuModel::NoRate(cluster.name(index)))?;
        // Without records, their column is zero, and the bytes stand for them.
        let records = facts.and_then(|facts| facts.records_in).unwrap_or(0);
        let leader = led_by(cluster, partition).or(seats.first().copied());
        for seat in seats {
            let [_, bytes, all_records, replicas] = &mut all[*seat as usize];
            *replicas += 1.0;
            *bytes += bytes_in as f64;
            if leader == Some(*seat) {
                let followers = seats.len().saturating_sub(1);
                *bytes += bytes_out as f64 + bytes_in as f64 * followers as f64;
                *all_records += records as f64;
            }
        }
    }
    Ok(cluster.ids.iter().copied().zip(all).collect())
}

fn led_by(cluster: &DenseCluster<'_>, partition: &Partition) -> Option<BrokerIx> {
    match partition.leader() {
        Leader::Broker(id) => cluster.index_of(id),
        Leader::None | Leader::Unknown => None,
    }
}

/// A measured broker.
struct MeasuredBroker {
    causes: Causes,
    cpu: f64,
}

/// The sums of the normal equations.
#[derive(Clone, Default)]
struct NormalSums {
    /// Of each pair of causes.
    pairs: [Causes; COSTS],
    /// Of each cause and the CPU.
    with_cpu: Causes,
    of_cpu: f64,
    samples: f64,
}

/// A pivot below this part of its scale is zero but for rounding.
const ZERO: f64 = 1e-9;

impl NormalSums {
    fn add(&mut self, sample: &MeasuredBroker, sign: f64) {
        for (one, cause) in sample.causes.iter().enumerate() {
            for (other, with) in sample.causes.iter().enumerate() {
                self.pairs[one][other] += sign * cause * with;
            }
            self.with_cpu[one] += sign * cause * sample.cpu;
        }
        self.of_cpu += sign * sample.cpu;
        self.samples += sign;
    }

    /// The costs with the least squared error, none below zero. With four costs, each choice of those that are not zero can
    /// be tried. Of equal choices, the first counts.
    fn costs(&self) -> Causes {
        let mut best = (0.0, Causes::default());
        for chosen in 1_u32..1 << COSTS {
            let chosen: Vec<usize> = (0..COSTS).filter(|at| chosen & (1 << at) != 0).collect();
            let Some(costs) = self.solve(&chosen).filter(|all| all.iter().all(|cost| *cost >= 0.0))
            else {
                continue;
            };
            // What the costs explain. At the least error, this is the sum of squares less the error.
            let explained: f64 =
                costs.iter().zip(self.with_cpu).map(|(cost, sum)| cost * sum).sum();
            if explained > best.0 * (1.0 + ZERO) {
                best = (explained, costs);
            }
        }
        best.1
    }

    /// The costs if only these are not zero, by elimination; `None` if one of them is a sum of others.
    fn solve(&self, chosen: &[usize]) -> Option<Causes> {
        // Each cause in parts of its own length: bytes are a million times as many as replicas.
        let length = |at: usize| self.pairs[at][at].sqrt();
        let row = |one: &usize| -> Vec<f64> {
            let pairs = chosen.iter().map(|other| self.pairs[*one][*other] / length(*other));
            pairs.chain([self.with_cpu[*one]]).map(|sum| sum / length(*one)).collect()
        };
        let mut rows: Vec<Vec<f64>> = chosen.iter().map(row).collect();
        for at in 0..rows.len() {
            let pivot = rows[at][at];
            if pivot.is_nan() || pivot < ZERO {
                return None;
            }
            let divided: Vec<f64> = rows[at].iter().map(|sum| sum / pivot).collect();
            for (_, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != at) {
                let times = row[at];
                row.iter_mut().zip(&divided).for_each(|(sum, own)| *sum -= times * own);
            }
            rows[at] = divided;
        }
        let mut costs = Causes::default();
        for (at, row) in chosen.iter().zip(&rows) {
            costs[*at] = row.last()? / length(*at);
        }
        Some(costs)
    }

    /// The error of brokers that are predicted by the others.
    fn error(&self, samples: &[MeasuredBroker]) -> Ratio {
        let square = |sample: &MeasuredBroker| {
            let mut others = self.clone();
            others.add(sample, -1.0);
            let predicted: f64 =
                others.costs().iter().zip(sample.causes).map(|(cost, cause)| cost * cause).sum();
            (predicted - sample.cpu).powi(2)
        };
        let mean_square = samples.iter().map(square).sum::<f64>() / self.samples;
        let mean = self.of_cpu / self.samples;
        Ratio::from_f64(mean_square.sqrt() / mean).unwrap_or(Ratio::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Brokers with one partition each. Each is followed by the next broker.
    fn cluster(rates: &[(u64, u64)]) -> Snapshot {
        let (brokers, all) = (rates.len(), rates.iter().enumerate());
        let partition = |(id, (bytes, records)): (usize, &(u64, u64))| {
            format!(
                r#"{{"id": {id}, "replicas": [{}, {}], "bytes_in_per_second": {bytes}, "records_in_per_second": {records}}}"#,
                id + 1,
                (id + 1) % brokers + 1
            )
        };
        let brokers: Vec<String> = (1..=brokers).map(|id| format!(r#"{{"id": {id}}}"#)).collect();
        let partitions: Vec<String> = all.map(partition).collect();
        let (brokers, partitions) = (brokers.join(","), partitions.join(","));
        let text = format!(
            r#"{{"version": 1, "brokers": [{brokers}], "topics": [{{"name": "t", "partitions": [{partitions}]}}]}}"#
        );
        Snapshot::from_json(text.as_bytes()).unwrap()
    }

    fn by_broker(cpu: impl Iterator<Item = u64>) -> BTreeMap<BrokerId, u64> {
        (1..).map(BrokerId).zip(cpu).collect()
    }

    const RATES: [(u64, u64); 6] = [
        (9_000_000, 900),
        (2_000_000, 40_000),
        (0, 0),
        (30_000_000, 100),
        (700_000, 9_000),
        (11_000_000, 60_000),
    ];

    /// What the brokers of [`RATES`] take: a quarter of a core, 4 ns for each byte, and 8 microseconds for each record.
    fn cpu(of: usize) -> u64 {
        let (led, followed) = (RATES[of], RATES[(of + 5) % 6]);
        // A leader receives each byte and sends it to its follower.
        250_000_000 + 4 * (2 * led.0 + followed.0) + 8_000 * led.1
    }

    #[test]
    fn the_costs_of_brokers_are_found() {
        let model = CpuModel::fit(&cluster(&RATES), &by_broker((0..6).map(cpu))).unwrap();
        // Each broker has two replicas, so their cost cannot be told from that of an idle broker.
        let all = model.idle_nanocores + 2 * model.nanocores_per_replica;
        assert!(all.abs_diff(250_000_000) <= 2, "{model:?}");
        assert!(model.picoseconds_per_byte.abs_diff(4_000) <= 1, "{model:?}");
        assert!(model.nanoseconds_per_record.abs_diff(8_000) <= 1, "{model:?}");
        assert!(model.error < Ratio::from_ppm(10) && model.brokers == 6, "{model:?}");
    }

    #[test]
    fn a_broker_that_does_other_work_makes_the_error_large() {
        let other = |of: usize| cpu(of) + if of == 4 { 3_000_000_000 } else { 0 };
        let model = CpuModel::fit(&cluster(&RATES), &by_broker((0..6).map(other))).unwrap();
        assert!(!model.is_close(), "{model}");
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        let few = CpuModel::fit(&cluster(&RATES), &by_broker((0..2).map(cpu)));
        assert_eq!(few, Err(NoCpuModel::FewBrokers(2)));
        let equal = CpuModel::fit(&cluster(&RATES), &by_broker([7_000_000; 6].into_iter()));
        assert_eq!(equal, Err(NoCpuModel::NothingCosts));
        let unrated = br#"{"version": 1, "brokers": [{"id": 1}, {"id": 2}, {"id": 3}],
            "topics": [{"name": "t", "partitions": [{"id": 0, "replicas": [1]}]}]}"#;
        let unrated = Snapshot::from_json(unrated).unwrap();
        let error = CpuModel::fit(&unrated, &by_broker((0..3).map(cpu))).unwrap_err();
        assert_eq!(error.to_string(), "the traffic of t-0 is unknown: measure it (--rates 60s)");
    }

    proptest! {
        /// No other costs have a smaller squared error, as far as random ones can show.
        #[test]
        fn no_costs_fit_better(
            samples in proptest::collection::vec((0.0..1e8_f64, 0.0..1e5_f64, 0.0..5e3_f64, 0.0..1e10_f64), 3..12),
            other in (0.0..1e10_f64, 0.0..100.0_f64, 0.0..1e5_f64, 0.0..1e6_f64),
            part in 0.0..1.0_f64,
        ) {
            let sample = |s: &(f64, f64, f64, f64)| MeasuredBroker { causes: [1.0, s.0, s.1, s.2], cpu: s.3 };
            let samples: Vec<MeasuredBroker> = samples.iter().map(sample).collect();
            let mut sums = NormalSums::default();
            samples.iter().for_each(|sample| sums.add(sample, 1.0));
            let error = |costs: &Causes| -> f64 {
                let off = |sample: &MeasuredBroker| {
                    let said: f64 = costs.iter().zip(sample.causes).map(|(cost, cause)| cost * cause).sum();
                    (said - sample.cpu).powi(2)
                };
                samples.iter().map(off).sum()
            };
            let found = sums.costs();
            prop_assert!(found.iter().all(|cost| *cost >= 0.0), "{found:?}");
            let other = [other.0, other.1, other.2, other.3];
            // Far from the best, and near it.
            for part in [part, part * 1e-3] {
                let between: Causes = std::array::from_fn(|at| found[at] + (other[at] - found[at]) * part);
                prop_assert!(error(&found) <= error(&between) * (1.0 + 1e-9), "{found:?} {between:?}");
            }
        }
    }
}
