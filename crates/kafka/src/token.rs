//! Bearer tokens: from a file, from a token endpoint by a client's id and secret (KIP-768; RFC 6749, section 4.4), or signed
//! for Amazon MSK.
//!
//! A token is kept until four fifths of its life are over, as Kafka's clients do.

use crate::aws::{AWS, AwsTokens};
use crate::error::Error;
use crate::http::{answer, cause, form, read};
use crate::properties::{ConfigError, Material, TokenEndpoint, TokenFrom, TokenSettings};
use crate::secret::Secret;
use crate::tls;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Certificate, Client, StatusCode, redirect};
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio_rustls::rustls::crypto::ring;

/// The share of a token's life after which a new one is fetched: Kafka's `sasl.login.refresh.window.factor`.
pub const REFRESH_AFTER: f64 = 0.8;
/// How long a token is kept that does not say when it ends.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60);
/// How many characters of an endpoint's message are shown.
const SHOWN_CHARACTERS: usize = 300;

/// A token for OAUTHBEARER.
#[derive(Debug, Clone)]
pub struct BearerToken {
    /// The token itself.
    pub text: Secret,
    /// The name in it (the claim `sub`), else the client's id.
    pub principal: String,
    /// Its end.
    pub expires: SystemTime,
    /// When the next one is fetched.
    pub refresh: SystemTime,
    /// Whether it was fetched for an earlier connection, too.
    pub(crate) is_kept: bool,
}

/// Why there is no token.
struct NoToken {
    reason: String,
    may_pass: bool,
}

impl From<String> for NoToken {
    /// The source may be renewed, or answer again.
    fn from(reason: String) -> Self {
        Self { reason, may_pass: true }
    }
}

/// Gives tokens, and keeps the last one.
#[derive(Debug)]
pub struct TokenSource {
    settings: TokenSettings,
    /// For an endpoint, or AWS.
    http: Option<Client>,
    aws: Option<AwsTokens>,
    last: Mutex<Option<BearerToken>>,
}

impl TokenSource {
    /// Prepares the source. Each request may take this long.
    ///
    /// # Errors
    /// [`ConfigError`] for authorities that cannot be used.
    pub fn new(settings: TokenSettings, patience: Duration) -> Result<Self, ConfigError> {
        let http = match &settings.from {
            TokenFrom::File(_) => None,
            TokenFrom::Endpoint(endpoint) => Some(client(endpoint, patience)?),
            // Keys in the environment need no server, and agents no TLS.
            TokenFrom::Aws(_) => Some(client_with(None, true, patience)?),
        };
        let aws = match &settings.from {
            TokenFrom::Aws(aws) => Some(AwsTokens::new(aws.clone())),
            TokenFrom::File(_) | TokenFrom::Endpoint(_) => None,
        };
        Ok(Self { settings, http, aws, last: Mutex::default() })
    }

    /// What is sent with each token.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = (&String, &String)> {
        self.settings.extensions.iter()
    }

    /// The current token, or a new one.
    ///
    /// # Errors
    /// [`Error::Token`] with what the file or the endpoint answered.
    pub async fn token(&self) -> Result<BearerToken, Error> {
        let mut last = self.last.lock().await;
        let now = SystemTime::now();
        if let Some(token) = last.as_ref().filter(|token| now < token.refresh) {
            return Ok(BearerToken { is_kept: true, ..token.clone() });
        }
        match (self.fetch(now).await, last.as_ref()) {
            (Ok(token), _) => Ok(last.insert(token).clone()),
            (Err(NoToken { reason, .. }), Some(token)) if now < token.expires => {
                tracing::warn!(source = %self.name(), %reason, "no new token; the old one is still valid");
                Ok(token.clone())
            }
            (Err(NoToken { reason, may_pass }), _) => {
                Err(Error::Token { origin: self.name(), reason, may_pass })
            }
        }
    }

    /// Drops the token, because a broker refused it.
    pub(crate) async fn forget(&self) {
        self.last.lock().await.take();
    }

    fn name(&self) -> String {
        match &self.settings.from {
            TokenFrom::File(path) => path.display().to_string(),
            TokenFrom::Aws(_) => AWS.to_owned(),
            TokenFrom::Endpoint(endpoint) => {
                let mut url = endpoint.url.clone();
                // A query may hold keys.
                url.set_query(None);
                url.to_string()
            }
        }
    }

    async fn fetch(&self, now: SystemTime) -> Result<BearerToken, NoToken> {
        if let (Some(aws), Some(http)) = (&self.aws, &self.http) {
            let signed = aws.token(http, now).await?;
            return Ok(found(&signed.text, now, Some(&signed.key_id), Some(signed.life))?);
        }
        let token = match (&self.settings.from, &self.http) {
            (TokenFrom::Endpoint(endpoint), Some(http)) => {
                let answer = ask(http, endpoint).await?;
                let life = answer.expires_in.and_then(time);
                found(&answer.access_token, now, Some(&endpoint.client_id), life)?
            }
            (TokenFrom::File(path), _) => found(&read(path)?, now, None, None)?,
            (TokenFrom::Endpoint(_) | TokenFrom::Aws(_), _) => {
                return Err("it has no client".to_owned().into());
            }
        };
        match now.duration_since(token.expires) {
            Ok(since) => Err(format!("the token ended {} s ago", since.as_secs()).into()),
            Err(_) => Ok(token),
        }
    }
}

