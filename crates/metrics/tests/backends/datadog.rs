//! Datadog's API: queries, tags of hosts, events.

use crate::brokers;
use crate::server::{Answer, Server, ok, status};
use mapper::{BrokerId, Bytes, PartitionId, Rate};
use mappr_metrics::{
    Backend, BackendChoice, DatadogKeys, DatadogSettings, Event, Events, EventsFull, HeaderSecret,
    HttpSettings, MetricsError, MetricsSettings, MetricsSource,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn settings(url: &str) -> DatadogSettings {
    let keys =
        DatadogKeys { api: HeaderSecret::new("apple-4711"), app: HeaderSecret::new("pear-4711") };
    DatadogSettings::at(url, keys).unwrap()
}

fn backend(url: &str) -> Backend {
    let datadog = Some(settings(url));
    Backend::new(MetricsSettings {
        choice: BackendChoice::Only(MetricsSource::Datadog),
        datadog,
        ..MetricsSettings::default()
    })
    .unwrap()
}

fn milliseconds_ago(seconds: u64) -> u128 {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(seconds))
        .as_millis()
}

/// `("host:i-1", "5.0")`: a series with an old point, the value, and a point without one.
fn series(all: &[(&str, &str)]) -> Answer {
    let (old, at, now) = (milliseconds_ago(400), milliseconds_ago(200), milliseconds_ago(10));
    let texts: Vec<String> = all
        .iter()
        .map(|(scope, value)| {
            format!("{{\"scope\":\"{scope}\",\"pointlist\":[[{old}.0,1e15],[{at}.0,{value}],[{now}.0,null]]}}")
        })
        .collect();
    ok(format!("{{\"status\":\"ok\",\"series\":[{}]}}", texts.join(",")))
}

