//! A real Prometheus that scrapes the brokers of a cluster.
//!
//! The program is the one on the PATH, or Debian's package unpacked into the cache. This needs no installation, no
//! service and no root.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache;
use crate::cluster::Cluster;
use crate::error::{Error, file};
use crate::jars::tail;

const NAME: &str = "prometheus";

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
    let program = unpacked();
    if !program.exists() {
        let _lock = cache::lock(NAME)?;
        cache::whole(&folder(), unpack)?;
    }
    Ok(program)
}

/// The path of the unpacked Debian package's program in the cache.
pub fn unpacked() -> PathBuf {
    folder().join("usr/bin/prometheus")
}

fn folder() -> PathBuf {
    cache::folder().join("prometheus-debian")
}

fn unpack(into: &Path) -> Result<(), Error> {
    run(Command::new("apt-get").args(["-q", "download", NAME]).current_dir(into))?;
    let entries = file(fs::read_dir(into), "read", into)?;
    let packages = entries.filter_map(|entry| Some(entry.ok()?.path()));
    for package in packages.filter(|path| path.extension().is_some_and(|end| end == "deb")) {
        run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(into))?;
        file(fs::remove_file(&package), "remove", &package)?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), Error> {
    let out = command.output();
    let missing = |source| Error::Missing { program: NAME.into(), package: NAME, source };
    let out = out.map_err(missing)?;
    if out.status.success() {
        return Ok(());
    }
    let output = tail(&String::from_utf8_lossy(&out.stderr), 20);
    let what = format!("{NAME} (else: apt-get install {NAME})");
    Err(Error::Fetch { what, status: out.status, output })
}

impl Cluster {
    /// Starts a Prometheus that scrapes every exporter each second. Returns its URL when it has an answer from each
    /// running broker. Its series have the labels `job="kafka"`, `instance="host:port"` and `broker_id="1001"`.
    pub fn start_prometheus(&self) -> Result<String, Error> {
        let (port, home) = (self.ports().prometheus(), self.path().join(NAME));
        file(fs::create_dir_all(&home), "create", &home)?;
        let config = home.join("prometheus.yml");
        file(fs::write(&config, self.scrapes()), "write", &config)?;
        let flags = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", home.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let flags = flags.into_iter().map(Into::into);
        let command: Vec<_> = std::iter::once(program()?.into()).chain(flags).collect();
        self.run_server(NAME, &command)?;
        let up = format!("{} brokers scraped", self.running().len());
        let wanted = format!("\"{}\"]", self.running().len());
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

/// How many brokers are up, according to Prometheus. Empty while it does not answer.
fn ask(port: u16) -> Option<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    // With HTTP 1.0, the answer is in one piece and ends with the connection.
    socket.write_all(b"GET /api/v1/query?query=sum(up) HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}
