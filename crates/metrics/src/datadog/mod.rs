//! Datadog's HTTP API, version 1: queries of metrics, tags of hosts, events.
//!
//! The tags of a series, or the tags of its host, contain the broker id. The last point with a value counts; a series
//! without one is absent. Bytes are bytes: nothing is divided by 1,024.

mod events;
mod settings;
mod tags;
mod wire;

pub use events::{Event, Events, EventsFull};
pub use settings::{DatadogKeys, DatadogQuery, DatadogSettings};

use crate::answers::Answers;
use crate::base_url::below;
use crate::error::MetricsError;
use crate::http::{self, Http};
use crate::http_settings::{BadSettings, HttpSettings};
use crate::measured::{
    self, BrokerAddress, Measured, MetricsSource, PartitionSizes, Reading, Sized,
};
use crate::numbers::Number;
use mapper::{BrokerId, few};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tags::{HostFacts, HostTags};
use wire::DatadogSeries;

const MOST_BYTES: usize = 16 << 20;
/// The limit for an answer with sizes, which has a series for each partition.
const MOST_BYTES_OF_SIZES: usize = 256 << 20;
/// How many hosts a notice names.
const NAMED: usize = 5;

/// A client of one Datadog site.
#[derive(Debug)]
pub(crate) struct Datadog {
    settings: DatadogSettings,
    http: Http,
    tags: HostTags,
}

impl Datadog {
    pub(crate) fn new(settings: DatadogSettings, http: &HttpSettings) -> Result<Self, BadSettings> {
        let http = settings.http(http)?;
        Ok(Self { settings, http, tags: HostTags::default() })
    }

    /// Checks whether Datadog accepts the API key.
    pub(crate) async fn validate(&self) -> Result<(), MetricsError> {
        let url = below(&self.settings.url, "api/v1/validate");
        self.http.get_patiently(url, 1 << 16).await.map(drop)
    }

    pub(crate) async fn fetch(&mut self, brokers: &[BrokerAddress]) -> Measured {
        let now = SystemTime::now();
        let numbers = self.settings.queries().into_iter();
        let asked: Vec<_> = numbers.filter(|(of, _)| of.is_of_broker()).collect();
        let answers = asked.iter().map(|(number, query)| async {
            (*number, self.ask(query, self.settings.window, now, MOST_BYTES).await)
        });
        let answers = futures::future::join_all(answers).await;
        let mut round = DatadogRound::new(brokers, now, self.settings.window);
        let mut series = Vec::new();
        for (number, answer) in answers {
            match answer {
                Ok(all) => series.extend(all.into_iter().map(|one| (number, one))),
                Err(error) => round.answers.failed.push((number, error)),
            }
        }
        let hosts = series.iter().filter(|(_, one)| self.id_of(one).is_none());
        let hosts: BTreeSet<&str> = hosts.filter_map(|(_, one)| one.tag("host")).collect();
        let known = self.tags.of(&self.http, &self.settings, &hosts).await;
        for (number, one) in &series {
            let host = one.tag("host").unwrap_or_default();
            let id = self.id_of(one).or_else(|| known.get(host)?.as_ref().ok()?.id);
            match id {
                Some(id) => round.take(id, *number, one, host),
                None => round.homeless(host, known.get(host)),
            }
        }
        round.end(&known, &self.settings)
    }

    /// The size of each partition, from its query.
    pub(crate) async fn sizes(&self) -> Sized {
        let (mut sizes, mut notices) = (PartitionSizes::new(), Vec::new());
        if let Some(query) = self.settings.queries().remove(&Number::PartitionSize) {
            let span = self.settings.span;
            match self.ask(&query, span, SystemTime::now(), MOST_BYTES_OF_SIZES).await {
                Ok(all) => all.iter().for_each(|series| put_size(series, &mut sizes)),
                Err(error) => notices.push(format!("partition-size: {error}")),
            }
        }
        Sized { source: MetricsSource::Datadog, sizes, notices }
    }

    fn id_of(&self, series: &DatadogSeries) -> Option<BrokerId> {
        series.tag(&self.settings.broker_id_tag)?.parse().ok()
    }

