//! Refuses requests that a foreign web page makes a browser send.
//!
//! A browser states which page sends a request (`Origin`, `Sec-Fetch-Site`), and by which name it reached the server
//! (`Host`). A page whose own name resolves to this address (DNS rebinding) passes the first two checks, but not the
//! third. Clients that are no browsers do not send the first two headers.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The most characters of a foreign name in a message.
const SHOWN: usize = 100;
/// The shortest time between two log lines about refusals.
const TOLD: Duration = Duration::from_secs(1);

/// The peer address of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct From(pub(super) SocketAddr);

/// Names of a server. `localhost` and IP addresses are always accepted: no attacker can redirect an IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNames {
    /// The flag that lists the names, for the message to a refused client.
    flag: &'static str,
    names: Vec<String>,
}

impl ServerNames {
    /// These names, which `flag` lists; upper and lower case are equal.
    pub fn of(flag: &'static str, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { flag, names: names.into_iter().map(|name| plain(name.as_ref())).collect() }
    }

    /// Whether a request for this `HOST` or `HOST:PORT` is meant for this server.
    fn admit(&self, authority: &str) -> bool {
        let Ok(parsed) = authority.parse::<Authority>() else { return false };
        if authority.contains('@') {
            return false;
        }
        let host = parsed.host();
        let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match literal {
            Some(inside) => inside.parse::<IpAddr>().is_ok(),
            None if host.parse::<IpAddr>().is_ok() => true,
            None => {
                let name = plain(host);
                name == "localhost" || self.names.contains(&name)
            }
        }
    }
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Parses a server name from a flag.
///
/// # Errors
/// A sentence, for anything else.
pub fn host_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("write a name without scheme and port: autothrottle.kafka.svc".to_owned()),
    }
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NoHost,
    Host(String),
    Page { header: HeaderName, value: String },
}

/// The state of the guard.
#[derive(Debug)]
struct HostGuard {
    names: ServerNames,
    tls: bool,
    /// The time of the last logged refusal, and the number of refusals since then.
    told: Mutex<(Option<Instant>, u64)>,
}

/// The routes behind the guard.
pub(super) fn guarded(routes: Router, names: ServerNames, tls: bool) -> Router {
    let guard = Arc::new(HostGuard { names, tls, told: Mutex::default() });
    routes.layer(from_fn_with_state(guard, stand))
}

async fn stand(State(guard): State<Arc<HostGuard>>, request: Request, next: Next) -> Response {
    match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            guard.tell(&refusal, &request);
            refusal.answer(guard.names.flag)
        }
    }
}

impl HostGuard {
    fn judge(&self, request: &Request) -> Result<(), Refusal> {
        let (headers, uri) = (request.headers(), request.uri());
        let mut hosts = texts(headers, &HOST);
        hosts.extend(uri.authority().map(|authority| authority.as_str().to_owned()));
        if hosts.is_empty() && request.version() > Version::HTTP_10 {
            return Err(Refusal::NoHost);
        }
        if let Some(foreign) = hosts.iter().find(|host| !self.names.admit(host)) {
            return Err(Refusal::Host(foreign.clone()));
        }
        // These methods change nothing, and a browser hides the answer from a foreign page.
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let ours = |site: &String| matches!(site.as_str(), "same-origin" | "none");
        let foreign = |header: HeaderName, value: &String| {
            Err(Refusal::Page { header, value: value.clone() })
        };
        if let Some(site) = texts(headers, &SITE).iter().find(|site| !ours(site)) {
            return foreign(SITE, site);
        }
        let own = |origin: &String| hosts.iter().any(|host| self.is_own(origin, host));
        match texts(headers, &ORIGIN).iter().find(|origin| !own(origin)) {
            Some(origin) => foreign(ORIGIN, origin),
            None => Ok(()),
        }
    }

    /// Whether an origin is this server. A proxy in front may add TLS, but never removes it.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        match origin.split_once("://") {
            Some(("https", authority)) => authority.eq_ignore_ascii_case(host),
            Some(("http", authority)) => !self.tls && authority.eq_ignore_ascii_case(host),
            _ => false,
        }
    }

    /// Logs a refusal, so that an operator sees the client. The rate limit keeps the log from filling the disk.
    fn tell(&self, refusal: &Refusal, request: &Request) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0.is_some_and(|last| last.elapsed() < TOLD) {
            told.1 += 1;
            return;
        }
        let untold = told.1;
        *told = (Some(Instant::now()), 0);
        drop(told);
        let from = request.extensions().get::<From>().map(|From(from)| from.to_string());
        let path = shown(request.uri().path());
        let (method, from) = (shown(request.method().as_str()), from.unwrap_or_default());
        tracing::warn!(from, method, path, untold, "a request is refused: {}", refusal.sentence());
    }
}

