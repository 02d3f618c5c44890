use crate::server::{Server, ok, status};
use mappr_metrics::{Event, HttpSettings, Webhook, WebhookFormat};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const PATH: &str = "/services/T0/B1/s3cret";

fn event() -> Event {
    Event {
        title: "PlanProposed".to_owned(),
        text: "full-disk 1001: 5 < 6 & waits for approval".to_owned(),
        tags: vec!["cluster:abc".to_owned(), "plan:3f9a".to_owned()],
    }
}

async fn webhook(server: &Server, format: WebhookFormat) -> Webhook {
    Webhook::at(&format!("{}{PATH}\n", server.url), format, &HttpSettings::default()).unwrap()
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn slack_and_alertmanager_get_what_they_read() {
    let server = Server::start(|_| ok("ok")).await;
    webhook(&server, WebhookFormat::Slack).await.post(&event()).await.unwrap();
    webhook(&server, WebhookFormat::Alertmanager).await.post(&event()).await.unwrap();
    let requests = server.requests();
    let [slack, alertmanager] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(slack.starts_with(&format!("POST {PATH} ")), "{slack}");
    let text = "*PlanProposed* (cluster:abc, plan:3f9a)\nfull-disk 1001: 5 &lt; 6 &amp; waits for approval";
    assert_eq!(body(slack), json!({"text": text}));
    let labels = json!({"alertname": "PlanProposed", "cluster": "abc", "plan": "3f9a"});
    let alert = json!([{"labels": labels, "annotations": {"summary": event().text}}]);
    assert_eq!(body(alertmanager), alert);
}

#[tokio::test]
async fn a_receiver_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    let asked = AtomicUsize::new(0);
    let once_busy = move |_: &str| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => status(503, "busy"),
        _ => ok("ok"),
    };
    let server = Server::start(once_busy).await;
    webhook(&server, WebhookFormat::Slack).await.post(&event()).await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let server = Server::start(|_| status(404, format!("no_service at {PATH}"))).await;
    let refused = webhook(&server, WebhookFormat::Slack).await.post(&event()).await.unwrap_err();
    let (refused, url) = (refused.to_string(), &server.url);
    assert_eq!(refused, format!("{url} answers 404: no_service at /[hidden]"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_error_shows_the_path_of_a_webhook() {
    let gone = format!("http://127.0.0.1:1{PATH}");
    let gone = Webhook::at(&gone, WebhookFormat::Slack, &HttpSettings::default()).unwrap();
    let why = gone.post(&event()).await.unwrap_err().to_string();
    assert!(
        why.starts_with("http://127.0.0.1:1 gives no answer") && !why.contains("s3cret"),
        "{why}"
    );
    let wrong = Webhook::at("s3cret", WebhookFormat::Slack, &HttpSettings::default()).unwrap_err();
    assert!(!wrong.to_string().contains("s3cret"), "{wrong}");
}
