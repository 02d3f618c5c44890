//! The HTTP API of Prometheus.

use crate::brokers;
use crate::server::{Answer, Server, ok, status};
use mapper::{BrokerId, Bytes, PartitionId, Rate};
use std::sync::{Arc, Mutex};

use mappr_metrics::{
    Backend, BackendChoice, HeaderSecret, MetricsError, MetricsSettings, MetricsSource,
    PrometheusSettings,
};

fn backend(url: &str, change: impl FnOnce(&mut PrometheusSettings)) -> Backend {
    let mut settings = PrometheusSettings::at(url).unwrap();
    change(&mut settings);
    let settings = MetricsSettings {
        choice: BackendChoice::Only(MetricsSource::Prometheus),
        prometheus: Some(settings),
        ..MetricsSettings::default()
    };
    Backend::new(settings).unwrap()
}

/// A vector of one value for each instance.
fn vector(all: &[(&str, &str)]) -> Answer {
    let elements: Vec<String> = all
        .iter()
        .map(|(labels, value)| {
            format!("{{\"metric\":{labels},\"value\":[1700000000.1,\"{value}\"]}}")
        })
        .collect();
    ok(format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{}]}},\"warnings\":[]}}",
        elements.join(",")
    ))
}

#[tokio::test]
async fn brokers_are_found_by_the_host_of_their_instance() {
    let server = Server::start(|target| match target {
        t if t.contains("replicationbytesout") => {
            vector(&[(r#"{"instance":"10.0.0.1:9404"}"#, "40")])
        }
        t if t.contains("bytesout") => {
            vector(&[(r#"{"instance":"10.0.0.1:9404"}"#, "2"), (r#"{"instance":"other:1"}"#, "3")])
        }
        t if t.contains("node_network") => vector(&[]),
        t if t.contains("Produce") => vector(&[(r#"{"instance":"10.0.0.1:9404"}"#, "NaN")]),
        _ => {
            status(422, "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"too much\"}")
        }
    })
    .await;
    let measured =
        backend(&server.url, |_| ()).fetch(&brokers([(1, "10.0.0.1"), (2, "10.0.0.2")])).await;
    assert_eq!(measured.source, MetricsSource::Prometheus);
    let answer = measured.brokers[&BrokerId(1)].clone().unwrap();
    assert_eq!(answer.tx.unwrap().value, Rate(42));
    assert_eq!((answer.rx, answer.p99_produce), (None, None), "a NaN is no number");
    let said = measured.brokers[&BrokerId(2)].as_ref().unwrap_err().to_string();
    assert!(
        said.contains("no series whose label instance is its id or its host; one is \"other:1\""),
        "{said}"
    );
    assert!(
        measured
            .notices
            .iter()
            .any(|text| text.starts_with("client-in: ") && text.contains("too much")),
        "{:?}",
        measured.notices
    );
}

#[tokio::test]
async fn brokers_are_found_by_a_label_with_their_id() {
    let server = Server::start(|_| vector(&[(r#"{"broker_id":"7"}"#, "5")])).await;
    let mut backend = backend(&format!("{}/tenant/", server.url), |settings| {
        settings.label = "broker_id".to_owned();
        settings.token = Some(HeaderSecret::new("token-4711"));
    });
    let answer = backend.fetch(&brokers([(7, "h")])).await.brokers[&BrokerId(7)].clone().unwrap();
    assert_eq!(answer.tx.unwrap().value, Rate(5));
    let requests = server.requests();
    assert!(requests.iter().all(|head| head.starts_with("GET /tenant/api/v1/query?query=")));
    assert!(requests.iter().all(|head| head.contains("authorization: Bearer token-4711")));
    assert!(!format!("{backend:?}").contains("-4711"));
}

#[tokio::test]
async fn a_token_that_is_replaced_is_sent_from_then_on_and_neither_is_shown() {
    let now = Arc::new(Mutex::new("token-4711".to_owned()));
    let server = Server::start(|_| status(403, "no: token-4711, token-4712")).await;
    let mut backend = backend(&server.url, |settings| {
        let now = now.clone();
        settings.token = Some(HeaderSecret::asked_for(move || now.lock().unwrap().clone()));
    });
    let asked = brokers([(7, "h")]);
    backend.fetch(&asked).await;
    let before = server.requests().len();
    *now.lock().unwrap() = "token-4712".to_owned();
    let measured = backend.fetch(&asked).await;
    let requests = server.requests();
    assert!(
        requests[..before].iter().all(|head| head.contains("authorization: Bearer token-4711"))
    );
    assert!(
        requests[before..].iter().all(|head| head.contains("authorization: Bearer token-4712"))
    );
    let said = format!("{measured:?} {backend:?}");
    assert!(requests.len() > before && !said.contains("-471"), "{said}");
}

#[tokio::test]
async fn a_host_of_several_brokers_tells_none_apart() {
    let server = Server::start(|_| vector(&[(r#"{"instance":"127.0.0.1:9404"}"#, "5")])).await;
    let asked = brokers([(1, "127.0.0.1"), (2, "127.0.0.1")]);
    let measured = backend(&server.url, |_| ()).fetch(&asked).await;
    assert!(measured.brokers.values().all(Result::is_err));
    assert!(measured.notices[0].contains("may be any of brokers 1, 2"), "{:?}", measured.notices);
}

#[tokio::test]
async fn two_series_of_one_broker_are_none() {
    let twice = [(r#"{"instance":"a:1"}"#, "5"), (r#"{"instance":"a:2"}"#, "5")];
    let server = Server::start(move |_| vector(&twice)).await;
    let measured = backend(&server.url, |_| ()).fetch(&brokers([(1, "a")])).await;
    assert!(measured.brokers[&BrokerId(1)].is_err());
    assert!(
        measured.notices[0].contains("several series with the same instance"),
        "{:?}",
        measured.notices
    );
}

#[tokio::test]
async fn when_every_query_fails_each_broker_has_the_reason() {
    let server = Server::start(|_| status(503, "starting up")).await;
    let measured = backend(&server.url, |_| ()).fetch(&brokers([(1, "a"), (2, "b")])).await;
    for answer in measured.brokers.values() {
        assert!(matches!(answer, Err(MetricsError::Refused { status: 503, .. })), "{answer:?}");
    }
    let asked_again =
        server.requests().iter().filter(|head| head.contains("FetchConsumer")).count();
    assert_eq!(asked_again, 3, "an answer that may pass is asked for again");
}

#[tokio::test]
async fn sizes_are_those_of_partitions() {
    let server = Server::start(|_| {
        vector(&[
            (r#"{"topic":"a","partition":"0"}"#, "100"),
            (r#"{"topic":"a","partition":"x"}"#, "1"),
            (r#"{"topic":"a","partition":"1"}"#, "-1"),
        ])
    })
    .await;
    let sized = backend(&server.url, |_| ()).partition_sizes(&[]).await;
    assert_eq!(sized.sizes["a"].iter().collect::<Vec<_>>(), [(&PartitionId(0), &Bytes(100))]);
}

#[tokio::test]
async fn topics_are_those_of_brokers() {
    let server = Server::start(|_| {
        vector(&[
            (r#"{"broker_id":"1","topic":"a"}"#, "100"),
            (r#"{"broker_id":"2","topic":"a"}"#, "0"),
            (r#"{"broker_id":"2","topic":""}"#, "7"),
            (r#"{"broker_id":"9","topic":"b"}"#, "1"),
        ])
    })
    .await;
    let mut backend = backend(&server.url, |settings| settings.label = "broker_id".to_owned());
    let consumed = backend.consumed(&brokers([(1, "kafka-1"), (2, "kafka-2")])).await;
    let of = |id: u32| {
        consumed.rates[&BrokerId(id)].iter().map(|(t, r)| (t.as_str(), r.0)).collect::<Vec<_>>()
    };
    assert_eq!((of(1), of(2)), (vec![("a", 100)], vec![("a", 0)]));
    assert_eq!(consumed.rates.len(), 2, "{consumed:?}");
}
