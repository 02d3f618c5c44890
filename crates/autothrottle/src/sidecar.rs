//! The sidecar's own page: the traffic and volumes of the pod next to us, served to the daemon that leads.
//!
//! It has its own port, changes nothing and reveals no secret, so peers need no token.

use crate::error::Error;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kafka::Properties;
use mapper::BrokerId;
use metrics::PodView;
use operate::http_server::ServerNames;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The names of a broker's own id in a log dir, by version of Kafka.
const IDS: [&str; 2] = ["node.id", "broker.id"];

/// Looks that are under way at once. Each has a thread, and a volume that hangs keeps it.
const AT_ONCE: usize = 4;

/// The flags of a sidecar.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sidecar")]
pub(crate) struct SidecarArgs {
    /// Serve the pod's network and volume metrics at /sidecar: 0.0.0.0:8081
    ///
    /// The daemon that leads reads them.
    #[arg(long, value_name = "HOST:PORT")]
    sidecar_listen: Option<String>,
    /// Read the broker's log dirs at these mount paths
    ///
    /// Their meta.properties contain the broker's id.
    #[arg(long, value_name = "DIR,...", value_delimiter = ',')]
    sidecar_log_dirs: Vec<PathBuf>,
    /// Set the broker's id if no log dir contains it
    #[arg(long, value_name = "ID")]
    sidecar_broker_id: Option<BrokerId>,
    /// Find proc and sys in this folder
    #[arg(long, value_name = "DIR", default_value = "/")]
    sidecar_root: PathBuf,
}

/// The page's settings.
#[derive(Debug)]
struct SidecarPage {
    view: PodView,
    broker: Option<BrokerId>,
    looks: Arc<Semaphore>,
}

/// A page that is served until this is dropped.
pub(crate) struct Server {
    _tasks: JoinSet<()>,
}

impl SidecarArgs {
    /// Serves from now on, if that is asked for.
    pub(crate) async fn start(&self, names: ServerNames) -> Result<Option<Server>, Error> {
        let Some(address) = &self.sidecar_listen else { return Ok(None) };
        let failed = |problem| Error::Listen { address: address.clone(), problem };
        let addresses: Vec<_> = tokio::net::lookup_host(address).await.map_err(failed)?.collect();
        let listener = operate::http_server::listen(&addresses).map_err(failed)?;
        let root = self.sidecar_root.clone();
        let view = PodView { root, log_dirs: self.sidecar_log_dirs.clone() };
        let sidecar = Arc::new(SidecarPage::of(view, self.sidecar_broker_id));
        tracing::info!(%address, "serving the sidecar's page");
        let mut tasks = JoinSet::new();
        tasks.spawn(operate::http_server::serve(listener, router(sidecar), names, None));
        Ok(Some(Server { _tasks: tasks }))
    }
}

fn router(sidecar: Arc<SidecarPage>) -> Router {
    Router::new().route("/sidecar", get(page)).with_state(sidecar)
}

async fn page(State(sidecar): State<Arc<SidecarPage>>) -> Response {
    let Ok(look) = sidecar.looks.clone().try_acquire_owned() else {
        let problem = "looks that began earlier have not ended: does a volume hang?\n";
        return (StatusCode::SERVICE_UNAVAILABLE, problem).into_response();
    };
    // Files of the kernel, and the file system of a volume that may hang: not on the thread that decides.
    let written = tokio::task::spawn_blocking(move || {
        let page = sidecar.page();
        drop(look);
        page
    });
    let written = written.await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match written.map_err(|error| error.to_string()).and_then(|page| page) {
        Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(problem) => {
            tracing::warn!(problem, "the sidecar has no metrics");
            (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response()
        }
    }
}

impl SidecarPage {
    fn of(view: PodView, broker: Option<BrokerId>) -> Self {
        Self { view, broker, looks: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn page(&self) -> Result<String, String> {
        let told = self.broker.or_else(|| self.view.log_dirs.iter().find_map(|dir| owner(dir)));
        let broker =
            told.ok_or("no log dir has a meta.properties yet that tells the broker's id")?;
        let counters = self.view.read().map_err(|error| error.to_string())?;
        metrics::page(broker, &counters).map_err(|error| error.to_string())
    }
}

/// The broker that owns this data. A new broker writes the file at its first start.
fn owner(dir: &Path) -> Option<BrokerId> {
    let text = std::fs::read_to_string(dir.join("meta.properties")).ok()?;
    let meta = Properties::parse(&text).ok()?;
    IDS.iter().find_map(|key| meta.get(key)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    async fn ask(router: &Router) -> (u16, String) {
        let request = Request::get("/sidecar").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_broker_is_known_once_it_has_formatted_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (root, data) = (folder.path().join("root"), folder.path().join("data"));
        std::fs::create_dir_all(root.join("proc/net")).unwrap();
        std::fs::create_dir(&data).unwrap();
        let view = PodView { root: root.clone(), log_dirs: vec![data.clone()] };
        let router = router(Arc::new(SidecarPage::of(view, None)));
        let (status, said) = ask(&router).await;
        assert_eq!(status, 503, "{said}");
        std::fs::write(data.join("meta.properties"), "#\nversion=1\nnode.id=1002\n").unwrap();
        let (status, said) = ask(&router).await;
        assert_eq!((status, said.contains("proc/net/route")), (503, true), "{said}");

        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                      eth0\t00000000\t0101F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        let dev = "Inter-| Receive | Transmit\n face |bytes |bytes\n  eth0: 70 1 0 0 0 0 0 0 90 1 0 0 0 0 0 0\n";
        std::fs::write(root.join("proc/net/route"), routes).unwrap();
        std::fs::write(root.join("proc/net/dev"), dev).unwrap();
        let (status, said) = ask(&router).await;
        assert_eq!(status, 200, "{said}");
        for line in [
            "autothrottle_sidecar_broker{id=\"1002\",host_network=\"false\"} 1",
            "autothrottle_sidecar_network_transmit_bytes_total{interface=\"eth0\"} 90",
            "autothrottle_sidecar_network_receive_bytes_total{interface=\"eth0\"} 70",
        ] {
            assert!(said.contains(line), "{line} is not in\n{said}");
        }
    }
}
