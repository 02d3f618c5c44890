//! The form of a token, an independent signature over it, and each source of credentials at a local server.

use super::credentials::{AwsCredentials, AwsEnvironment, find};
use super::*;
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signature Version 4, as AWS's guide describes it.
fn signature(secret: &str, [day, region, service]: [&str; 3], time: &str, request: &str) -> String {
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hash = hex(&Sha256::digest(request));
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
    hex(&hmac(&key, &format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}")))
}

/// `get-vanilla` of AWS's published test suite: what the judge below is worth.
#[test]
fn the_judge_of_signatures_agrees_with_a_published_one() {
    let empty = hex(&Sha256::digest(""));
    let request = format!(
        "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n{empty}"
    );
    let scope = ["20150830", "us-east-1", "service"];
    assert_eq!(
        signature(SECRET, scope, "20150830T123600Z", &request),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
}

#[test]
fn a_token_is_a_signed_request_to_connect() {
    for session in [None, Some("session+token/with=signs")] {
        let credentials = AwsCredentials {
            key_id: KEY_ID.to_owned(),
            secret: Secret::new(SECRET),
            session_token: session.map(Secret::new),
            expires: None,
        };
        // 2026-11-24T19:00:00Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_546_800);
        let token = token(&credentials, "eu-west-1", now).unwrap();
        assert!(!format!("{credentials:?}").contains("EXAMPLEKEY"));
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        let query = url.strip_prefix("https://kafka.eu-west-1.amazonaws.com/?").unwrap();
        let mut pairs: BTreeMap<&str, &str> =
            query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        assert!(pairs.remove("User-Agent").unwrap().starts_with("mappr%2F"));
        let signed = pairs.remove("X-Amz-Signature").unwrap();
        assert_eq!(pairs["Action"], "kafka-cluster%3AConnect");
        assert_eq!(pairs["X-Amz-Expires"], "900");
        assert_eq!(pairs["X-Amz-Date"], "20261124T190000Z");
        assert_eq!(pairs["X-Amz-SignedHeaders"], "host");
        let named = format!("{KEY_ID}%2F20261124%2Feu-west-1%2Fkafka-cluster%2Faws4_request");
        assert_eq!(pairs["X-Amz-Credential"], named);
        let encoded = session.map(|_| "session%2Btoken%2Fwith%3Dsigns");
        assert_eq!(pairs.get("X-Amz-Security-Token").copied(), encoded);

        let query: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = format!(
            "GET\n/\n{}\nhost:kafka.eu-west-1.amazonaws.com\n\nhost\n{}",
            query.join("&"),
            hex(&Sha256::digest(""))
        );
        let scope = ["20261124", "eu-west-1", "kafka-cluster"];
        assert_eq!(signed, signature(SECRET, scope, pairs["X-Amz-Date"], &request));
    }
}

/// Answers as many requests as there are texts, each to the request line that begins like this. Returns the requests.
async fn server(
    answers: Vec<(&'static str, String)>,
) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut seen = Vec::new();
        for (start, answer) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut text, mut part) = (String::new(), [0; 4096]);
            while !is_whole(&text) {
                let length = socket.read(&mut part).await.unwrap();
                text.push_str(std::str::from_utf8(&part[..length]).unwrap());
            }
            let status = if answer.contains("<Code>") { "403 Forbidden" } else { "200 OK" };
            let whole = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
                answer.len()
            );
            socket.write_all(whole.as_bytes()).await.unwrap();
            assert!(text.starts_with(start), "{text}");
            seen.push(text);
        }
        seen
    });
    (address, served)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

fn environment(pairs: &[(&str, &str)]) -> AwsEnvironment {
    AwsEnvironment(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
}

async fn asked(environment: &AwsEnvironment) -> Result<AwsCredentials, String> {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    find(environment, &Client::builder().no_proxy().build().unwrap(), "eu-west-1").await
}

const KEYS: &str = r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-24T20:00:00Z"}"#;

fn is_read(found: &AwsCredentials) {
    assert_eq!((found.key_id.as_str(), found.secret.expose()), ("ASIA1", "s"));
    assert_eq!(found.session_token.as_ref().unwrap().expose(), "t");
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_550_400);
    assert_eq!(found.expires, Some(end));
}

#[tokio::test]
async fn keys_of_the_environment_come_first() {
    let keys = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let both =
        [&keys[..], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")]].concat();
    let environment = environment(&both);
    assert!(!format!("{environment:?}").contains("EXAMPLEKEY"));
    let found = asked(&environment).await.unwrap();
    assert_eq!((found.secret.expose(), found.expires), (SECRET, None));
    let half = asked(&self::environment(&keys[..1])).await.unwrap_err();
    assert!(half.contains("AWS_SECRET_ACCESS_KEY"), "{half}");
    let none = asked(&self::environment(&[("AWS_EC2_METADATA_DISABLED", "true")])).await;
    assert!(none.unwrap_err().contains("no variable of AWS"));
}

#[tokio::test]
async fn a_web_identity_is_exchanged_at_sts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a.web.token\n").unwrap();
    let good = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                <SessionToken>t</SessionToken><SecretAccessKey>s</SecretAccessKey>\
                <Expiration>2026-11-24T20:00:00Z</Expiration><AccessKeyId>ASIA1</AccessKeyId></Credentials>\
                </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let bad = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to assume it</Message>\
               </Error></ErrorResponse>";
    let (url, served) = server(vec![("POST / ", good.into()), ("POST / ", bad.into())]).await;
    let environment = environment(&[
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/mappr"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.path().to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &url),
    ]);
    is_read(&asked(&environment).await.unwrap());
    let refused = asked(&environment).await.unwrap_err();
    assert!(refused.contains("HTTP 403 AccessDenied Not authorized"), "{refused}");
    let seen = served.await.unwrap();
    for part in [
        "Action=AssumeRoleWithWebIdentity",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fmappr",
        "WebIdentityToken=a.web.token",
    ] {
        assert!(seen[0].contains(part), "{}", seen[0]);
    }
}

#[tokio::test]
async fn a_container_asks_its_agent_and_no_other_server_in_the_clear() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "pod-token\n").unwrap();
    let (url, served) = server(vec![("GET /v1/credentials ", KEYS.into())]).await;
    let full = format!("{url}/v1/credentials");
    let token = file.path().to_str().unwrap();
    let here = environment(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &full),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
    ]);
    is_read(&asked(&here).await.unwrap());
    assert!(served.await.unwrap()[0].contains("authorization: pod-token\r\n"));
    let elsewhere = environment(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/")]);
    assert!(asked(&elsewhere).await.unwrap_err().contains("without https"));
}

#[tokio::test]
async fn a_machine_has_a_role() {
    let (url, served) = server(vec![
        ("PUT /latest/api/token ", "session".into()),
        ("GET /latest/meta-data/iam/security-credentials/ ", "mappr\n".into()),
        ("GET /latest/meta-data/iam/security-credentials/mappr ", KEYS.into()),
    ])
    .await;
    let found = asked(&environment(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)])).await;
    is_read(&found.unwrap());
    assert!(served.await.unwrap()[2].contains("x-aws-ec2-metadata-token: session\r\n"));
}
