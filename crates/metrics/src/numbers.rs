//! The numbers that backends look for, and their conversion to [`BrokerMetrics`].

use crate::measured::{BrokerMetrics, Reading};
use mapper::{Bytes, Rate, Ratio, joined};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number whose place an operator can configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// All bytes per second that the broker sends.
    Tx,
    /// All bytes per second that it receives.
    Rx,
    /// Bytes per second that it sends to clients. Added to `replication-out` if `tx` itself is unknown.
    ClientOut,
    /// Bytes per second that it receives from clients. Added to `replication-in` if `rx` itself is unknown.
    ClientIn,
    /// Bytes per second that it sends to followers.
    ReplicationOut,
    /// Bytes per second that it fetches from leaders.
    ReplicationIn,
    /// The 99th percentile of produce request times in milliseconds (Kafka's `TotalTimeMs`).
    P99ProduceMs,
    /// The 99th percentile of consumers' fetch request times in milliseconds.
    P99FetchMs,
    /// The idle share of the request handlers' time, 0 to 1.
    RequestHandlerIdle,
    /// The cores that the broker's process takes.
    Cpu,
    /// The cores that it may take.
    CpuTotal,
    /// Free bytes on the data volumes.
    StorageFree,
    /// Total bytes of the data volumes.
    StorageTotal,
    /// The size of one partition in bytes, with its topic and partition.
    PartitionSize,
    /// Bytes per second that it sends to consumers of one topic, with its topic.
    TopicOut,
}

impl Number {
    /// Every number.
    pub const ALL: [Self; 15] = [
        Self::Tx,
        Self::Rx,
        Self::ClientOut,
        Self::ClientIn,
        Self::ReplicationOut,
        Self::ReplicationIn,
        Self::P99ProduceMs,
        Self::P99FetchMs,
        Self::RequestHandlerIdle,
        Self::Cpu,
        Self::CpuTotal,
        Self::StorageFree,
        Self::StorageTotal,
        Self::PartitionSize,
        Self::TopicOut,
    ];

    /// Whether it is of a whole broker, and not of what the broker holds.
    pub(crate) fn is_of_broker(self) -> bool {
        !matches!(self, Self::PartitionSize | Self::TopicOut)
    }

    /// As written in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tx => "tx",
            Self::Rx => "rx",
            Self::ClientOut => "client-out",
            Self::ClientIn => "client-in",
            Self::ReplicationOut => "replication-out",
            Self::ReplicationIn => "replication-in",
            Self::P99ProduceMs => "p99-produce-ms",
            Self::P99FetchMs => "p99-fetch-ms",
            Self::RequestHandlerIdle => "request-handler-idle",
            Self::Cpu => "cpu",
            Self::CpuTotal => "cpu-total",
            Self::StorageFree => "storage-free",
            Self::StorageTotal => "storage-total",
            Self::PartitionSize => "partition-size",
            Self::TopicOut => "topic-out",
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|number| number.as_str() == text.trim()).ok_or_else(|| {
            format!("{:?} is no number that is looked for: {}", text.trim(), joined(Self::ALL))
        })
    }
}

/// Parses `NUMBER=TEXT`, the form in which flags configure a number.
pub(crate) fn named(text: &str) -> Result<(Number, &str), String> {
    let (name, what) = text.split_once('=').ok_or("write NUMBER=WHERE")?;
    Ok((name.parse()?, what.trim()))
}

/// The numbers that were found for one broker.
pub(crate) type FoundNumbers = BTreeMap<Number, Reading<f64>>;

