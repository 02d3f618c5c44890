//! One JVM for the servers of many clusters, and for Kafka's tools.
//!
//! A JVM of its own costs a server two seconds of a core until it serves; in a JVM that has run others, it costs a tenth
//! of that. Each process of tests has one for each release, and ends it when it ends. Servers in it close what they have open;
//! what a test pauses, or kills as a power cut does, has a JVM of its own
//! ([`Builder::processes`](crate::Builder::processes)).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::cache;
use crate::cluster::missing_java;
use crate::error::{Error, file};
use crate::jars::{Jars, tail};
use crate::jvm::{Jvm, Role, Sharing};
use crate::process::{Process, Warden};
use crate::quorum::ZOOKEEPER_OPTIONS;
use crate::spec::{Mode, Version};
use crate::wait::until;

const SOURCE: &str = include_str!("Host.java");
/// The heap of all servers together, in MiB: dozens of small brokers.
const HEAP_MIB: u32 = 3072;
/// Threads of a server log to its file. The code of all servers and tools is compiled once, but all of it.
const OPTIONS: [&str; 2] =
    ["-Dlog4j2.isThreadContextMapInheritable=true", "-XX:ReservedCodeCacheSize=192m"];
/// The deadline for its start, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// The JVM of one release.
#[derive(Debug)]
pub(crate) struct Host {
    // Fields drop in this order: the JVM, then its files.
    process: Mutex<Process>,
    socket: PathBuf,
    folder: TempDir,
    _warden: Warden,
}

/// A server in it.
#[derive(Debug)]
pub(crate) struct Hosted {
    host: Arc<Host>,
    key: String,
    starting: Receiver<Result<(), String>>,
    started: Option<Result<(), String>>,
}

/// What a tool printed.
pub(crate) struct Told {
    pub(crate) status: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Host {
    /// The host of this release; the first caller starts it.
    pub(crate) fn of(version: Version, mode: Mode) -> Result<Arc<Self>, Error> {
        static HOSTS: Mutex<BTreeMap<Version, Arc<Host>>> = Mutex::new(BTreeMap::new());
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&version) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Self::start(version, mode)?);
        hosts.insert(version, Arc::clone(&host));
        Ok(host)
    }

    fn start(version: Version, mode: Mode) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("mappr-testbed-host-").tempdir();
        let folder = file(folder, "create", std::env::temp_dir())?;
        let path = folder.path();
        for (name, text) in crate::cluster::LOGGING {
            file(fs::write(path.join(name), text), "write", path)?;
        }
        let warden = Warden::of(path)?;
        let mut jvm = Jvm::of(version, mode, Sharing::Use)?;
        jvm.add_to_classpath(&classes(version, &jvm)?);
        let log = path.join("server.log");
        let options: Vec<&str> = OPTIONS.into_iter().chain(ZOOKEEPER_OPTIONS).collect();
        let mut command = jvm.command(Role::Broker, HEAP_MIB, path, &log, &options, "Host");
        let socket = path.join("socket");
        command.push(socket.clone().into());
        let process = warden.launch("host", &command)?;
        let host = Self { process: Mutex::new(process), socket, folder, _warden: warden };
        until("the JVM of the servers", START, || {
            let ended = host.ended();
            (ended.is_some() || UnixStream::connect(&host.socket).is_ok()).then_some(ended)
        })?
        .map_or(Ok(host), |log| Err(died("host", log)))
    }

    /// The end of its output, if it has ended.
    fn ended(&self) -> Option<String> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.ended().map(|status| format!("{status}\n{}", self.last_words()))
    }

    /// The end of its output.
    fn last_words(&self) -> String {
        let out = fs::read(self.folder.path().join("host/stdout.log")).unwrap_or_default();
        tail(&String::from_utf8_lossy(&out), 20)
    }

    /// Starts a server, and returns at once. `kind` is `kafka` or `zookeeper`.
    pub(crate) fn launch(self: &Arc<Self>, kind: &str, config: &Path, log: &Path) -> Hosted {
        let key = config.display().to_string();
        let request = [kind, &key, &key, &log.display().to_string()].map(str::to_owned);
        let (tell, starting) = mpsc::channel();
        let host = Arc::clone(self);
        thread::spawn(move || {
            let answer = host.ask(&request);
            // The receiver is gone if the cluster was dropped meanwhile.
            let _ = tell.send(answer.map(drop));
        });
        Hosted { host: Arc::clone(self), key, starting, started: None }
    }

    /// Runs a tool: a main class, or the path of a source with one.
    pub(crate) fn tool(&self, class: &str, args: &[String]) -> Result<Told, Error> {
        let request: Vec<String> =
            ["tool", class].map(str::to_owned).into_iter().chain(args.iter().cloned()).collect();
        let answer = self.ask(&request).map_err(|log| died(class, log))?;
        let mut texts = answer.into_iter();
        let mut next = || texts.next().unwrap_or_default();
        Ok(Told { status: next(), stdout: next(), stderr: next() })
    }

    /// Sends one request; the error is what the host says, or why it says nothing.
    fn ask(&self, request: &[String]) -> Result<Vec<String>, String> {
        let answer = exchange(&self.socket, request)
            .map_err(|why| self.ended().unwrap_or_else(|| why.to_string()))?;
        match answer.split_first() {
            Some((first, rest)) if first == "failed" => Err(rest.concat()),
            _ => Ok(answer),
        }
    }
}

