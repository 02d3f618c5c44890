//! Tokens from files, and from a server that answers what a test says.

use super::*;
use crate::properties::{Credentials, Properties, Settings};
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn source(lines: &str) -> TokenSource {
    let text = format!(
        "bootstrap.servers=a:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n{lines}"
    );
    let settings = Settings::from_properties(&Properties::parse(&text).unwrap()).unwrap();
    let Credentials::Token(token) = settings.sasl.unwrap().credentials else { panic!("{text}") };
    TokenSource::new(token, Duration::from_secs(5)).unwrap()
}

fn seconds(from_now: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + from_now
}

fn signed(subject: &str, from_now: i64) -> String {
    let claims = format!(r#"{{"sub":"{subject}","exp":{}}}"#, seconds(from_now));
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// Gives these answers, one for each request, and returns the requests.
async fn server(
    answers: Vec<(&'static str, String)>,
) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token?key=hunter2", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (status, body) in answers {
            let (mut peer, _) = listener.accept().await.unwrap();
            let (mut request, mut part) = (String::new(), [0; 4096]);
            while !request.contains("grant_type") {
                let read = peer.read(&mut part).await.unwrap();
                request.push_str(&String::from_utf8_lossy(&part[..read]));
            }
            requests.push(request);
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
            peer.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (url, serving)
}

fn endpoint(url: &str) -> TokenSource {
    source(&format!(
        "sasl.oauthbearer.token.endpoint.url={url}\nsasl.oauthbearer.client.id=c\n\
         sasl.oauthbearer.client.secret=s&t\nsasl.oauthbearer.scope=a b\n"
    ))
}

fn answer(token: &str) -> (&'static str, String) {
    ("200 OK", format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":600}}"#))
}

#[tokio::test]
async fn a_token_is_kept_and_asked_for_as_the_standard_says() {
    let (url, requests) = server(vec![answer(&signed("me", 600))]).await;
    let source = endpoint(&url);
    let (first, second) = (source.token().await.unwrap(), source.token().await.unwrap());
    assert_eq!((first.principal.as_str(), first.is_kept, second.is_kept), ("me", false, true));
    let requests = requests.await.unwrap();
    let login =
        format!("authorization: Basic {}", base64::prelude::BASE64_STANDARD.encode("c:s&t"));
    assert!(requests[0].contains(&login), "{requests:?}");
    assert!(requests[0].ends_with("grant_type=client_credentials&scope=a+b"), "{requests:?}");
    assert!(!format!("{source:?} {first:?}").contains("s&t"));
}

#[tokio::test]
async fn a_refused_or_ending_token_is_replaced() {
    let answers = vec![answer(&signed("a", 600)), answer(&signed("b", 0)), answer("opaque")];
    let (url, requests) = server(answers).await;
    let source = endpoint(&url);
    assert_eq!(source.token().await.unwrap().principal, "a");
    source.forget().await;
    let Error::Token { reason, .. } = source.token().await.unwrap_err() else { panic!() };
    assert!(reason.starts_with("the token ended"), "{reason}");
    let opaque = source.token().await.unwrap();
    assert_eq!(opaque.principal, "c");
    let left = opaque.expires.duration_since(SystemTime::now()).unwrap();
    assert!((500..=600).contains(&left.as_secs()), "{left:?}");
    assert_eq!(requests.await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_told_without_secrets() {
    let denied = r#"{"error":"invalid_client","error_description":"wrong secret s&t\u0007"}"#;
    let busy = ("503 Service Unavailable", "<html>".to_owned());
    let (url, requests) = server(vec![("401 Unauthorized", denied.to_owned()), busy]).await;
    let source = endpoint(&url);
    let mut said = Vec::new();
    for _ in 0..2 {
        let error = source.token().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s&t"), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        let Error::Token { reason, may_pass, .. } = error else { panic!() };
        said.push((reason, may_pass));
    }
    let denied = "HTTP 401: invalid_client (wrong secret [hidden])";
    assert_eq!(said, [(denied.to_owned(), false), ("HTTP 503".to_owned(), true)]);
    requests.await.unwrap();
}

#[tokio::test]
async fn a_file_is_read_again_for_each_new_token() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let line = format!("sasl.oauthbearer.token.endpoint.url=file://{}\n", file.path().display());
    let source = source(&line);
    for (text, problem) in [
        ("", "no bearer token"),
        ("two words", "no bearer token"),
        (&signed("a", -5), "the token ended"),
    ] {
        file.as_file().set_len(0).unwrap();
        write!(file, "{text}").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let Error::Token { reason, may_pass, .. } = source.token().await.unwrap_err() else {
            panic!()
        };
        assert!(reason.contains(problem) && may_pass, "{reason}");
    }
    file.as_file().set_len(0).unwrap();
    writeln!(file, "{}", signed("pod", 600)).unwrap();
    assert_eq!(source.token().await.unwrap().principal, "pod");
}

#[test]
fn a_time_that_is_none_counts_as_unknown() {
    let now = SystemTime::now();
    let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"me","exp":1e300}"#);
    for token in ["opaque".to_owned(), format!("e30.{claims}.c2ln")] {
        let token = found(&token, now, None, time(1e300)).unwrap();
        assert_eq!(token.expires, now + UNKNOWN_LIFE);
    }
    assert_eq!(time(-1.0), Some(Duration::ZERO));
}
