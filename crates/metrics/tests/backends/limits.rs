//! The cost of hostile or broken servers: limited time, limited memory, and no effect on other brokers.

use crate::brokers;
use crate::server::{Answer, Server, ok};
use mapper::BrokerId;
use mappr_metrics::{Backend, HttpSettings, MetricsError, MetricsSettings, PrometheusSettings};
use std::time::{Duration, Instant};

fn patient_for(timeout: Duration) -> MetricsSettings {
    MetricsSettings {
        http: HttpSettings { timeout, ..HttpSettings::default() },
        ..MetricsSettings::default()
    }
}

fn exporter(url: &str, settings: MetricsSettings) -> Backend {
    Backend::new(settings.with_exporter(vec![url.parse().unwrap()], Vec::new())).unwrap()
}

#[tokio::test]
async fn a_silent_server_costs_one_timeout() {
    let silence = Duration::from_secs(60);
    let server = Server::start(move |_| Answer { silence, ..ok("") }).await;
    let start = Instant::now();
    let mut one = exporter(&server.url, patient_for(Duration::from_millis(300)));
    let mut other = Backend::new(MetricsSettings {
        prometheus: Some(PrometheusSettings::at(&server.url).unwrap()),
        ..patient_for(Duration::from_millis(300))
    })
    .unwrap();
    for backend in [&mut one, &mut other] {
        let answers = backend.fetch(&brokers([(1, "a")])).await.brokers;
        let said = answers[&BrokerId(1)].as_ref().unwrap_err().to_string();
        assert!(said.ends_with("gives no answer: no answer within 0.3 s"), "{said}");
    }
    assert!(start.elapsed() < silence / 4);
}

#[tokio::test]
async fn an_endless_page_is_left_at_the_limit() {
    let server = Server::start(|_| ok(vec![b'#'; 9 << 20])).await;
    let answers =
        exporter(&server.url, MetricsSettings::default()).fetch(&brokers([(1, "a")])).await.brokers;
    let error = answers[&BrokerId(1)].as_ref().unwrap_err();
    assert!(matches!(error, MetricsError::Malformed { .. }), "{error}");
    assert!(error.to_string().ends_with("more than 8388608 bytes"), "{error}");
}

#[tokio::test]
async fn a_password_in_a_url_is_sent_and_never_shown() {
    let server = Server::start(|_| ok("<html>")).await;
    let url = server.url.replace("http://", "http://reader:pass-4711@");
    let measured = exporter(&url, MetricsSettings::default()).fetch(&brokers([(1, "a")])).await;
    assert!(server.requests()[0].contains("authorization: Basic "));
    assert!(!format!("{measured:?}").contains("-4711"), "{measured:?}");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let server = Server::start(|_| ok(b"up 1\n\xff\xfe".to_vec())).await;
    let answers =
        exporter(&server.url, MetricsSettings::default()).fetch(&brokers([(1, "a")])).await.brokers;
    let said = answers[&BrokerId(1)].as_ref().unwrap_err().to_string();
    assert!(said.ends_with("no UTF-8 from byte 5"), "{said}");
}