impl Hosted {
    /// Whether it has started: its own start returns when it serves. Why it could not, otherwise.
    pub(crate) fn started(&mut self) -> Option<&Result<(), String>> {
        if self.started.is_none() {
            self.started = match self.starting.try_recv() {
                Ok(end) => Some(end),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Err("its start was lost".to_owned())),
            };
        }
        self.started.as_ref()
    }

    /// Stops it: cleanly, or without handing leadership over.
    pub(crate) fn stop(&mut self, cleanly: bool) -> Result<(), String> {
        // A server that is still starting cannot be stopped.
        if self.started.is_none() {
            self.started = Some(self.starting.recv().unwrap_or(Ok(())));
        }
        let how = if cleanly { "clean" } else { "at once" };
        self.host.ask(&["stop".to_owned(), self.key.clone(), how.to_owned()]).map(drop)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // A second stop does nothing. If it fails, the host's end stops the server.
        let _ = self.stop(false);
    }
}

pub(crate) fn died(node: &str, log: String) -> Error {
    Error::Died { node: node.to_owned(), status: "in the JVM of all servers".to_owned(), log }
}

/// The folder with the host's classes for this release, compiled once.
fn classes(version: Version, jvm: &Jvm) -> Result<PathBuf, Error> {
    let digest = Sha256::digest(SOURCE);
    let name = format!("host-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]);
    let folder = Jars::of(version)?.folder().join(name);
    let _lock = cache::lock("host")?;
    cache::whole(&folder, |part| {
        let source = part.join("Host.java");
        file(fs::write(&source, SOURCE), "write", &source)?;
        let out = Command::new(jvm.compiler())
            .args(["-cp", jvm.classpath(), "-d"])
            .arg(part)
            .arg(&source)
            .output()
            .map_err(missing_java)?;
        match out.status.success() {
            true => Ok(()),
            false => Err(died("javac", String::from_utf8_lossy(&out.stderr).into_owned())),
        }
    })?;
    Ok(folder)
}

/// One request and its answer: a number of strings, each after its length.
fn exchange(socket: &Path, request: &[String]) -> io::Result<Vec<String>> {
    let mut stream = UnixStream::connect(socket)?;
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = size(request.len()).to_vec();
    for text in request {
        bytes.extend(size(text.len()));
        bytes.extend(text.as_bytes());
    }
    stream.write_all(&bytes)?;
    let mut number = [0; 4];
    let mut next = |stream: &mut UnixStream| {
        stream.read_exact(&mut number)?;
        Ok::<_, io::Error>(u32::from_be_bytes(number))
    };
    let mut answer = Vec::new();
    for _ in 0..next(&mut stream)? {
        let mut text = vec![0; next(&mut stream)? as usize];
        stream.read_exact(&mut text)?;
        answer.push(String::from_utf8_lossy(&text).into_owned());
    }
    Ok(answer)
}
