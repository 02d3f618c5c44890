//! Several backends, in order of preference.

use crate::brokers;
use crate::server::{Server, ok, status};
use mapper::BrokerId;
use mappr_metrics::{Backend, BackendChoice, MetricsSettings, MetricsSource, PrometheusSettings};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test]
async fn the_next_backend_is_asked_only_while_one_is_silent() {
    let up = Arc::new(AtomicBool::new(true));
    let is_up = Arc::clone(&up);
    let page =
        "kafka_network_requestmetrics_totaltimems{request=\"Produce\",quantile=\"0.99\"} 1\n";
    let exporter = Server::start(move |_| match is_up.load(Ordering::SeqCst) {
        true => ok(page),
        false => status(500, "down"),
    })
    .await;
    let prometheus = Server::start(|_| {
        ok(r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a:1"},"value":[1,"5"]}]}}"#)
    })
    .await;
    let settings = MetricsSettings {
        prometheus: Some(PrometheusSettings::at(&prometheus.url).unwrap()),
        ..MetricsSettings::default()
    };
    let mut backend =
        Backend::new(settings.with_exporter(vec![exporter.url.parse().unwrap()], Vec::new()))
            .unwrap();
    let asked = brokers([(1, "a")]);

    assert_eq!(backend.fetch(&asked).await.source, MetricsSource::Exporter);
    assert!(backend.learns_by_repetition() && prometheus.requests().is_empty());

    up.store(false, Ordering::SeqCst);
    let measured = backend.fetch(&asked).await;
    assert_eq!(measured.source, MetricsSource::Prometheus);
    assert!(measured.brokers[&BrokerId(1)].is_ok() && !backend.learns_by_repetition());
    let said = format!("exporter knows no broker: {}/ answers 500: down", exporter.url);
    assert_eq!(measured.notices, [said]);

    let before = exporter.requests().len();
    assert_eq!(backend.fetch(&asked).await.source, MetricsSource::Prometheus);
    assert_eq!(exporter.requests().len(), before, "what answers is kept");
}

#[tokio::test]
async fn when_all_are_silent_brokers_have_failed_and_are_not_merely_unknown() {
    let down = Server::start(|_| status(500, "down")).await;
    let settings = MetricsSettings {
        prometheus: Some(PrometheusSettings::at(&down.url).unwrap()),
        ..MetricsSettings::default()
    };
    let urls = vec![down.url.parse().unwrap()];
    let mut backend = Backend::new(settings.with_exporter(urls, Vec::new())).unwrap();
    let measured = backend.fetch(&brokers([(1, "a")])).await;
    assert!(measured.brokers[&BrokerId(1)].is_err());
    assert_eq!(measured.notices.len(), 2, "{:?}", measured.notices);
    let none = Backend::new(MetricsSettings {
        choice: BackendChoice::Only(MetricsSource::None),
        ..MetricsSettings::default()
    })
    .unwrap();
    assert!(!none.learns_by_repetition());
}
