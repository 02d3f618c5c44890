//! Requests for temporary credentials, in the formats that AWS documents.

use super::credentials::{AwsCredentials, AwsEnvironment};
use crate::http::{answer, form, read};
use crate::sasl::is_here;
use crate::secret::Secret;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The machine's own endpoint answers at once, or there is none.
const MACHINE: Duration = Duration::from_secs(2);
/// Where the agents of ECS and EKS serve credentials without TLS.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
/// How many characters of an answer are shown.
const SHOWN: usize = 200;

/// What the endpoints of containers and machines answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeysAnswer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

impl KeysAnswer {
    fn parse(text: &str) -> Result<AwsCredentials, String> {
        let answer: Self = serde_json::from_str(text)
            .map_err(|_| "its answer holds no keys in JSON".to_owned())?;
        Ok(AwsCredentials {
            key_id: answer.access_key_id,
            secret: Secret::new(answer.secret_access_key),
            session_token: answer.token.map(Secret::new),
            expires: answer.expiration.as_deref().and_then(time),
        })
    }
}

/// `AssumeRoleWithWebIdentity` of STS, which needs no signature.
pub(super) async fn web_identity(
    environment: &AwsEnvironment,
    http: &Client,
    file: &str,
    region: &str,
) -> Result<AwsCredentials, String> {
    let role = environment.get("AWS_ROLE_ARN").ok_or("AWS_ROLE_ARN is not set")?;
    let token = read(Path::new(file)).map_err(|why| format!("{file}: {why}"))?;
    let named = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
    let named = named.into_iter().filter_map(|name| environment.get(name)).next();
    // China's regions have another domain.
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    let url =
        named.map_or_else(|| format!("https://sts.{region}.amazonaws.com{end}/"), str::to_owned);
    let body = form([
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("mappr")),
        ("WebIdentityToken", token.trim()),
    ])?;
    let request =
        http.post(parsed(&url)?).header("content-type", "application/x-www-form-urlencoded");
    let answer = said(request.body(body)).await?;
    let field = |name: &str| between(&answer, name).map(str::to_owned);
    let needed = |name: &str| field(name).ok_or_else(|| format!("its answer holds no {name}"));
    Ok(AwsCredentials {
        key_id: needed("AccessKeyId")?,
        secret: Secret::new(needed("SecretAccessKey")?),
        session_token: Some(Secret::new(needed("SessionToken")?)),
        expires: field("Expiration").as_deref().and_then(time),
    })
}

/// The endpoint of ECS or of EKS Pod Identity; `None` if no variable names one.
pub(super) async fn container(
    environment: &AwsEnvironment,
    http: &Client,
) -> Option<Result<AwsCredentials, String>> {
    let full = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(str::to_owned);
    let relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let url = full.or_else(|| relative.map(|path| format!("http://{}{path}", AGENTS[0])))?;
    Some(from_agent(environment, http, &url).await)
}

async fn from_agent(
    environment: &AwsEnvironment,
    http: &Client,
    url: &str,
) -> Result<AwsCredentials, String> {
    let url = parsed(url)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if url.scheme() != "https" && !is_here(host) && !AGENTS.contains(&host) {
        return Err("without https, it must be this machine or an agent of ECS or EKS".to_owned());
    }
    let token = match environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => {
            let read = read(Path::new(file));
            Some(read.map_err(|why| format!("{file}: {why}"))?.trim().to_owned())
        }
        None => environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let request =
        token.into_iter().fold(http.get(url), |it, token| it.header("authorization", token));
    KeysAnswer::parse(&said(request).await?)
}

/// The role of the machine (IMDSv2).
pub(super) async fn machine(
    environment: &AwsEnvironment,
    http: &Client,
) -> Result<AwsCredentials, String> {
    let named = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let base = named.unwrap_or("http://169.254.169.254").trim_end_matches('/');
    let url = |path: &str| parsed(&format!("{base}/latest/{path}"));
    let life = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let token = http.put(url("api/token")?).header(life.0, life.1).timeout(MACHINE);
    let token = said(token).await?;
    let get = |path: &str| {
        let request = http.get(url(path)?).header("x-aws-ec2-metadata-token", &token);
        Ok::<_, String>(request.timeout(MACHINE))
    };
    let roles = "meta-data/iam/security-credentials/";
    let role = said(get(roles)?).await?;
    let role = role.lines().next().ok_or("it has no role")?.trim();
    KeysAnswer::parse(&said(get(&format!("{roles}{role}"))?).await?)
}

fn parsed(url: &str) -> Result<Url, String> {
    Url::parse(url).map_err(|error| format!("its address is no URL: {error}"))
}

/// The text of a good answer. Of another one, the code and the message of AWS.
async fn said(request: RequestBuilder) -> Result<String, String> {
    let (status, body) = answer(request).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() {
        return Ok(body);
    }
    let told = ["Code", "Message"].map(|name| between(&body, name).unwrap_or_default());
    let told: String = told.join(" ").chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    Err(format!("HTTP {} {}", status.as_u16(), told.trim()).trim_end().to_owned())
}

/// The text of the first XML element of this name. What we read has neither attributes nor escapes.
fn between<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// `2026-11-24T19:00:00Z`.
fn time(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}
