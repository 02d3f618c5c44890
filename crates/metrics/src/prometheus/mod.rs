//! The HTTP API of Prometheus, and of systems with the same API: Thanos, Mimir, VictoriaMetrics.
//!
//! It sends one instant query for each number, for all brokers at once. If a query fails, only its number is missing.

mod settings;
mod wire;

pub use settings::{PrometheusSettings, QueryFor};

use crate::answers::Answers;
use crate::base_url::below;
use crate::error::MetricsError;
use crate::http::{self, Http};
use crate::http_settings::{BadSettings, HttpSettings};
use crate::measured::{
    self, BrokerAddress, Consumed, Measured, MetricsSource, PartitionSizes, Reading, Sized,
};
use crate::numbers::Number;
use crate::secret::Shows;
use mapper::{BrokerId, Rate, joined};
use reqwest::Url;
use reqwest::header::AUTHORIZATION;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use wire::Series;

/// The largest accepted answer, in bytes. One about a thousand brokers takes a few hundred kilobytes.
const MOST_BYTES: usize = 16 << 20;
/// The limit for an answer with sizes, which has a series for each partition. A million take about 150 MB.
const MOST_BYTES_OF_SIZES: usize = 256 << 20;

/// A client of one Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    settings: PrometheusSettings,
    queries: BTreeMap<Number, String>,
    http: Http,
}

impl Prometheus {
    pub(crate) fn new(
        settings: PrometheusSettings,
        http: &HttpSettings,
    ) -> Result<Self, BadSettings> {
        let shows = |token| Shows {
            name: AUTHORIZATION,
            before: "Bearer ",
            flag: "--prometheus-token-file",
            secret: token,
        };
        let http = Http::new(http, settings.token.clone().map(shows).into_iter().collect())?;
        Ok(Self { queries: settings.queries(), settings, http })
    }

    pub(crate) async fn fetch(&self, brokers: &[BrokerAddress]) -> Measured {
        let numbers = self.queries.keys().filter(|number| number.is_of_broker());
        let asked = numbers.map(|number| async { (*number, self.ask(*number, MOST_BYTES).await) });
        let mut round = PrometheusRound::new(brokers, &self.settings.label);
        for (number, answer) in futures::future::join_all(asked).await {
            match answer {
                Ok(series) => round.take(number, &series),
                Err(error) => round.answers.failed.push((number, error)),
            }
        }
        round.end(&http::shown(&self.settings.url))
    }

    /// The size of each partition, from its query.
    pub(crate) async fn sizes(&self) -> Sized {
        let (mut sizes, mut notices) = (PartitionSizes::new(), Vec::new());
        match self.ask(Number::PartitionSize, MOST_BYTES_OF_SIZES).await {
            Ok(all) => all.iter().for_each(|series| put_size(series, &mut sizes)),
            Err(error) => notices.push(format!("partition-size: {error}")),
        }
        Sized { source: MetricsSource::Prometheus, sizes, notices }
    }

    /// What consumers read of each topic, from its query.
    pub(crate) async fn consumed(&self, brokers: &[BrokerAddress]) -> Consumed {
        let mut consumed = Consumed::default();
        let mut round = PrometheusRound::new(brokers, &self.settings.label);
        match self.ask(Number::TopicOut, MOST_BYTES_OF_SIZES).await {
            Ok(all) => {
                for series in &all {
                    let (id, topic) =
                        (round.broker(series.label(round.label)), series.label("topic"));
                    let rate = Rate::from_f64(series.value).filter(|_| !topic.is_empty());
                    if let Some((id, rate)) = id.zip(rate) {
                        consumed.rates.entry(id).or_default().insert(topic.to_owned(), rate);
                    }
                }
            }
            Err(error) => consumed.notices.push(format!("topic-out: {error}")),
        }
        consumed
    }

    /// The answer to the query for a number. Empty if it has no query.
    async fn ask(&self, number: Number, most_bytes: usize) -> Result<Vec<Series>, MetricsError> {
        let Some(query) = self.queries.get(&number) else {
            return Ok(Vec::new());
        };
        let url = self.url(query);
        let shown = http::shown(&url);
        let malformed = |problem: String| MetricsError::Malformed {
            url: shown.clone(),
            problem: self.http.fit(&problem),
        };
        let body = self.http.get_patiently(url, most_bytes).await?;
        wire::series(&body).map_err(malformed)
    }

