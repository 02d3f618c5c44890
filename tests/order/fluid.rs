//! A fluid model of replication: copies share the ports of their brokers evenly, as Kafka's fetches do.

use execute::CopyPort;
use mapper::{BrokerId, Bytes, TopicPartition};
use std::collections::BTreeMap;

/// One copy in flight.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) source: BrokerId,
    pub(crate) to: BrokerId,
    pub(crate) all: Bytes,
    /// The bytes that have not arrived.
    pub(crate) left: f64,
}

impl Stream {
    pub(crate) fn arrived(&self) -> Bytes {
        Bytes(self.all.0.saturating_sub(self.left.ceil() as u64))
    }
}

/// All copies in flight.
#[derive(Debug, Default)]
pub(crate) struct Fluid {
    pub(crate) streams: BTreeMap<(TopicPartition, BrokerId), Stream>,
}

/// Copies that end within this share of a look end at rates that are not computed anew.
const SLICES: f64 = 8.0;

impl Fluid {
    /// Copies for this many seconds at this rate of each port. Returns what has arrived, and when.
    pub(crate) fn flow(
        &mut self,
        from: f64,
        seconds: f64,
        rate: f64,
    ) -> Vec<(TopicPartition, f64)> {
        let (mut now, until, mut ended) = (from, from + seconds, Vec::new());
        while until - now > 1e-9 && !self.streams.is_empty() {
            let rates = self.rates(rate);
            let first = self.streams.iter().filter_map(|(key, stream)| {
                let rate = rates.get(key).copied().unwrap_or_default();
                (rate > 0.0).then_some(stream.left / rate)
            });
            let step = first.fold(until - now, f64::min).max(seconds / SLICES).min(until - now);
            self.streams.retain(|key, stream| {
                let rate = rates.get(key).copied().unwrap_or_default();
                let lasts = if rate > 0.0 { stream.left / rate } else { f64::INFINITY };
                stream.left -= rate * step;
                if lasts <= step + 1e-9 {
                    ended.push((key.0.clone(), now + lasts));
                }
                lasts > step + 1e-9
            });
            now += step;
        }
        ended
    }

    /// Max-min fair: the most shared port is divided first.
    fn rates(&self, rate: f64) -> BTreeMap<(TopicPartition, BrokerId), f64> {
        let streams: Vec<_> = self.streams.iter().collect();
        let mut ports: BTreeMap<CopyPort, (f64, Vec<usize>)> = BTreeMap::new();
        for (at, (_, stream)) in streams.iter().enumerate() {
            for port in [CopyPort::Out(stream.source), CopyPort::In(stream.to)] {
                ports.entry(port).or_insert((rate, Vec::new())).1.push(at);
            }
        }
        let mut found: Vec<Option<f64>> = vec![None; streams.len()];
        while !ports.is_empty() {
            let share = |(free, streams): &(f64, Vec<usize>)| free / streams.len() as f64;
            let least = ports.iter().min_by(|a, b| share(a.1).total_cmp(&share(b.1)));
            let Some((port, each)) = least.map(|(port, load)| (*port, share(load))) else { break };
            let (_, full) = ports.remove(&port).unwrap();
            full.iter().for_each(|at| found[*at] = Some(each.max(0.0)));
            let changed = full.iter().flat_map(|at| {
                let stream = streams[*at].1;
                [CopyPort::Out(stream.source), CopyPort::In(stream.to)]
            });
            for port in changed {
                let Some((free, left)) = ports.get_mut(&port) else { continue };
                let gone = left.iter().filter(|at| found[**at].is_some()).count();
                if gone == 0 {
                    continue;
                }
                *free = (*free - each * gone as f64).max(0.0);
                left.retain(|at| found[*at].is_none());
                if left.is_empty() {
                    ports.remove(&port);
                }
            }
        }
        let rates = streams.iter().zip(found).map(|((key, _), rate)| ((*key).clone(), rate));
        rates.map(|(key, rate)| (key, rate.unwrap_or_default())).collect()
    }
}