impl BrokerMetrics {
    /// Converts to typed numbers. An impossible value (NaN for a percentile of no requests) is absent.
    pub(crate) fn of(found: &FoundNumbers) -> Self {
        let get = |number| found.get(&number).copied();
        let rate = |number| typed(get(number), Rate::from_f64);
        let bytes = |number| typed(get(number), |value| Rate::from_f64(value).map(|b| Bytes(b.0)));
        let nanocores =
            |number| typed(get(number), |cores| Rate::from_f64(cores * 1e9).map(|n| n.0));
        let milliseconds =
            |number| typed(get(number), |ms| Duration::try_from_secs_f64(ms / 1e3).ok());
        let (replication_out, replication_in) =
            (rate(Number::ReplicationOut), rate(Number::ReplicationIn));
        Self {
            tx: rate(Number::Tx).or_else(|| sum(rate(Number::ClientOut), replication_out)),
            rx: rate(Number::Rx).or_else(|| sum(rate(Number::ClientIn), replication_in)),
            client_out: rate(Number::ClientOut),
            replication_out,
            replication_in,
            p99_produce: milliseconds(Number::P99ProduceMs),
            p99_fetch: milliseconds(Number::P99FetchMs),
            request_handler_idle: typed(get(Number::RequestHandlerIdle), idle),
            cpu_nanocores: nanocores(Number::Cpu),
            cpu_total_nanocores: nanocores(Number::CpuTotal),
            storage_free: bytes(Number::StorageFree),
            storage_total: bytes(Number::StorageTotal),
            instance_type: None,
        }
    }

    /// Whether no number is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn typed<T>(reading: Option<Reading<f64>>, with: impl Fn(f64) -> Option<T>) -> Option<Reading<T>> {
    let Reading { value, age } = reading?;
    with(value).map(|value| Reading { value, age })
}

/// Kafka's meter of idle time can exceed 1 by a little.
fn idle(value: f64) -> Option<Ratio> {
    (0.0..=1.5).contains(&value).then(|| Ratio::from_f64(value.min(1.0))).flatten()
}

/// The sum, or `None` if one part is missing: a part of the traffic must not pass for all of it.
fn sum(one: Option<Reading<Rate>>, other: Option<Reading<Rate>>) -> Option<Reading<Rate>> {
    let (one, other) = one.zip(other)?;
    let value = Rate(one.value.0.saturating_add(other.value.0));
    Some(Reading { value, age: one.age.max(other.age) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<const N: usize>(numbers: [(Number, f64); N]) -> BrokerMetrics {
        let readings = numbers.map(|(number, value)| (number, Reading::now(value)));
        BrokerMetrics::of(&BTreeMap::from(readings))
    }

    #[test]
    fn traffic_is_clients_and_replication_only_where_both_are_known() {
        let both = found([(Number::ClientOut, 5.0), (Number::ReplicationOut, 7.0)]);
        assert_eq!(both.tx, Some(Reading::now(Rate(12))));
        assert_eq!(found([(Number::ClientOut, 5.0)]).tx, None);
        let measured =
            found([(Number::Tx, 20.0), (Number::ClientOut, 5.0), (Number::ReplicationOut, 7.0)]);
        assert_eq!(measured.tx, Some(Reading::now(Rate(20))));
    }

    #[test]
    fn what_no_such_number_can_be_is_absent() {
        let odd = [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, -1.0];
        for value in odd {
            let all = found(Number::ALL.map(|number| (number, value)));
            assert!(all.is_empty(), "{value}: {all:?}");
        }
        assert!(found([(Number::RequestHandlerIdle, 97.0)]).is_empty());
    }

    #[test]
    fn units_are_those_of_the_types() {
        let all = found([
            (Number::P99ProduceMs, 12.5),
            (Number::RequestHandlerIdle, 1.0003),
            (Number::StorageFree, 3.8e12),
        ]);
        assert_eq!(all.p99_produce.unwrap().value, Duration::from_micros(12_500));
        assert_eq!(all.request_handler_idle.unwrap().value, Ratio::ONE);
        assert_eq!(all.storage_free.unwrap().value, Bytes(3_800_000_000_000));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for number in Number::ALL {
            assert_eq!(number.as_str().parse(), Ok(number));
        }
        assert!("txx".parse::<Number>().unwrap_err().contains("tx, rx, client-out"));
    }
}