    /// Requests twice the window, because the newest points may come late.
    async fn ask(
        &self,
        query: &str,
        window: Duration,
        now: SystemTime,
        most_bytes: usize,
    ) -> Result<Vec<DatadogSeries>, MetricsError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let from = now.saturating_sub(window * 2);
        let mut url = below(&self.settings.url, "api/v1/query");
        url.query_pairs_mut()
            .append_pair("from", &from.as_secs().to_string())
            .append_pair("to", &now.as_secs().to_string())
            .append_pair("query", query);
        let shown = http::shown(&url);
        let body = self.http.get_patiently(url, most_bytes).await?;
        wire::series(&body).map_err(|problem| MetricsError::Malformed {
            url: shown,
            problem: self.http.fit(&problem),
        })
    }
}

fn put_size(series: &DatadogSeries, sizes: &mut PartitionSizes) {
    let topic = match series.tag("topic").unwrap_or_default() {
        // Datadog's tags cannot begin with two underscores.
        "_consumer_offsets" => "__consumer_offsets",
        topic => topic,
    };
    let bytes = series.last().map(|(_, value)| value);
    measured::put_size(sizes, topic, series.tag("partition"), bytes);
}

/// The answers of one round, while they are collected.
struct DatadogRound<'a> {
    brokers: &'a [BrokerAddress],
    now: SystemTime,
    window: Duration,
    answers: Answers,
    /// The host whose value counts for each broker. After a replacement, two hosts may have the broker's id.
    hosts: BTreeMap<(BrokerId, Number), String>,
    homeless: BTreeSet<String>,
}

impl<'a> DatadogRound<'a> {
    fn new(brokers: &'a [BrokerAddress], now: SystemTime, window: Duration) -> Self {
        Self {
            brokers,
            now,
            window,
            answers: Answers::default(),
            hosts: BTreeMap::new(),
            homeless: BTreeSet::new(),
        }
    }

    /// If two hosts claim the same broker, the one with the newer point counts.
    fn take(&mut self, id: BrokerId, number: Number, series: &DatadogSeries, host: &str) {
        let Some((at, value)) = series.last() else {
            return;
        };
        // A point's time is the start of the span that it averages.
        let span = if number == Number::StorageFree { Duration::ZERO } else { self.window };
        let end = at + span;
        let age = self.now.duration_since(end).unwrap_or_default();
        if age > self.window * 2 {
            return; // older than the requested span
        }
        let found = self.answers.found.entry(id).or_default();
        if let Some(other) = found.get(&number) {
            let first = self.hosts.get(&(id, number)).map_or("", String::as_str);
            let (low, high) = if first < host { (first, host) } else { (host, first) };
            let text = format!("hosts {low} and {high} both say that they are broker {id}");
            self.answers.notices.insert(text);
            if (other.age, first) <= (age, host) {
                return;
            }
        }
        found.insert(number, Reading { value, age });
        self.hosts.insert((id, number), host.to_owned());
    }

    fn homeless(&mut self, host: &str, tags: Option<&Result<HostFacts, MetricsError>>) {
        match tags {
            Some(Err(error)) => self.answers.notices.insert(format!("host {host}: {error}")),
            _ => self.homeless.insert(if host.is_empty() { "(none)" } else { host }.to_owned()),
        };
    }

    fn end(
        mut self,
        known: &BTreeMap<String, Result<HostFacts, MetricsError>>,
        settings: &DatadogSettings,
    ) -> Measured {
        if !self.homeless.is_empty() {
            let hosts = few(&self.homeless, NAMED);
            let text = format!("no tag {} on hosts {hosts}", settings.broker_id_tag);
            self.answers.notices.insert(text);
        }
        let url = http::shown(&below(&settings.url, "api/v1/query"));
        let problem =
            format!("no series with a tag {}:ID, nor on its host", settings.broker_id_tag);
        let absent = MetricsError::NotThere { url, problem };
        let mut measured = self.answers.measured(MetricsSource::Datadog, self.brokers, absent);
        let types: BTreeMap<BrokerId, String> = known
            .values()
            .filter_map(|tags| tags.as_ref().ok())
            .filter_map(|tags| Some((tags.id?, tags.instance_type.clone()?)))
            .collect();
        for (id, answer) in &mut measured.brokers {
            if let Ok(metrics) = answer {
                metrics.instance_type = types.get(id).cloned();
            }
        }
        measured
    }
}

/// The number of series in an answer that can be read completely.
#[cfg(test)]
pub(crate) fn read(body: &[u8]) -> Result<usize, String> {
    let mut sizes = PartitionSizes::new();
    wire::series(body).map(|all| all.iter().map(|series| put_size(series, &mut sizes)).count())
}