/// Each value of a header. A value that is no text keeps a replacement character, so it matches no name.
fn texts(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// Text of a client, made safe for a log: without control characters, and cut to a length.
fn shown(text: &str) -> String {
    let fit = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().take(SHOWN).map(fit).collect()
}

impl Refusal {
    fn sentence(&self) -> String {
        match self {
            Self::NoHost => "it has no Host header".to_owned(),
            Self::Host(host) => {
                let host = shown(host);
                format!("its Host \"{host}\" is neither an address nor a name of this server")
            }
            Self::Page { header, value } => {
                let value = shown(value);
                format!("a page of another server would change something ({header}: {value})")
            }
        }
    }

    fn answer(&self, flag: &str) -> Response {
        let (status, code) = match self {
            Self::NoHost => (StatusCode::BAD_REQUEST, "no-host"),
            Self::Host(_) => (StatusCode::FORBIDDEN, "foreign-host"),
            Self::Page { .. } => (StatusCode::FORBIDDEN, "foreign-page"),
        };
        let hint = match self {
            Self::Host(_) => format!(": if it is, list it with {flag}"),
            Self::NoHost | Self::Page { .. } => String::new(),
        };
        let message = format!("the request is refused: {}{hint}", self.sentence());
        let body = json!({"error": {"code": code, "message": message}}).to_string() + "\n";
        (status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn judged(names: &[&str], tls: bool, method: &str, headers: &[(&str, &str)]) -> &'static str {
        let mut request = Request::builder().method(method).uri("/throttle?rate=5");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let guard =
            HostGuard { names: ServerNames::of("--api-host", names), tls, told: Mutex::default() };
        match guard.judge(&request.body(Body::empty()).unwrap()) {
            Ok(()) => "in",
            Err(Refusal::NoHost) => "no host",
            Err(Refusal::Host(_)) => "host",
            Err(Refusal::Page { .. }) => "page",
        }
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused_and_every_address_is_taken() {
        let of = |host: &str| judged(&["Auto.Kafka.svc"], false, "GET", &[("host", host)]);
        for ours in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.:8080",
            "127.0.0.1:8080",
            "127.8.8.8",
            "[::1]:8080",
            "[::1]",
            "10.2.3.4:8090",
            "auto.kafka.svc:8080",
        ] {
            assert_eq!(of(ours), "in", "{ours}");
        }
        for foreign in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "127.1",
            "0x7f000001",
            "",
            " ",
            "localhost, evil.example",
            "[evil]",
            "auto.kafka.svc.evil.example",
            "\u{e9}vil",
            "kafka.svc",
        ] {
            assert_eq!(of(foreign), "host", "{foreign:?}");
        }
        assert_eq!(judged(&[], false, "GET", &[]), "no host");
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(judged(&[], false, "GET", &two), "host");
    }

    #[test]
    fn a_foreign_page_changes_nothing_and_ours_does() {
        let post = |tls: bool, more: &[(&str, &str)]| {
            let host = [("host", "localhost:8080")];
            let all: Vec<_> = host.iter().chain(more).copied().collect();
            let changes = ["POST", "PUT", "DELETE", "PATCH", "BREW"];
            let said = changes.map(|method| judged(&[], tls, method, &all));
            assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
            assert_eq!(judged(&[], tls, "GET", &all), "in", "what reads");
            said[0]
        };
        assert_eq!(post(false, &[]), "in", "curl");
        let page = [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
        assert_eq!(post(false, &page), "in");
        assert_eq!(post(true, &page), "page", "plain HTTP is not this server");
        assert_eq!(post(true, &[("origin", "https://localhost:8080")]), "in");
        assert_eq!(post(false, &[("sec-fetch-site", "none")]), "in");
        for origin in [
            "http://evil.example",
            "http://localhost",
            "http://localhost:80801",
            "http://127.0.0.1:8080",
            "null",
            "",
            "localhost:8080",
            "ftp://localhost:8080",
        ] {
            assert_eq!(post(false, &[("origin", origin)]), "page", "{origin}");
        }
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            assert_eq!(post(false, &[("sec-fetch-site", site)]), "page", "{site}");
        }
    }

    #[test]
    fn what_others_say_is_shown_without_control_characters() {
        let refusal = Refusal::Host("a\r\nb\u{1b}[31m\u{9b}c".repeat(100));
        let said = refusal.sentence();
        assert!(!said.chars().any(char::is_control) && said.len() < 1_000, "{said}");
    }

    #[test]
    fn a_name_is_a_name() {
        assert!(
            ["a", "autothrottle.kafka.svc", "under_score"].iter().all(|n| host_name(n).is_ok())
        );
        assert!(["", "a:1", "http://a", "a/b", "*"].iter().all(|name| host_name(name).is_err()));
    }
}
