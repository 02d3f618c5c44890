//! Reads each broker's own page in the text format of Prometheus, from the JMX exporter and node exporter.
//!
//! It needs no metrics system. Rates come from the counters of two rounds, so the first round has none.

mod defaults;
mod settings;
mod shelf;

pub use settings::{ExporterSettings, ExporterUrl, MetricAt};

use crate::error::MetricsError;
use crate::exposition::{self, Sample};
use crate::http::{self, Http};
use crate::http_settings::{BadSettings, HttpSettings};
use crate::measured::{
    self, BrokerAddress, BrokerMetrics, Consumed, Measured, MetricsSource, PartitionSizes, Sized,
};
use crate::numbers::Number;
use crate::selector::Selector;
use futures::StreamExt;
use mapper::BrokerId;
use reqwest::Url;
use shelf::{BrokerSums, Shelf, Sum};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// The largest accepted page, in bytes: ten times the page of a broker with 2,500 replicas whose exporter shows every
/// bean.
const MOST_BYTES: usize = 8 << 20;
/// How many pages are requested in parallel: a thousand brokers take the time of sixteen.
const AT_ONCE: usize = 64;

/// Reads brokers' pages, and remembers the counters of the previous round.
#[derive(Debug)]
pub(crate) struct Exporter {
    settings: ExporterSettings,
    selectors: BTreeMap<Number, Vec<Selector>>,
    http: Http,
    shelves: BTreeMap<BrokerId, Shelf>,
    /// The counters of topics in the previous call of [`Self::consumed`].
    topics: BTreeMap<BrokerId, Sum>,
}

impl Exporter {
    pub(crate) fn new(
        settings: ExporterSettings,
        http: &HttpSettings,
    ) -> Result<Self, BadSettings> {
        let mut selectors = defaults::selectors();
        for at in &settings.metrics {
            selectors.insert(at.number, at.selector.iter().cloned().collect());
        }
        Ok(Self { settings, ..Self::looking_for(selectors, http)? })
    }

    /// Reads pages that have numbers under these names. The caller knows the URLs.
    pub(crate) fn looking_for(
        selectors: BTreeMap<Number, Vec<Selector>>,
        http: &HttpSettings,
    ) -> Result<Self, BadSettings> {
        // A proxy leads to other networks, not to the brokers.
        let http = HttpSettings { proxy: false, ..http.clone() };
        let http = Http::new(&http, Vec::new())?;
        let settings = ExporterSettings::default();
        Ok(Self { settings, selectors, http, shelves: BTreeMap::new(), topics: BTreeMap::new() })
    }

    pub(crate) async fn fetch(&mut self, brokers: &[BrokerAddress]) -> Measured {
        let scraped = self.scrape(brokers).await;
        let mut notices = Vec::new();
        let mut answers = BTreeMap::new();
        self.forget_all_but(brokers);
        for (id, pages) in scraped {
            let read = pages.and_then(|Pages { pages, failed }| {
                notices.extend(failed.map(|error| format!("broker {id}: {error}")));
                self.numbers(id, &pages)
            });
            answers.insert(id, read);
        }
        notices.sort();
        Measured { source: MetricsSource::Exporter, brokers: answers, notices }
    }

    /// The size of each partition: the largest that any broker reports.
    pub(crate) async fn sizes(&mut self, brokers: &[BrokerAddress]) -> Sized {
        let mut sizes = PartitionSizes::new();
        let mut notices = Vec::new();
        for (id, pages) in self.scrape(brokers).await {
            let read = pages.and_then(|Pages { pages, failed }| {
                notices.extend(failed.map(|error| format!("broker {id}: {error}")));
                pages.iter().try_for_each(|page| self.sizes_of(page, &mut sizes))
            });
            notices.extend(read.err().map(|error| format!("broker {id}: {error}")));
        }
        notices.sort();
        Sized { source: MetricsSource::Exporter, sizes, notices }
    }

    /// What consumers read of each topic since the previous call, which was a second ago or more.
    pub(crate) async fn consumed(&mut self, brokers: &[BrokerAddress]) -> Consumed {
        let mut consumed = Consumed::default();
        for (id, pages) in self.scrape(brokers).await {
            let counted = pages.and_then(|Pages { pages, .. }| self.topics_of(&pages));
            match counted {
                Ok(Some(now)) => {
                    let before = self.topics.get(&id);
                    if let Some(rates) = before.and_then(|before| now.rate_of_each(before)) {
                        consumed.rates.insert(id, rates);
                    }
                    self.topics.insert(id, now);
                }
                Ok(None) => drop(self.topics.remove(&id)),
                Err(error) => consumed.notices.push(format!("broker {id}: {error}")),
            }
        }
        consumed
    }

