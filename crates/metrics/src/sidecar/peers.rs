//! The addresses of a cluster's sidecars.

use super::{PATIENCE, shown};
use crate::base_url::BaseUrl;
use crate::exporter::{ExporterSettings, ExporterUrl};
use crate::measured::BrokerAddress;
use mapper::BrokerId;
use reqwest::Url;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use tokio::time::timeout;

/// The path of the page, if a URL has none.
const PATH: &str = "/sidecar";

/// `http://{host}:8081` uses the brokers' hosts, and `1001=http://10.0.0.1:8081` is for one broker.
/// `http://kafka-sidecars:8081` is a name that resolves to all sidecars (a headless service) or to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SidecarPeers {
    /// One address for each broker, or for one broker.
    ByBroker(ExporterUrl),
    /// The page itself names its broker.
    ByName(BaseUrl),
}

/// One page to request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PeerPage {
    pub(super) url: Url,
    /// The broker that the page must be about.
    pub(super) broker: Option<BrokerId>,
}

impl FromStr for SidecarPeers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let of_one = text.split_once('=').is_some_and(|(id, _)| id.parse::<BrokerId>().is_ok());
        if of_one || text.contains('{') {
            return with_path(text).parse().map(Self::ByBroker);
        }
        let wrong = || "write http://{host}:8081 or http://SERVICE:8081".to_owned();
        let url = Url::parse(&with_path(text)).map_err(|_| wrong())?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self::ByName(BaseUrl(url))),
            _ => Err(wrong()),
        }
    }
}

/// Adds the page's path to the URL, unless it has a path.
fn with_path(text: &str) -> String {
    let after = text.split_once("://").map_or("", |(_, rest)| rest);
    match after.trim_end_matches('/').contains('/') {
        true => text.to_owned(),
        false => format!("{}{PATH}", text.trim_end_matches('/')),
    }
}

impl fmt::Display for SidecarPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByBroker(url) => url.fmt(f),
            Self::ByName(url) => f.write_str(&shown(url)),
        }
    }
}

impl SidecarPeers {
    /// The pages to request, or why a name does not resolve.
    pub(super) async fn asked(&self, brokers: &[BrokerAddress]) -> Result<Vec<PeerPage>, String> {
        match self {
            Self::ByBroker(url) => Ok(by_broker(url, brokers).await),
            Self::ByName(url) => by_name(url).await,
        }
    }
}

async fn by_broker(url: &ExporterUrl, brokers: &[BrokerAddress]) -> Vec<PeerPage> {
    let settings = ExporterSettings { urls: vec![url.clone()], metrics: Vec::new() };
    let of = |broker: &BrokerAddress| {
        let urls = settings.urls_of(broker).unwrap_or_default();
        let broker = broker.id;
        urls.into_iter().map(move |url| PeerPage { url, broker: Some(broker) })
    };
    let each = brokers.iter().flat_map(of).map(async |asked| PeerPage {
        url: by_address(&asked.url).await.unwrap_or(asked.url),
        broker: asked.broker,
    });
    futures::future::join_all(each).await
}

/// The same page by IP address, because a sidecar refuses requests for a name that it does not know. HTTPS keeps the
/// name, because the certificate is for it. A name that does not resolve also stays, so that the request reports the
/// reason.
async fn by_address(url: &Url) -> Option<Url> {
    let host = url.host_str().filter(|_| url.scheme() == "http")?;
    let port = url.port_or_known_default().unwrap_or(80);
    let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port));
    let found = timeout(PATIENCE, found).await.ok()?.ok()?;
    let addresses: Vec<IpAddr> = found.map(|address| plain(address.ip())).collect();
    // Pods listen at 0.0.0.0 by default.
    let address = addresses.iter().find(|one| one.is_ipv4()).or(addresses.first())?;
    let mut url = url.clone();
    url.set_ip_host(*address).ok()?;
    Some(url)
}

/// A page for each address of the name. HTTPS keeps the name, because the certificate is for it.
async fn by_name(url: &Url) -> Result<Vec<PeerPage>, String> {
    let one = || PeerPage { url: url.clone(), broker: None };
    let Some(host) = url.host_str().filter(|_| url.scheme() == "http") else {
        return Ok(vec![one()]);
    };
    let port = url.port_or_known_default().unwrap_or(80);
    let host = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| format!("sidecars at {}: {error}", shown(url)))?;
    let at = |address: SocketAddr| {
        let mut url = url.clone();
        // This cannot fail: the scheme is http, which accepts any host.
        let _ = url.set_ip_host(plain(address.ip()));
        PeerPage { url, broker: None }
    };
    Ok(found.map(at).collect())
}

fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