    fn url(&self, query: &str) -> Url {
        let mut url = below(&self.settings.url, "api/v1/query");
        url.query_pairs_mut().append_pair("query", query);
        url
    }
}

fn put_size(series: &Series, sizes: &mut PartitionSizes) {
    let partition = Some(series.label("partition"));
    measured::put_size(sizes, series.label("topic"), partition, Some(series.value));
}

/// The answers of one round, while they are collected.
struct PrometheusRound<'a> {
    brokers: &'a [BrokerAddress],
    label: &'a str,
    now: SystemTime,
    ids: BTreeSet<BrokerId>,
    /// The brokers on each host. A host with several brokers identifies none of them.
    hosts: BTreeMap<String, Vec<BrokerId>>,
    answers: Answers,
    /// Label values that match no requested broker, with one example for the message.
    strange: Option<String>,
}

impl<'a> PrometheusRound<'a> {
    fn new(brokers: &'a [BrokerAddress], label: &'a str) -> Self {
        let mut hosts: BTreeMap<String, Vec<BrokerId>> = BTreeMap::new();
        for (id, host) in brokers.iter().filter_map(|b| Some((b.id, b.host.as_ref()?))) {
            hosts.entry(host.to_ascii_lowercase()).or_default().push(id);
        }
        Self {
            brokers,
            label,
            now: SystemTime::now(),
            ids: brokers.iter().map(|broker| broker.id).collect(),
            hosts,
            answers: Answers::default(),
            strange: None,
        }
    }

    fn take(&mut self, number: Number, all: &[Series]) {
        let mut twice = BTreeSet::new();
        for series in all {
            let Some(id) = self.broker(series.label(self.label)) else {
                continue;
            };
            let age = series.at.and_then(|at| self.now.duration_since(at).ok()).unwrap_or_default();
            let reading = Reading { value: series.value, age };
            if self.answers.found.entry(id).or_default().insert(number, reading).is_some() {
                twice.insert(id);
            }
        }
        // It is unknown which of the two is right, and their sum may count the same bytes twice.
        for id in twice {
            self.answers.found.entry(id).or_default().remove(&number);
            self.answers.notices.insert(format!(
                "broker {id}: {number} has several series with the same {}; its query is to sum by ({0})",
                self.label
            ));
        }
    }

    /// The broker that a label's value means, by its id or by its host.
    fn broker(&mut self, value: &str) -> Option<BrokerId> {
        if let Some(id) = value.parse().ok().filter(|id| self.ids.contains(id)) {
            return Some(id);
        }
        let lower = value.to_ascii_lowercase();
        let host = host_of(&lower);
        match self.hosts.get(host).map(Vec::as_slice) {
            Some([id]) => Some(*id),
            Some(several) => {
                let text = format!(
                    "{}={value:?} may be any of brokers {}: name a label that holds the id with --prometheus-label",
                    self.label,
                    joined(several)
                );
                self.answers.notices.insert(text);
                None
            }
            None => {
                self.strange.get_or_insert_with(|| value.to_owned());
                None
            }
        }
    }

    fn end(self, url: &str) -> Measured {
        let absent = MetricsError::NotThere { url: url.to_owned(), problem: self.looked_for() };
        self.answers.measured(MetricsSource::Prometheus, self.brokers, absent)
    }

    fn looked_for(&self) -> String {
        match &self.strange {
            Some(value) => format!(
                "no series whose label {} is its id or its host; one is {value:?}",
                self.label
            ),
            None => format!("no series with a label {}", self.label),
        }
    }
}

/// Removes the port from `10.0.0.1:9404`, `[fe80::1]:9404` and `kafka-1`.
fn host_of(instance: &str) -> &str {
    if let Some(rest) = instance.strip_prefix('[') {
        return rest.split_once(']').map_or(instance, |(host, _)| host);
    }
    match instance.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => instance,
    }
}

/// The default window. The query looks back from now, so the age of an average is unknown.
pub(crate) const DEFAULT_WINDOW: Duration = Duration::from_secs(120);

/// The number of series in an answer that can be read completely.
#[cfg(test)]
pub(crate) fn read(body: &[u8]) -> Result<usize, String> {
    let mut sizes = PartitionSizes::new();
    wire::series(body).map(|all| all.iter().map(|series| put_size(series, &mut sizes)).count())
}
