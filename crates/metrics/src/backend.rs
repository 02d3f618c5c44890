//! One interface to all metrics backends.

use crate::datadog::Datadog;
use crate::error::MetricsError;
use crate::exporter::Exporter;
use crate::http_settings::BadSettings;
use crate::measured::{
    BrokerAddress, BrokerMetrics, Consumed, Measured, MetricsSource, PartitionSizes, Sized,
};
use crate::prometheus::Prometheus;
use crate::settings::{BackendChoice, MetricsSettings};
use crate::sidecar::Sidecar;

/// A source of metrics for brokers.
///
/// It computes rates from counters, so it must remember the previous round: keep it between rounds.
#[derive(Debug)]
pub struct Backend {
    /// In order of preference. `auto` has several.
    kinds: Vec<Kind>,
    /// The one that answered last.
    current: usize,
}

#[derive(Debug)]
enum Kind {
    Sidecar(Box<Sidecar>),
    Exporter(Box<Exporter>),
    Prometheus(Box<Prometheus>),
    Datadog(Box<Datadog>),
}

impl Backend {
    /// A backend without a source. It sends no requests, and every broker's answer is empty.
    pub fn none() -> Self {
        Self { kinds: Vec::new(), current: 0 }
    }

    /// The chosen backend. Sends no request yet.
    ///
    /// # Errors
    /// If the chosen backend is not configured, or if a setting is invalid.
    pub fn new(settings: MetricsSettings) -> Result<Self, BadSettings> {
        let MetricsSettings { choice, http, sidecars, exporter, prometheus, datadog } = settings;
        let wanted = |one| [BackendChoice::Auto, BackendChoice::Only(one)].contains(&choice);
        let mut kinds = Vec::new();
        if !sidecars.is_empty() && wanted(MetricsSource::Sidecar) {
            kinds.push(Kind::Sidecar(Box::new(Sidecar::new(sidecars, &http)?)));
        }
        if let Some(settings) = exporter.filter(|_| wanted(MetricsSource::Exporter)) {
            kinds.push(Kind::Exporter(Box::new(Exporter::new(settings, &http)?)));
        }
        if let Some(settings) = prometheus.filter(|_| wanted(MetricsSource::Prometheus)) {
            kinds.push(Kind::Prometheus(Box::new(Prometheus::new(settings, &http)?)));
        }
        if let Some(settings) = datadog.filter(|_| wanted(MetricsSource::Datadog)) {
            kinds.push(Kind::Datadog(Box::new(Datadog::new(settings, &http)?)));
        }
        let needs = match choice {
            BackendChoice::Only(MetricsSource::Sidecar) => "--sidecar-peers",
            BackendChoice::Only(MetricsSource::Exporter) => "--exporter-url",
            BackendChoice::Only(MetricsSource::Prometheus) => "--prometheus-url",
            BackendChoice::Only(MetricsSource::Datadog) => "an API key and an application key",
            BackendChoice::Auto | BackendChoice::Only(MetricsSource::None) => {
                return Ok(Self { kinds, current: 0 });
            }
        };
        match kinds.is_empty() {
            true => {
                let problem = format!("{choice} needs {needs}");
                Err(BadSettings { flag: "--metrics", problem })
            }
            false => Ok(Self { kinds, current: 0 }),
        }
    }

    /// Whether a second round, a moment later, has rates that the first round cannot have.
    pub fn learns_by_repetition(&self) -> bool {
        matches!(self.kinds.get(self.current), Some(Kind::Exporter(_) | Kind::Sidecar(_)))
    }

    /// Checks that the server accepts our keys. Without keys, there is nothing to check.
    ///
    /// # Errors
    /// The server's error.
    pub async fn validate(&self) -> Result<(), MetricsError> {
        for kind in &self.kinds {
            if let Kind::Datadog(datadog) = kind {
                datadog.validate().await?;
            }
        }
        Ok(())
    }