fn client(endpoint: &TokenEndpoint, patience: Duration) -> Result<Client, ConfigError> {
    let host = endpoint.url.host_str().unwrap_or_default();
    let is_open = endpoint.url.scheme() == "http";
    if is_open && !crate::sasl::is_here(host) {
        tracing::warn!(
            "the secret of client {} is sent without encryption to {host}, where anything on the way can read it: \
             an https:// token endpoint keeps it secret",
            endpoint.client_id
        );
    }
    client_with(endpoint.ca.as_ref(), is_open, patience)
}

/// A client that trusts this authority, or the machine's own. `is_open`: it can do without any.
fn client_with(
    ca: Option<&Material>,
    is_open: bool,
    patience: Duration,
) -> Result<Client, ConfigError> {
    // Only the first provider of a process counts, and ours is the same everywhere.
    let _ = ring::default_provider().install_default();
    let unusable = |error: reqwest::Error| ConfigError::Material {
        key: "https.ca.location",
        reason: cause(&error),
        instead: Some("set https.ca.location to the CA of the token endpoint, in PEM"),
    };
    let with = |roots: Option<Vec<Certificate>>| {
        // A redirect would send the secret to another server.
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            // Each token may be fetched by another runtime, which ends with its connections.
            .pool_max_idle_per_host(0)
            .timeout(patience)
            .user_agent(concat!("mappr/", env!("CARGO_PKG_VERSION")));
        match roots {
            Some(roots) => builder.tls_certs_only(roots).build(),
            None => builder.build(),
        }
    };
    let own = ca.map(tls::certificates).transpose()?;
    let own = own.map(|all| all.iter().map(|one| Certificate::from_der(one)).collect());
    let own: Option<Vec<Certificate>> = own.transpose().map_err(unusable)?;
    match (with(own.clone()), own) {
        // A slim image has no certificates, but plain HTTP needs none.
        (Err(_), None) if is_open => with(Some(Vec::new())).map_err(unusable),
        (built, _) => built.map_err(unusable),
    }
}

/// An endpoint's answer (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// In seconds.
    expires_in: Option<f64>,
}

/// An endpoint's refusal (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
    error_description: Option<String>,
}

async fn ask(http: &Client, endpoint: &TokenEndpoint) -> Result<TokenAnswer, NoToken> {
    let grant = ("grant_type", "client_credentials");
    let scope = endpoint.scope.as_deref().map(|scope| ("scope", scope));
    let body = form([grant].into_iter().chain(scope))?;
    let (mut id, mut secret) =
        (endpoint.client_id.clone(), endpoint.client_secret.expose().to_owned());
    if endpoint.encodes_header {
        for text in [&mut id, &mut secret] {
            *text = form([("x", text.as_str())])?.split_off("x=".len());
        }
    }
    let request = http
        .post(endpoint.url.clone())
        .basic_auth(id, Some(secret))
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let (status, body) = answer(request).await?;
    if status.is_success() {
        let malformed = |_| "its answer holds no access_token in JSON".to_owned();
        return serde_json::from_slice(&body).map_err(malformed).map_err(NoToken::from);
    }
    let refusal: Option<TokenRefusal> = serde_json::from_slice(&body).ok();
    let said = refusal.map(|refusal| match refusal.error_description {
        Some(text) => format!(": {} ({text})", refusal.error),
        None => format!(": {}", refusal.error),
    });
    let said = said.unwrap_or_default().replace(endpoint.client_secret.expose(), "[hidden]");
    let said: String = said.chars().filter(|c| !c.is_control()).take(SHOWN_CHARACTERS).collect();
    let may_pass = !status.is_client_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(NoToken { reason: format!("HTTP {}{said}", status.as_u16()), may_pass })
}

/// The claims of a JSON web token that we read (RFC 7519). The broker verifies the token; we only ask how long it lasts.
#[derive(Default, Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
}

fn found(
    text: &str,
    now: SystemTime,
    client_id: Option<&str>,
    life: Option<Duration>,
) -> Result<BearerToken, String> {
    let text = text.trim();
    // RFC 6750, section 2.1. Anything else would break the frame that carries it.
    let is_sound = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if text.is_empty() || !text.chars().all(is_sound) {
        return Err("it holds no bearer token".to_owned());
    }
    let claims = claims(text).unwrap_or_default();
    let end = claims.exp.and_then(time).and_then(|exp| SystemTime::UNIX_EPOCH.checked_add(exp));
    let expires = end.or_else(|| now.checked_add(life?)).unwrap_or(now + UNKNOWN_LIFE);
    let left = expires.duration_since(now).unwrap_or_default();
    Ok(BearerToken {
        text: Secret::new(text),
        principal: claims.sub.unwrap_or_else(|| client_id.unwrap_or("unknown").to_owned()),
        expires,
        refresh: now + left.mul_f64(REFRESH_AFTER),
        is_kept: false,
    })
}

/// Seconds, as an endpoint or a token writes them. `None`: more than a time can be.
fn time(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number.max(0.0)).ok()
}

/// The claims of a signed token. `None` if it is none, or is encrypted.
fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload) = (parts.next()?, parts.next()?);
    let (Some(_), None) = (parts.next(), parts.next()) else { return None };
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests;
