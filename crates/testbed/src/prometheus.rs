//! A real Prometheus that scrapes the brokers of a cluster, or a program that watches them.
//!
//! The program is the one on the PATH, or Debian's package unpacked into the cache. This needs no installation, no
//! service and no root.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::debian;
use crate::error::{Error, file};

const NAME: &str = "prometheus";
const PROGRAM: &str = "usr/bin/prometheus";

/// The path of the program, which is fetched into the cache if necessary.
///
/// # Errors
/// [`Error::Missing`] and [`Error::Fetch`] if it is neither installed nor fetchable.
pub fn program() -> Result<PathBuf, Error> {
    let search = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&search).map(|folder| folder.join(NAME));
    if let Some(found) = installed.into_iter().find(|path| path.is_file()) {
        return Ok(found);
    }
    Ok(debian::unpacked(NAME)?.join(PROGRAM))
}

/// The path of the unpacked Debian package's program in the cache.
pub fn unpacked() -> PathBuf {
    debian::folder(NAME).join(PROGRAM)
}

impl Cluster {
    /// Starts a Prometheus that scrapes every exporter each second. Returns its URL when it has an answer from each
    /// running broker. Its series have the labels `job="kafka"`, `instance="host:port"` and `broker_id="1001"`.
    pub fn start_prometheus(&self) -> Result<String, Error> {
        self.serve_prometheus(&self.scrapes(), self.running().len())
    }

    /// Starts a Prometheus that scrapes one program (`host:port`) each second, with these alerting rules. Returns its URL when
    /// it has an answer.
    pub fn start_prometheus_of(&self, target: &str, rules: &str) -> Result<String, Error> {
        let file_of_rules = self.path().join("rules.yaml");
        file(fs::write(&file_of_rules, rules), "write", &file_of_rules)?;
        let config = format!(
            "\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [\"{}\"]
scrape_configs: [{{job_name: program, static_configs: [{{targets: [\"{target}\"]}}]}}]
",
            file_of_rules.display()
        );
        self.serve_prometheus(&config, 1)
    }

    /// Starts it with this config, and waits until so many targets are up.
    fn serve_prometheus(&self, text: &str, targets: usize) -> Result<String, Error> {
        let (port, home) = (self.ports().prometheus(), self.path().join(NAME));
        file(fs::create_dir_all(&home), "create", &home)?;
        let config = home.join("prometheus.yml");
        file(fs::write(&config, text), "write", &config)?;
        let flags = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", home.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let flags = flags.into_iter().map(Into::into);
        let command: Vec<_> = std::iter::once(program()?.into()).chain(flags).collect();
        self.run_server(NAME, &command)?;
        let up = format!("{targets} targets scraped");
        let wanted = format!("\"{targets}\"]");
        self.await_server(NAME, || ask(port).is_some_and(|answer| answer.contains(&wanted)))
            .map_err(|why| match why {
                Error::Timeout { within, log, .. } => Error::Timeout { what: up, within, log },
                other => other,
            })?;
        Ok(format!("http://127.0.0.1:{port}"))
    }

    /// Kills Prometheus as a power cut does.
    pub fn kill_prometheus(&self) {
        drop(self.servers().remove(NAME));
    }

    fn scrapes(&self) -> String {
        let mut text = "\
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: kafka
  static_configs:
"
        .to_owned();
        for (id, url) in self.exporters() {
            let target = url.trim_start_matches("http://").trim_end_matches("/metrics");
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "  - {{targets: [\"{target}\"], labels: {{broker_id: \"{id}\"}}}}");
        }
        text
    }
}

/// How many targets are up, according to Prometheus. Empty while it does not answer.
fn ask(port: u16) -> Option<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    // With HTTP 1.0, the answer is in one piece and ends with the connection.
    socket.write_all(b"GET /api/v1/query?query=sum(up) HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}