/// Three hosts: one has no tags, one sends but does not receive, and one has a null point.
async fn datadog() -> Server {
    Server::start(|target| match target {
        t if t.contains("bytes_sent") => {
            series(&[("host:i-1,service:kafka", "40e6"), ("host:i-2", "50e6"), ("host:i-3", "1")])
        }
        t if t.contains("bytes_rcvd") => series(&[("host:i-1", "30e6"), ("host:i-2", "null")]),
        t if t.contains("disk.free") => ok(format!(
            "{{\"status\":\"ok\",\"series\":[{{\"scope\":\"broker_id:1001\",\"pointlist\":[[{}.0,3.5e12],[{}.0,3e12]]}}]}}",
            milliseconds_ago(60),
            milliseconds_ago(30)
        )),
        "/api/v1/tags/hosts/i-1" => ok(r#"{"tags":["broker_id:1001","instance-type:i3.4xlarge"]}"#),
        "/api/v1/tags/hosts/i-2" => ok(r#"{"tags":["broker_id:1002"]}"#),
        "/api/v1/tags/hosts/i-3" => ok(r#"{"tags":["role:other"]}"#),
        _ => status(404, "no such thing"),
    })
    .await
}

#[tokio::test]
async fn hosts_become_brokers_by_their_tags_and_nulls_are_skipped() {
    let server = datadog().await;
    let mut backend = backend(&server.url);
    let asked = brokers([(1001, "ignored"), (1002, "ignored"), (1003, "ignored")]);
    let measured = backend.fetch(&asked).await;
    let one = measured.brokers[&BrokerId(1001)].clone().unwrap();
    let tx = one.tx.unwrap();
    assert_eq!((tx.value, one.rx.unwrap().value), (Rate(40_000_000), Rate(30_000_000)));
    // Points have milliseconds; clocks are more precise.
    let mean_ended = Duration::from_secs(79);
    assert!(tx.age >= mean_ended && tx.age < mean_ended * 2, "{:?}", tx.age);
    assert_eq!(one.storage_free.unwrap().value, Bytes(3_000_000_000_000));
    assert_eq!(one.instance_type.as_deref(), Some("i3.4xlarge"));
    let two = measured.brokers[&BrokerId(1002)].clone().unwrap();
    assert_eq!((two.tx.unwrap().value, two.rx, two.instance_type), (Rate(50_000_000), None, None));
    assert!(matches!(measured.brokers[&BrokerId(1003)], Err(MetricsError::NotThere { .. })));
    assert_eq!(measured.notices, ["no tag broker_id on hosts i-3"]);

    backend.fetch(&asked).await;
    let tags = server.requests().iter().filter(|head| head.contains("/tags/")).count();
    assert_eq!(tags, 3, "tags are remembered");
    let keyed = |head: &String| {
        head.contains("dd-api-key: apple-4711") && head.contains("dd-application-key: pear-4711")
    };
    assert!(server.requests().iter().all(keyed));
}

#[tokio::test]
async fn of_two_hosts_with_one_id_the_last_to_speak_is_the_broker() {
    let server = Server::start(|target| match target {
        t if t.contains("bytes_sent") => ok(format!(
            "{{\"series\":[{{\"scope\":\"host:old\",\"pointlist\":[[{}.0,1]]}},\
             {{\"scope\":\"host:new\",\"pointlist\":[[{}.0,2]]}}]}}",
            milliseconds_ago(220),
            milliseconds_ago(150)
        )),
        t if t.contains("/tags/") => ok(r#"{"tags":["broker_id:1"]}"#),
        _ => ok(r#"{"series":[]}"#),
    })
    .await;
    let measured = backend(&server.url).fetch(&brokers([(1, "h")])).await;
    assert_eq!(measured.brokers[&BrokerId(1)].clone().unwrap().tx.unwrap().value, Rate(2));
    assert_eq!(measured.notices, ["hosts new and old both say that they are broker 1"]);
}

#[tokio::test]
async fn keys_are_in_no_error_even_if_the_server_repeats_them() {
    let server =
        Server::start(|_| status(403, "{\"errors\":[\"Forbidden: apple-4711 / pear-4711\"]}"))
            .await;
    let mut backend = backend(&server.url);
    let measured = backend.fetch(&brokers([(1, "h")])).await;
    let error = measured.brokers[&BrokerId(1)].clone().unwrap_err();
    assert!(error.to_string().contains("Forbidden: [hidden] / [hidden]"), "{error}");
    assert!(error.hint().unwrap().contains("keys"));
    let invalid = backend.validate().await.unwrap_err();
    for shown in [format!("{error:?}"), format!("{invalid:?} {invalid}"), format!("{backend:?}")] {
        assert!(!shown.contains("-4711"), "{shown}");
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_and_a_redirect_is_not_followed() {
    let thief = Server::start(|_| ok("{}")).await;
    let place = format!("location: {}/stolen?key=1\r\n", thief.url);
    let server = Server::start(move |_| Answer { headers: place.clone(), ..status(302, "") }).await;
    let measured = backend(&server.url).fetch(&brokers([(1, "h")])).await;
    let said = measured.brokers[&BrokerId(1)].as_ref().unwrap_err().to_string();
    assert!(
        said.ends_with(&format!("answers 302: a redirect to {}/stolen: name that one", thief.url)),
        "{said}"
    );
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn sizes_carry_the_name_of_the_topic() {
    let server = Server::start(|_| {
        ok(r#"{"series":[{"scope":"partition:0,topic:a:b","pointlist":[[1,7],[2,null]]},
            {"tag_set":["topic:_consumer_offsets","partition:3"],"pointlist":[[1,9]]},
            {"scope":"topic:a:b,partition:1","pointlist":[[1,null]]}]}"#)
    })
    .await;
    let sized = backend(&server.url).partition_sizes(&[]).await;
    assert_eq!(sized.sizes["a:b"].iter().collect::<Vec<_>>(), [(&PartitionId(0), &Bytes(7))]);
    assert_eq!(sized.sizes["__consumer_offsets"][&PartitionId(3)], Bytes(9));
}

fn event(title: &str) -> Event {
    Event { title: title.to_owned(), text: "what".to_owned(), tags: vec!["name:t".to_owned()] }
}

#[tokio::test]
async fn events_are_posted_in_their_order_and_a_full_queue_waits_for_nobody() {
    let server =
        Server::start(|_| Answer { silence: Duration::from_millis(100), ..status(202, "{}") })
            .await;
    let events = Events::start(&settings(&server.url), &HttpSettings::default()).unwrap();
    events.post(event("first")).unwrap();
    events.post(event("second")).unwrap();
    // The task has not run since: two events are in the queue, and 98 more fit.
    let refused = (0..110).filter(|_| events.post(event("more")) == Err(EventsFull)).count();
    assert_eq!(refused, 12);
    events.close(Duration::from_secs(1)).await;
    let posted = server.requests();
    assert!(posted[0].starts_with("POST /api/v1/events "), "{}", posted[0]);
    assert!(
        posted[0].ends_with(r#"{"title":"first","text":"what","tags":["name:t"]}"#),
        "{}",
        posted[0]
    );
    assert!(posted[1].contains("\"second\"") && posted.len() < 100, "the patience is over");
}