    /// Asks once about each of `brokers`. With `auto`, asks the next backend if one has no data about any broker.
    ///
    /// Each answer has the timeout as its deadline.
    pub async fn fetch(&mut self, brokers: &[BrokerAddress]) -> Measured {
        let (mut notices, mut silent) = (Vec::new(), None);
        for index in self.order() {
            let mut measured = self.kinds[index].fetch(brokers).await;
            if brokers.is_empty() || measured.brokers.values().any(Result::is_ok) {
                self.current = index;
                notices.append(&mut measured.notices);
                return Measured { notices, ..measured };
            }
            notices.append(&mut measured.notices);
            notices.extend(silence(&measured).filter(|_| self.kinds.len() > 1));
            silent = silent.or(Some(measured));
        }
        match silent {
            Some(measured) => Measured { notices, ..measured },
            None => Measured {
                source: MetricsSource::None,
                brokers: brokers.iter().map(|b| (b.id, Ok(BrokerMetrics::default()))).collect(),
                notices,
            },
        }
    }

    /// Reads the sizes of partitions from the backend. The brokers' own sizes are exact; these are for cases in which
    /// no broker can be asked.
    pub async fn partition_sizes(&mut self, brokers: &[BrokerAddress]) -> Sized {
        let mut notices = Vec::new();
        for index in self.order() {
            let mut sized = match &mut self.kinds[index] {
                Kind::Sidecar(_) => nothing(MetricsSource::Sidecar),
                Kind::Exporter(exporter) => exporter.sizes(brokers).await,
                Kind::Prometheus(prometheus) => prometheus.sizes().await,
                Kind::Datadog(datadog) => datadog.sizes().await,
            };
            notices.append(&mut sized.notices);
            if !sized.sizes.is_empty() || self.kinds.len() == 1 {
                return Sized { notices, ..sized };
            }
        }
        Sized { notices, ..nothing(MetricsSource::None) }
    }

    /// Reads what consumers read of each topic, since the previous call where the backend reads counters. Asks only the
    /// backend that answered last.
    pub async fn consumed(&mut self, brokers: &[BrokerAddress]) -> Consumed {
        match self.kinds.get_mut(self.current) {
            Some(Kind::Exporter(exporter)) => exporter.consumed(brokers).await,
            Some(Kind::Prometheus(prometheus)) => prometheus.consumed(brokers).await,
            Some(Kind::Sidecar(_) | Kind::Datadog(_)) | None => Consumed::default(),
        }
    }

    /// The one that answered last comes first. The others are tried only when it does not answer.
    fn order(&self) -> Vec<usize> {
        let others = (0..self.kinds.len()).filter(|index| *index != self.current);
        self.kinds.get(self.current).map(|_| self.current).into_iter().chain(others).collect()
    }
}

fn nothing(source: MetricsSource) -> Sized {
    Sized { source, sizes: PartitionSizes::new(), notices: Vec::new() }
}

/// Formats `exporter knows no broker: http://... gives no answer: connection refused`.
fn silence(measured: &Measured) -> Option<String> {
    let error = measured.brokers.values().find_map(|answer| answer.as_ref().err())?;
    Some(format!("{} knows no broker: {error}", measured.source))
}

impl Kind {
    async fn fetch(&mut self, brokers: &[BrokerAddress]) -> Measured {
        match self {
            Self::Sidecar(sidecar) => sidecar.fetch(brokers).await,
            Self::Exporter(exporter) => exporter.fetch(brokers).await,
            Self::Prometheus(prometheus) => prometheus.fetch(brokers).await,
            Self::Datadog(datadog) => datadog.fetch(brokers).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::BrokerId;

    #[tokio::test]
    async fn without_a_backend_every_number_is_absent_and_no_broker_has_failed() {
        let asked = [1, 2].map(|id| BrokerAddress { id: BrokerId(id), host: None });
        let measured = Backend::none().fetch(&asked).await;
        assert_eq!(measured.source.as_str(), "none");
        assert_eq!(measured.brokers.len(), 2);
        assert!(measured.brokers.values().all(|one| *one == Ok(BrokerMetrics::default())));
    }

    #[test]
    fn a_backend_that_is_not_set_up_says_what_it_needs() {
        let settings = MetricsSettings {
            choice: BackendChoice::Only(MetricsSource::Exporter),
            ..MetricsSettings::default()
        };
        let error = Backend::new(settings).unwrap_err();
        assert_eq!(error.to_string(), "--metrics: exporter needs --exporter-url");
        assert!(Backend::new(MetricsSettings::default()).is_ok(), "auto may find nothing");
    }
}
