//! The daemons behind a URL: its name may have several addresses, and one daemon leads.
//!
//! A headless Service resolves to every pod. The daemon that took the last request is asked first, and without a question to
//! the name server. If it refuses, all addresses are asked. Daemons that wait for the lead refuse (503).

use crate::error::Error;
use crate::files;
use crate::watched::Watched;
use futures::{StreamExt, stream};
use metrics::{cause, value_without_login};
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

/// The time limit for an answer of a daemon.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many daemons are asked at a time.
const AT_A_TIME: usize = 16;
/// The largest answer that is read, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// The way to the daemons of a cluster.
pub(crate) struct Daemons {
    url: Url,
    /// The URL for messages, without credentials.
    shown: String,
    /// The token for the API, from a file that may be replaced.
    token: Option<Watched<String, Error>>,
    /// The only authorities to trust; `None`: the system's.
    roots: Option<Vec<Certificate>>,
    /// Of the daemon that took the last request.
    leader: Option<Client>,
}

/// What to make of the answer of one daemon.
type ReadAnswer<'r, T> = &'r dyn Fn(Vec<u8>) -> Result<T, Untaken>;

/// Why a daemon did not take a request. The last is what people want to read about first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Untaken {
    /// It did not answer.
    Silent(String),
    /// It does not lead, or cannot serve now.
    Waits(String),
    /// It refused.
    Refused(String),
}

impl Daemons {
    /// Reads the files of a token and of authorities, for the flags of the URL and of the authorities. Sends no request.
    pub(crate) fn at(
        (flag, ca_flag): (&'static str, &'static str),
        url: &str,
        path: &str,
        token: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Self, Error> {
        let url = metrics::api_url(url, flag, path)?;
        // Only the first provider of a process counts, and this program uses the same one everywhere.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let text = |texts: &[Vec<u8>]| Ok(String::from_utf8_lossy(&texts[0]).trim().to_owned());
        let token = token.map(|path| Watched::open(&[path], text)).transpose()?;
        let roots = ca.map(files::read).transpose()?;
        let of = ca.map(|path| path.display().to_string()).unwrap_or_default();
        let wrong = |error: reqwest::Error| {
            local::Error::flag(ca_flag, value_without_login(&of), error.to_string())
        };
        let roots = roots.map(|pem| Certificate::from_pem_bundle(&pem)).transpose();
        let roots = match (roots.map_err(wrong)?, url.scheme()) {
            // Without TLS, the system's certificates are not needed and may be missing.
            (None, "http") => Some(Vec::new()),
            (roots, _) => roots,
        };
        if token.is_some() {
            let secret = format!("the token of {flag}-token-file");
            metrics::warn_if_open(url.as_str(), &secret, flag);
        }
        let shown = value_without_login(url.as_str());
        let daemons = Self { url, shown, token, roots, leader: None };
        // Wrong authorities are an error now, not at the first request.
        daemons.client(SocketAddr::from(([127, 0, 0, 1], 0))).map_err(wrong)?;
        Ok(daemons)
    }

    /// The URL for messages.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// A client of one address. With TLS, the daemon there proves that it has the URL's name.
    fn client(&self, address: SocketAddr) -> Result<Client, reqwest::Error> {
        let builder =
            Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).no_proxy();
        let builder = match self.url.host_str() {
            Some(name) => builder.resolve(name, address),
            None => builder,
        };
        match &self.roots {
            Some(roots) => builder.tls_certs_only(roots.clone()).build(),
            None => builder.build(),
        }
    }

    /// Posts a JSON document, and returns the answer of the daemon that takes it. The error is that of the daemon that
    /// says most.
    pub(crate) async fn post(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        self.ask(Some(body), &Ok).await
    }

    /// Gets the URL, and returns what `read` makes of the answer of the first daemon whose answer it takes.
    pub(crate) async fn get<T>(&mut self, read: ReadAnswer<'_, T>) -> Result<T, String> {
        self.ask(None, read).await
    }

    async fn ask<T>(&mut self, body: Option<&[u8]>, read: ReadAnswer<'_, T>) -> Result<T, String> {
        if let Some(answer) = self.ask_leader(body, read).await {
            return Ok(answer);
        }
        let addresses = self.resolve().await?;
        let (leader, answer) = self.ask_all(&addresses, body, read).await?;
        self.leader = Some(leader);
        Ok(answer)
    }

    async fn ask_leader<T>(&self, body: Option<&[u8]>, read: ReadAnswer<'_, T>) -> Option<T> {
        self.ask_one(self.leader.clone()?, body).await.and_then(read).ok()
    }