    /// The counters of topics on one broker's pages, by topic; `None` if there are none.
    fn topics_of(&self, pages: &[ExporterPage]) -> Result<Option<Sum>, MetricsError> {
        let selectors = self.selectors.get(&Number::TopicOut).map_or(&[][..], Vec::as_slice);
        let mut sums = BrokerSums::default();
        for page in pages {
            for sample in page.samples() {
                let sample = sample?;
                if let Some(rank) = selectors.iter().position(|selector| selector.takes(&sample)) {
                    let topic = sample.label("topic").to_owned();
                    let by = &selectors[rank];
                    sums.add(Number::TopicOut, rank, by, topic, sample.value, page.at);
                }
            }
        }
        Ok(sums.take(Number::TopicOut))
    }

    async fn scrape(
        &self,
        brokers: &[BrokerAddress],
    ) -> BTreeMap<BrokerId, Result<Pages, MetricsError>> {
        let each = brokers.iter().map(|broker| async { (broker.id, self.pages(broker).await) });
        futures::stream::iter(each).buffer_unordered(AT_ONCE).collect().await
    }

    /// All pages of a broker. If one fails, only its own numbers are missing.
    async fn pages(&self, broker: &BrokerAddress) -> Result<Pages, MetricsError> {
        let urls = self.settings.urls_of(broker)?;
        let asked = urls.into_iter().map(|url| self.page(url));
        let (mut pages, mut failed) = (Vec::new(), None);
        for answer in futures::future::join_all(asked).await {
            match answer {
                Ok(page) => pages.push(page),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if pages.is_empty() => Err(error),
            failed => Ok(Pages { pages, failed }),
        }
    }

    pub(crate) fn forget_all_but(&mut self, brokers: &[BrokerAddress]) {
        self.shelves.retain(|id, _| brokers.iter().any(|broker| broker.id == *id));
    }

    pub(crate) async fn page(&self, url: Url) -> Result<ExporterPage, MetricsError> {
        let shown = http::shown(&url);
        let body = self.http.get(url, MOST_BYTES).await?;
        let at = Instant::now();
        let text = String::from_utf8(body).map_err(|error| MetricsError::Malformed {
            url: shown.clone(),
            problem: format!("no UTF-8 from byte {}", error.utf8_error().valid_up_to()),
        })?;
        Ok(ExporterPage { url: shown, text, at })
    }

    /// The numbers on one broker's pages, with the rates since the previous round.
    pub(crate) fn numbers(
        &mut self,
        id: BrokerId,
        pages: &[ExporterPage],
    ) -> Result<BrokerMetrics, MetricsError> {
        let mut sums = BrokerSums::default();
        for page in pages {
            for sample in page.samples() {
                let sample = sample?;
                for (number, selectors) in self.of_brokers() {
                    // Selectors are in order of preference. A later one counts only if the earlier ones match nothing.
                    let rank = selectors.iter().position(|selector| selector.takes(&sample));
                    if let Some(rank) = rank {
                        let (by, labels) = (&selectors[rank], format!("{:?}", sample.labels));
                        sums.add(*number, rank, by, labels, sample.value, page.at);
                    }
                }
            }
        }
        if sums.is_empty() {
            let urls: Vec<&str> = pages.iter().map(|page| page.url.as_str()).collect();
            let problem = "none of the metrics that are looked for stands there".to_owned();
            return Err(MetricsError::NotThere { url: urls.join(" and "), problem });
        }
        Ok(BrokerMetrics::of(&self.shelves.entry(id).or_default().put(sums)))
    }

    fn of_brokers(&self) -> impl Iterator<Item = (&Number, &Vec<Selector>)> {
        self.selectors.iter().filter(|(number, _)| number.is_of_broker())
    }

    fn sizes_of(
        &self,
        page: &ExporterPage,
        sizes: &mut PartitionSizes,
    ) -> Result<(), MetricsError> {
        let selectors = self.selectors.get(&Number::PartitionSize).map_or(&[][..], Vec::as_slice);
        for sample in page.samples() {
            let sample = sample?;
            let Some(selector) = selectors.iter().find(|selector| selector.takes(&sample)) else {
                continue;
            };
            let (partition, bytes) = (sample.label("partition"), sample.value * selector.factor);
            measured::put_size(sizes, sample.label("topic"), Some(partition), Some(bytes));
        }
        Ok(())
    }
}

struct Pages {
    pages: Vec<ExporterPage>,
    failed: Option<MetricsError>,
}

/// A page at the time of reading.
#[derive(Debug)]
pub(crate) struct ExporterPage {
    url: String,
    text: String,
    at: Instant,
}

impl ExporterPage {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = Result<Sample<'_>, MetricsError>> {
        exposition::samples(&self.text).map(|sample| {
            sample.map_err(|problem| MetricsError::Malformed { url: self.url.clone(), problem })
        })
    }
}
