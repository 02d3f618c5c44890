//! Reads counters of pods without a metrics system. A sidecar in each broker's pod serves them, and the leading daemon
//! reads them all.
//!
//! [`PodView`] reads the counters of a pod's network and volumes, [`page`] formats them, and the backend reads the
//! pages of all peers. Each page names its broker, so an address need not.

mod page;
mod peers;
mod pod;

pub use page::page;
pub use peers::SidecarPeers;
pub use pod::{Carried, PodCounters, PodError, PodView, Volume};

use crate::error::MetricsError;
use crate::exporter::{Exporter, ExporterPage};
use crate::http;
use crate::http_settings::{BadSettings, HttpSettings};
use crate::measured::{BrokerAddress, BrokerMetrics, Measured, MetricsSource};
use crate::numbers::Number;
use crate::selector::Selector;
use futures::StreamExt;
use mapper::BrokerId;
use peers::PeerPage;
use reqwest::Url;
use std::collections::BTreeMap;
use std::time::Duration;

/// The deadline for a page, which a healthy sidecar serves at once. A new leader must not wait longer for a pod that
/// hangs, which may be the old leader's.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many pages are requested in parallel.
const AT_ONCE: usize = 64;

type SidecarAnswer = Result<BrokerMetrics, MetricsError>;

/// Reads the pages of all sidecars, and remembers the counters of the previous round.
#[derive(Debug)]
pub(crate) struct Sidecar {
    peers: Vec<SidecarPeers>,
    pages: Exporter,
}

impl Sidecar {
    pub(crate) fn new(peers: Vec<SidecarPeers>, http: &HttpSettings) -> Result<Self, BadSettings> {
        let http = HttpSettings { timeout: http.timeout.min(PATIENCE), ..http.clone() };
        Ok(Self { peers, pages: Exporter::looking_for(selectors()?, &http)? })
    }

    pub(crate) async fn fetch(&mut self, brokers: &[BrokerAddress]) -> Measured {
        let mut notices = Vec::new();
        let mut answers: BTreeMap<BrokerId, SidecarAnswer> = BTreeMap::new();
        for (asked, page) in self.read(brokers, &mut notices).await {
            let about = page.and_then(|page| Ok((broker_of(&page, asked.broker)?, page)));
            match (about, asked.broker) {
                (Ok((id, page)), _) if brokers.iter().any(|broker| broker.id == id) => {
                    let numbers = self.pages.numbers(id, &[page]);
                    // Two addresses of one pod lead to one sidecar.
                    if numbers.is_ok() || !answers.contains_key(&id) {
                        answers.insert(id, numbers);
                    }
                }
                // The sidecar of an unregistered broker.
                (Ok(_), _) => {}
                (Err(error), Some(id)) => drop(answers.entry(id).or_insert(Err(error))),
                (Err(error), None) => notices.push(format!("a sidecar: {error}")),
            }
        }
        self.pages.forget_all_but(brokers);
        for broker in brokers {
            answers.entry(broker.id).or_insert_with(|| Err(self.nobody(broker)));
        }
        notices.sort();
        Measured { source: MetricsSource::Sidecar, brokers: answers, notices }
    }

    /// Every page at the peers' addresses.
    async fn read(
        &self,
        brokers: &[BrokerAddress],
        notices: &mut Vec<String>,
    ) -> Vec<(PeerPage, Result<ExporterPage, MetricsError>)> {
        let mut asked: Vec<PeerPage> = Vec::new();
        for peers in &self.peers {
            match peers.asked(brokers).await {
                Ok(more) => asked.extend(more),
                Err(problem) => notices.push(problem),
            }
        }
        asked.sort();
        asked.dedup();
        let each = asked.into_iter().map(|asked| async {
            let page = self.pages.page(asked.url.clone()).await;
            (asked, page)
        });
        let mut read: Vec<_> =
            futures::stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
        read.sort_by(|(one, _), (other, _)| one.cmp(other));
        read
    }

    fn nobody(&self, broker: &BrokerAddress) -> MetricsError {
        let url: Vec<String> = self.peers.iter().map(ToString::to_string).collect();
        let problem = format!("no sidecar says that it is broker {}'s", broker.id);
        MetricsError::NotThere { url: url.join(" and "), problem }
    }
}

/// The broker of a page. A different broker than expected means a wrong address, so the page does not count.
fn broker_of(page: &ExporterPage, expected: Option<BrokerId>) -> Result<BrokerId, MetricsError> {
    let mut told = None;
    for sample in page.samples() {
        let sample = sample?;
        if sample.name == page::BROKER {
            told = sample.label("id").parse().ok();
        }
    }
    let malformed =
        |problem: String| MetricsError::Malformed { url: page.url().to_owned(), problem };
    match (told, expected) {
        (None, _) => Err(malformed("it does not say which broker it is about".to_owned())),
        (Some(id), Some(expected)) if id != expected => {
            Err(malformed(format!("it is about broker {id}, not {expected}")))
        }
        (Some(id), _) => Ok(id),
    }
}

fn selectors() -> Result<BTreeMap<Number, Vec<Selector>>, BadSettings> {
    let all = [
        (Number::Tx, format!("rate({}_total)", page::TRANSMITTED)),
        (Number::Rx, format!("rate({}_total)", page::RECEIVED)),
        (Number::StorageFree, page::FREE.to_owned()),
        (Number::StorageTotal, page::SIZE.to_owned()),
    ];
    let parsed = all.into_iter().map(|(number, text)| {
        let selector =
            text.parse().map_err(|problem| BadSettings { flag: "--metrics", problem })?;
        Ok((number, vec![selector]))
    });
    parsed.collect()
}

/// A URL in a form that may be shown.
pub(crate) fn shown(url: &Url) -> String {
    http::shown(url)
}

#[cfg(test)]
mod tests;
