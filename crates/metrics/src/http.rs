//! HTTP with limits: each answer has a deadline and a size limit.
//!
//! It does not follow redirects, so that keys reach only the configured server. Errors show the URL without user,
//! password and query.

use crate::error::MetricsError;
use crate::http_settings::{BadSettings, HttpSettings};
use crate::secret::Shows;
use local::without_login;
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url, redirect};
use std::time::Duration;

/// The pauses before each retry of a read.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// The size limit of an answer that is only dropped.
const MOST_OF_AN_ANSWER: usize = 1 << 16;
const CONNECT: Duration = Duration::from_secs(5);
/// How many characters of a server's message are shown.
const SHOWN_CHARACTERS: usize = 300;

/// A client for servers of one kind.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    timeout: Duration,
    /// Sent with every request, and removed from the server's messages.
    secrets: Vec<Shows>,
}

impl Http {
    /// Prepares the client.
    pub(crate) fn new(settings: &HttpSettings, secrets: Vec<Shows>) -> Result<Self, BadSettings> {
        secrets.iter().try_for_each(|shows| shows.value().map(drop))?;
        // Only the first provider of a process counts, and ours is the same everywhere.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let bad = |error: reqwest::Error| BadSettings {
            flag: "--metrics-ca",
            problem: cause(&error.without_url()),
        };
        let own =
            settings.ca.as_deref().map(Certificate::from_pem_bundle).transpose().map_err(bad)?;
        let with = |roots: Option<Vec<Certificate>>| {
            let builder = Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT.min(settings.timeout))
                .timeout(settings.timeout)
                .user_agent(concat!("mappr/", env!("CARGO_PKG_VERSION")));
            let builder = if settings.proxy { builder } else { builder.no_proxy() };
            match roots {
                Some(roots) => builder.tls_certs_only(roots).build(),
                None => builder.build(),
            }
        };
        let client = match (with(own.clone()), own) {
            // A slim image has no certificates, but pages over plain HTTP need none.
            (Err(_), None) => with(Some(mozillas())).map_err(bad)?,
            (built, _) => built.map_err(bad)?,
        };
        Ok(Self { client, timeout: settings.timeout, secrets })
    }

    /// Adds the current secrets to the request. Without a secret that cannot be sent, the server refuses the request,
    /// as it does for a wrong one.
    fn with_secrets(&self, request: RequestBuilder) -> RequestBuilder {
        let sound = self.secrets.iter().filter_map(|one| Some((one, one.value().ok()?)));
        sound.fold(request, |request, (one, value)| request.header(&one.name, value))
    }

    /// Sends one GET request.
    pub(crate) async fn get(&self, url: Url, most_bytes: usize) -> Result<Vec<u8>, MetricsError> {
        let shown = shown(&url);
        match self.with_secrets(self.client.get(url)).send().await {
            Ok(response) => self.read(response, &shown, most_bytes).await.map_err(|no| no.error),
            Err(error) => Err(self.unreachable(&shown, error)),
        }
    }

    /// Retries failures that may pass, all within one timeout.
    pub(crate) async fn get_patiently(
        &self,
        url: Url,
        most_bytes: usize,
    ) -> Result<Vec<u8>, MetricsError> {
        let shown = shown(&url);
        self.patiently(&shown, most_bytes, || self.client.get(url.clone())).await
    }

    /// Sends JSON to a URL that is not shown, with retries: what is told twice does no harm.
    pub(crate) async fn post_patiently(
        &self,
        url: &Url,
        shown: &str,
        json: Vec<u8>,
    ) -> Result<(), MetricsError> {
        let request = || self.post_of(url.clone(), json.clone());
        self.patiently(shown, MOST_OF_AN_ANSWER, request).await.map(drop)
    }

    async fn patiently(
        &self,
        shown: &str,
        most_bytes: usize,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, MetricsError> {
        let mut last = None;
        let once = async || match self.with_secrets(request()).send().await {
            Ok(response) => self.read(response, shown, most_bytes).await,
            Err(error) => {
                Err(No { again: true, after: None, error: self.unreachable(shown, error) })
            }
        };
        let tries = async {
            for pause in PAUSES {
                let no = match once().await {
                    Ok(body) => return Ok(body),
                    Err(no) => no,
                };
                if !no.again {
                    return Err(no.error);
                }
                tracing::info!(error = %no.error, "retrying");
                last = Some(no.error);
                tokio::time::sleep(no.after.unwrap_or(pause)).await;
            }
            once().await.map_err(|no| no.error)
        };
        match tokio::time::timeout(self.timeout, tries).await {
            Ok(answer) => answer,
            Err(_) => Err(last.unwrap_or_else(|| MetricsError::Unreachable {
                url: shown.to_owned(),
                reason: format!("no answer within {} s", self.timeout.as_secs_f64()),
            })),
        }
    }

    /// Sends JSON, once, because it may change something.
    pub(crate) async fn post(&self, url: Url, json: Vec<u8>) -> Result<(), MetricsError> {
        let shown = shown(&url);
        match self.with_secrets(self.post_of(url, json)).send().await {
            Ok(answer) => {
                self.read(answer, &shown, MOST_OF_AN_ANSWER).await.map(drop).map_err(|no| no.error)
            }
            Err(error) => Err(self.unreachable(&shown, error)),
        }
    }

    fn post_of(&self, url: Url, json: Vec<u8>) -> RequestBuilder {
        self.client.post(url).header("content-type", "application/json").body(json)
    }

    async fn read(&self, response: Response, url: &str, most_bytes: usize) -> Result<Vec<u8>, No> {
        let status = response.status();
        if status.is_success() {
            return self.body(response, url, most_bytes).await;
        }
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        // The second header is Datadog's.
        let after = header(RETRY_AFTER.as_str()).or_else(|| header("x-ratelimit-reset"));
        let after = after.and_then(|s| s.parse().ok()).map(Duration::from_secs);
        let elsewhere =
            header(LOCATION.as_str()).and_then(|to| Url::parse(to).ok()).map(|to| self::shown(&to));
        let again = matches!(status.as_u16(), 429 | 500 | 502..=504);
        let message = match elsewhere {
            Some(to) if status.is_redirection() => format!("a redirect to {to}: name that one"),
            _ => self.beginning(response, status).await,
        };
        let error = MetricsError::Refused { url: url.to_owned(), status: status.as_u16(), message };
        Err(No { again, after, error })
    }

    async fn body(&self, mut from: Response, url: &str, most_bytes: usize) -> Result<Vec<u8>, No> {
        let no = |again, error| No { again, after: None, error };
        let mut body = Vec::new();
        loop {
            match from.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) if body.len() + chunk.len() <= most_bytes => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    let problem = format!("more than {most_bytes} bytes");
                    let url = url.to_owned();
                    return Err(no(false, MetricsError::Malformed { url, problem }));
                }
                Err(error) => return Err(no(true, self.unreachable(url, error))),
            }
        }
    }

    /// The beginning of a refusal's text, on one line.
    async fn beginning(&self, mut response: Response, status: StatusCode) -> String {
        let mut text = Vec::new();
        while text.len() < 4 * SHOWN_CHARACTERS
            && let Ok(Some(chunk)) = response.chunk().await
        {
            text.extend_from_slice(&chunk);
        }
        match self.fit(&String::from_utf8_lossy(&text)) {
            line if line.is_empty() => {
                status.canonical_reason().unwrap_or("no reason given").to_owned()
            }
            line => line,
        }
    }

    fn unreachable(&self, url: &str, error: reqwest::Error) -> MetricsError {
        let reason = match error.is_timeout() {
            true => format!("no answer within {} s", self.timeout.as_secs_f64()),
            false => self.fit(&cause(&error.without_url())),
        };
        MetricsError::Unreachable { url: url.to_owned(), reason }
    }

    /// A server's message in a form that may be shown: one line of limited length, without our secrets.
    pub(crate) fn fit(&self, text: &str) -> String {
        let text =
            self.secrets.iter().fold(text.to_owned(), |text, one| one.secret.cut_from(&text));
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().filter(|c| !c.is_control()).take(SHOWN_CHARACTERS).collect()
    }
}

/// The root certificates that Mozilla trusts.
fn mozillas() -> Vec<Certificate> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    roots.filter_map(|root| Certificate::from_der(root).ok()).collect()
}

/// A failed request.
struct No {
    /// Whether a retry may succeed.
    again: bool,
    /// When to retry, if the server says so.
    after: Option<Duration>,
    error: MetricsError,
}

/// A URL in a form that may be shown, without user, password and query.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These calls fail only for URLs that cannot have a user.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    // A typing error can put a password into the path.
    without_login(url.as_str())
}

/// The innermost cause. The outer ones say "error sending request" and "client error".
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
