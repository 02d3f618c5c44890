//! The base of a metrics system's API.

use crate::http::shown;
use crate::http_settings::BadSettings;
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;

/// The URL of a server. It may contain a user and a password, which `Debug` leaves out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseUrl(pub(crate) Url);

impl std::ops::Deref for BaseUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// Whether the network can read what is sent there: plain HTTP to another machine.
pub(crate) fn is_open(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !here
}

/// Warns if a secret goes over plain HTTP to another machine.
pub fn warn_if_open(url: &str, secret: &str, flag: &str) {
    if let Some(url) = Url::parse(url).ok().filter(is_open) {
        let url = shown(&url);
        tracing::warn!(
            "{secret} is sent to {url} over plain HTTP, where anything on the way can read it; {flag} takes https://"
        );
    }
}

/// The base of an API: `http://prometheus:9090`, with a path if a proxy needs one.
pub(crate) fn base(text: &str, flag: &'static str) -> Result<BaseUrl, BadSettings> {
    let bad = |problem: String| BadSettings { flag, problem };
    let url = Url::parse(text.trim()).map_err(|error| bad(format!("no URL: {error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(BaseUrl(url)),
        _ => Err(bad("write http://HOST:PORT or https://HOST:PORT".to_owned())),
    }
}

/// A URL below a base, with or without a trailing slash in the base.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url
}

/// The URL of `path` below the base that a flag gives.
///
/// # Errors
/// The flag gives no URL of HTTP.
pub fn api_url(text: &str, flag: &'static str, path: &str) -> Result<Url, BadSettings> {
    let base = base(text, flag)?;
    Ok(below(&base, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_may_be_below_the_path_of_a_proxy() {
        let at = |text| api_url(text, "--canary", "v1/state").map(|url| url.to_string());
        assert_eq!(at("http://h:8080").unwrap(), "http://h:8080/v1/state");
        assert_eq!(at("https://h/daemon/").unwrap(), "https://h/daemon/v1/state");
        let refused = at("localhost:8080").unwrap_err().to_string();
        assert!(refused.contains("write http://HOST:PORT"), "{refused}");
    }

    #[test]
    fn a_login_in_a_url_is_not_shown() {
        let base = base("http://u:p@h:1/x?token=t", "--prometheus-url").unwrap();
        assert_eq!(format!("{base:?}"), "http://h:1/x");
    }

    #[test]
    fn plain_http_is_open_but_to_this_machine() {
        let open = |url: &str| is_open(&Url::parse(url).unwrap());
        assert!(open("http://prometheus:9090") && open("http://10.0.0.1"));
        for closed in ["https://h", "http://localhost:1", "http://127.0.0.1", "http://[::1]:8080"] {
            assert!(!open(closed), "{closed}");
        }
    }
}