    async fn ask_all<T>(
        &self,
        addresses: &[SocketAddr],
        body: Option<&[u8]>,
        read: ReadAnswer<'_, T>,
    ) -> Result<(Client, T), String> {
        let clients = addresses.iter().map(|address| self.client(*address));
        let clients: Result<Vec<Client>, reqwest::Error> = clients.collect();
        let asked = clients.map_err(|error| cause(&error))?.into_iter().map(|client| async {
            let answer = self.ask_one(client.clone(), body).await.and_then(read);
            answer.map(|answer| (client, answer))
        });
        let mut answers = pin!(stream::iter(asked).buffer_unordered(AT_A_TIME));
        let mut problems = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(taken) => return Ok(taken),
                Err(problem) => problems.push(problem),
            }
        }
        Err(told(problems))
    }

    /// The addresses of the URL's name now: pods come and go.
    async fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.url.port_or_known_default().unwrap_or_default();
        let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
        let found = found.map_err(|_| format!("no address of {host} within 5 s"))?;
        Ok(found.map_err(|error| format!("no address of {host}: {error}"))?.collect())
    }

    async fn ask_one(&self, client: Client, body: Option<&[u8]>) -> Result<Vec<u8>, Untaken> {
        let silent = |error: reqwest::Error| Untaken::Silent(cause(&error));
        let (url, json) = (self.url.clone(), "application/json");
        let request = match body {
            Some(body) => client.post(url).header("content-type", json).body(body.to_vec()),
            None => client.get(url),
        };
        let request = request.header("accept", json);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.now()),
            None => request,
        };
        let mut answer = request.send().await.map_err(silent)?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(silent)? {
            body.extend_from_slice(&piece);
            if body.len() > MOST_BYTES {
                return Err(Untaken::Refused(format!("{status}, and too long an answer")));
            }
        }
        if status.is_success() {
            return Ok(body);
        }
        let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let told = told.and_then(|told| Some(told["error"]["message"].as_str()?.to_owned()));
        let problem = format!("{status}: {}", told.unwrap_or_else(|| "no reason".to_owned()));
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE => Untaken::Waits(problem),
            _ => Untaken::Refused(problem),
        })
    }
}

/// What to say if no daemon takes a request.
fn told(problems: Vec<Untaken>) -> String {
    let count = problems.len();
    let (Untaken::Silent(most) | Untaken::Waits(most) | Untaken::Refused(most)) =
        problems.into_iter().max().unwrap_or(Untaken::Silent("no daemon".to_owned()));
    if count > 1 { format!("none of {count} addresses answers as it should: {most}") } else { most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::post;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
    use tokio::net::TcpListener;

    /// A daemon that answers with this status, and counts the requests.
    struct Daemon {
        address: SocketAddr,
        status: Arc<AtomicU16>,
        asked: Arc<AtomicUsize>,
    }

    impl Daemon {
        async fn at(address: SocketAddr, status: u16) -> Self {
            let listener = TcpListener::bind(address).await.unwrap();
            let address = listener.local_addr().unwrap();
            let (status, asked) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
            let (says, counts) = (Arc::clone(&status), Arc::clone(&asked));
            let answer = move || async move {
                counts.fetch_add(1, Ordering::SeqCst);
                let status = StatusCode::from_u16(says.load(Ordering::SeqCst)).unwrap();
                (status, address.to_string())
            };
            let service = Router::new().route("/v1/announce", post(answer));
            tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
            Self { address, status, asked }
        }
    }

    /// Two daemons on one port of two addresses, as a headless Service resolves to them.
    async fn two() -> (Daemons, [Daemon; 2]) {
        let first = Daemon::at(([127, 0, 0, 1], 0).into(), 503).await;
        let port = first.address.port();
        let second = Daemon::at(([127, 0, 0, 2], port).into(), 200).await;
        let url = format!("http://autothrottle.kafka.svc:{port}");
        let daemons =
            Daemons::at(("--autothrottle", "--autothrottle-ca"), &url, "v1/announce", None, None);
        (daemons.unwrap(), [first, second])
    }

    /// [`Daemons::post`], with these addresses of the name.
    async fn post_among(daemons: &mut Daemons, them: &[Daemon]) -> Result<Vec<u8>, String> {
        if let Some(answer) = daemons.ask_leader(Some(b"{}"), &Ok).await {
            return Ok(answer);
        }
        let addresses: Vec<SocketAddr> = them.iter().map(|daemon| daemon.address).collect();
        let (leader, answer) = daemons.ask_all(&addresses, Some(b"{}"), &Ok).await?;
        daemons.leader = Some(leader);
        Ok(answer)
    }

    #[tokio::test]
    async fn the_one_that_leads_takes_a_request() {
        let (mut daemons, them) = two().await;
        for _ in 0..3 {
            let answer = post_among(&mut daemons, &them).await.unwrap();
            assert_eq!(answer, them[1].address.to_string().into_bytes());
        }
        let asked = them[0].asked.load(Ordering::SeqCst);
        assert_eq!(asked, 1, "only while the leader was unknown");

        them[1].status.store(503, Ordering::SeqCst);
        them[0].status.store(200, Ordering::SeqCst);
        let answer = post_among(&mut daemons, &them).await.unwrap();
        assert_eq!(answer, them[0].address.to_string().into_bytes());
    }

    /// The name of the URL does not exist.
    #[tokio::test]
    async fn a_known_leader_needs_no_name_server() {
        let (mut daemons, them) = two().await;
        post_among(&mut daemons, &them).await.unwrap();
        assert_eq!(daemons.post(b"{}").await.unwrap(), them[1].address.to_string().into_bytes());
    }

    #[tokio::test]
    async fn the_one_that_says_most_is_quoted() {
        let (mut daemons, them) = two().await;
        them[1].status.store(503, Ordering::SeqCst);
        let waits = post_among(&mut daemons, &them).await.unwrap_err();
        assert_eq!(
            waits,
            "none of 2 addresses answers as it should: 503 Service Unavailable: no reason"
        );
        them[0].status.store(401, Ordering::SeqCst);
        let refused = post_among(&mut daemons, &them).await.unwrap_err();
        assert!(
            refused.ends_with("answers as it should: 401 Unauthorized: no reason"),
            "{refused}"
        );
    }
}
