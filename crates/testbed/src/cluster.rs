//! A running cluster.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::client::{Access, Client, User};
use crate::config;
use crate::error::{Error, file};
use crate::host::{Host, Told};
use crate::jars::tail;
use crate::jvm::{Jvm, Role, Sharing};
use crate::ports::Block;
use crate::process::Warden;
use crate::relay::{Card, Relays};
use crate::server::Server;
use crate::spec::{Builder, Mode, Security, Version};
use crate::wait::until;
use crate::{archive, certificates, exporter, tool};

pub(crate) const KAFKA: &str = "kafka.Kafka";

/// The configuration of Kafka's logs, by file.
pub(crate) const LOGGING: [(&str, &str); 2] = [
    ("log4j.properties", include_str!("log4j.properties")),
    ("log4j2.properties", include_str!("log4j2.properties")),
];

/// Kafka on loopback. Dropping it ends every server and removes every file.
///
/// In a `static` that tests share, it is never dropped. Its servers then end with the process.
#[derive(Debug)]
pub struct Cluster {
    // Fields drop in this order: servers, then files, then the warden.
    servers: Mutex<BTreeMap<String, Server>>,
    relays: Option<Relays>,
    folder: TempDir,
    warden: Warden,
    spec: Builder,
    version: Version,
    jvm: Jvm,
    /// Its servers may run in the JVM of all clusters.
    is_hosted: bool,
    ports: Block,
    pub(crate) id: String,
}

impl Cluster {
    /// A builder for a cluster.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(spec: Builder) -> Result<Self, Error> {
        archive::ensure(spec.version_or_newest()?, spec.mode)?;
        Self::start_with(spec, Sharing::Use)
    }

    pub(crate) fn start_with(spec: Builder, sharing: Sharing) -> Result<Self, Error> {
        let version = spec.version_or_newest()?;
        let is_hosted = matches!(sharing, Sharing::Use) && spec.is_hosted(version);
        let jvm = Jvm::of(version, spec.mode, sharing)?;
        let mut hosts: Vec<Ipv4Addr> = (0..spec.brokers).map(|index| spec.host(index)).collect();
        hosts.push(Ipv4Addr::LOCALHOST);
        hosts.dedup();
        let behind = (0..spec.brokers).map(|index| spec.behind(index));
        let bound: Vec<Ipv4Addr> = hosts.iter().copied().chain(behind).collect();
        let relays = spec.cards.map(|cap| Relays::of(spec.ids(), cap)).transpose();
        let folder = tempfile::Builder::new().prefix("mappr-testbed-").tempdir();
        let folder = file(folder, "create", std::env::temp_dir())?;
        let cluster = Self {
            servers: Mutex::default(),
            relays: relays.map_err(|source| Error::Relay { source })?,
            warden: Warden::of(folder.path())?,
            folder,
            version,
            jvm,
            is_hosted,
            ports: Block::take(&bound)?,
            id: config::new_id()?,
            spec,
        };
        cluster.write_files(&hosts)?;
        cluster.open_relays().map_err(|source| Error::Relay { source })?;
        cluster.start_servers()?;
        Ok(cluster)
    }

    /// The PLAINTEXT addresses of all brokers, running or not: `host:port,...`.
    pub fn bootstrap(&self) -> String {
        self.addresses(config::PLAINTEXT)
    }

    /// The running brokers by id, each with its PLAINTEXT address.
    pub fn running(&self) -> BTreeMap<i32, String> {
        let addresses = self.bootstrap();
        let all = self.spec.ids().zip(addresses.split(',').map(str::to_owned));
        let servers = self.servers();
        all.filter(|(id, _)| servers.contains_key(&config::broker_folder(*id))).collect()
    }

    /// The address of ZooKeeper with the chroot: `host:port,.../chroot`.
    pub fn zookeeper(&self) -> String {
        config::zookeeper_connect(&self.spec, &self.ports)
    }

    /// The same at the port with TLS: [`Builder::guarded_zookeeper`].
    pub fn secure_zookeeper(&self) -> String {
        format!("127.0.0.1:{}{}", self.ports.secure_zookeeper(), self.spec.chroot)
    }

    /// Addresses and properties for a client that connects in this way.
    pub fn client(&self, access: &Access) -> Client {
        let listener = match access {
            Access::Plaintext => config::PLAINTEXT,
            Access::Sasl(..) => config::SASL_SSL,
            Access::MutualTls | Access::UntrustedCertificate => config::SSL,
        };
        Client::new(access, self.addresses(listener), &self.path().join("tls"))
    }

    /// The cluster's id.
    pub fn id(&self) -> Result<String, Error> {
        match self.spec.mode {
            Mode::KRaft => Ok(self.id.clone()),
            // A cluster in ZooKeeper mode generates its own id, and each broker stores it.
            Mode::ZooKeeper => {
                let dirs = config::log_dirs(&self.spec, self.path(), self.spec.first_id);
                let meta = dirs[0].join("meta.properties");
                let text = file(fs::read_to_string(&meta), "read", &meta)?;
                let id = text.lines().find_map(|line| line.strip_prefix("cluster.id="));
                Ok(id.unwrap_or_default().to_owned())
            }
        }
    }

    pub(crate) fn spec(&self) -> &Builder {
        &self.spec
    }

    pub(crate) fn ports(&self) -> &Block {
        &self.ports
    }

    /// How it keeps its metadata.
    pub fn mode(&self) -> Mode {
        self.spec.mode
    }

    /// Whether the server with this id runs in the JVM of all clusters.
    pub(crate) fn hosts(&self, id: i32) -> bool {
        self.is_hosted && self.spec.shares_jvm(id)
    }

    /// The release it runs.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The ids of its brokers, running or not.
    pub fn brokers(&self) -> Vec<i32> {
        self.spec.ids().collect()
    }

    /// The rack of a broker, if there are racks.
    pub fn rack(&self, id: i32) -> Result<Option<&str>, Error> {
        Ok(self.spec.rack(self.spec.index(id)?))
    }

    /// A broker's simulated network card.
    ///
    /// # Panics
    /// If the cluster was built without [`Builder::network`].
    pub fn card(&self, id: i32) -> Result<&Card, Error> {
        let index = self.spec.index(id)?;
        let relays = self.relays.as_ref().expect("the cluster is built with a network");
        Ok(relays.card(self.spec.first_id + i32::from(index)).expect("a card for each broker"))
    }

    /// The log dirs of a broker.
    pub fn log_dirs(&self, id: i32) -> Vec<PathBuf> {
        config::log_dirs(&self.spec, self.path(), id)
    }

    /// The cluster's own folder, for a test's files that must not outlive the cluster.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with the certificates of a cluster with authentication: `ca.crt`, `broker.pem`, `broker.crt`, ...
    pub fn tls(&self) -> PathBuf {
        self.path().join("tls")
    }

    /// Creates another authority, `NAME.crt` with `NAME.key`, in [`tls`](Self::tls).
    pub fn new_authority(&self, name: &str, subject: &str) -> Result<(), Error> {
        certificates::authority(&self.tls(), name, subject)
    }

    /// Creates another certificate for the brokers' hosts in the same folder: `NAME.crt`, and `NAME.pem` for a
    /// keystore. The brokers' own certificate has the subject `broker`, and its authority is `ca`.
    pub fn new_certificate(&self, authority: &str, name: &str, subject: &str) -> Result<(), Error> {
        certificates::another(&self.tls(), authority, name, subject)
    }

    /// Kills a broker as a power cut does, or lets a [mortal](Builder::mortal) one leave without a word. Returns when the
    /// cluster has noticed.
    pub fn kill_broker(&self, id: i32) -> Result<(), Error> {
        self.kill_brokers(&[id])
    }

    /// The same for several at once.
    pub fn kill_brokers(&self, ids: &[i32]) -> Result<(), Error> {
        if ids.iter().any(|id| self.hosts(*id) && !self.spec.mortal.contains(id)) {
            return Err(Error::Hosted);
        }
        self.take_down(ids, Server::kill)
    }

    /// Stops a broker cleanly, and returns when the cluster has noticed.
    pub fn stop_broker(&self, id: i32) -> Result<(), Error> {
        let timeout = self.spec.timeout;
        self.take_down(&[id], |server| server.terminate(timeout))
    }

    /// Pauses all brokers. They accept connections, but neither answer nor end.
    pub fn pause_brokers(&self) -> Result<(), Error> {
        self.signal_brokers("-STOP")
    }

    /// Resumes them.
    pub fn resume_brokers(&self) -> Result<(), Error> {
        self.signal_brokers("-CONT")
    }

    fn signal_brokers(&self, name: &str) -> Result<(), Error> {
        let servers = self.servers();
        let mut brokers = servers.iter().filter(|(server, _)| server.starts_with("broker-"));
        brokers.try_for_each(|(_, server)| server.signal(name))
    }

    /// Starts a stopped broker, and returns when it is registered.
    pub fn start_broker(&self, id: i32) -> Result<(), Error> {
        self.spec.index(id)?;
        if self.servers().contains_key(&config::broker_folder(id)) {
            return Err(Error::WrongState { id, state: "up" });
        }
        self.launch_broker(id)?;
        self.await_broker(id)
    }

    /// Empties the disks of a stopped broker.
    pub fn wipe_broker(&self, id: i32) -> Result<(), Error> {
        self.spec.index(id)?;
        if self.servers().contains_key(&config::broker_folder(id)) {
            return Err(Error::WrongState { id, state: "up" });
        }
        for dir in self.log_dirs(id) {
            file(fs::remove_dir_all(&dir), "remove", &dir)?;
        }
        Ok(())
    }

    /// Runs one of Kafka's admin tools over PLAINTEXT, and returns its output.
    ///
    /// `name` is the script's name without `kafka-` (`topics`, `reassign`, `log-dirs`, `configs`, `acls`,
    /// `zookeeper-shell`, ...), or a main class.
    pub fn tool<S: AsRef<str>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<String, Error> {
        let own = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.bare_tool(
            name,
            tool::address(name, self.bootstrap(), self.zookeeper()).into_iter().chain(own),
        )
    }

    /// The same without the cluster's address. The arguments contain it, or need none.
    pub fn bare_tool<S: AsRef<str>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<String, Error> {
        let all: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let host = Host::of(self.version, self.spec.mode)?;
        let Told { status, stdout, stderr } = host.tool(tool::class(name, self.version), &all)?;
        if status == "0" {
            return Ok(stdout);
        }
        Err(Error::Tool { tool: name.to_owned(), args: all, status, stdout, stderr })
    }

    /// Stops every server cleanly: brokers first.
    pub fn stop_all(&self) -> Result<(), Error> {
        let mut servers = self.servers();
        let brokers: Vec<String> =
            servers.keys().filter(|name| name.starts_with("broker-")).cloned().collect();
        for name in &brokers {
            if let Some(mut server) = servers.remove(name) {
                server.terminate(self.spec.timeout)?;
            }
        }
        while let Some((_, mut server)) = servers.pop_first() {
            server.terminate(self.spec.timeout)?;
        }
        Ok(())
    }

    fn open_relays(&self) -> std::io::Result<()> {
        let Some(relays) = &self.relays else { return Ok(()) };
        for (id, index) in self.spec.ids().zip(0..) {
            for (_, offset) in config::listener_names(&self.spec) {
                let port = self.ports.broker(index) + offset;
                let at = SocketAddrV4::new(self.spec.host(index), port);
                relays.open(id, at, self.spec.behind(index))?;
            }
        }
        Ok(())
    }

    fn addresses(&self, (_, offset): (&str, u16)) -> String {
        let address =
            |index| format!("{}:{}", self.spec.host(index), self.ports.broker(index) + offset);
        (0..self.spec.brokers).map(address).collect::<Vec<_>>().join(",")
    }

    /// The map is valid even after a test panicked while it held the lock.
    pub(crate) fn servers(&self) -> MutexGuard<'_, BTreeMap<String, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_files(&self, hosts: &[Ipv4Addr]) -> Result<(), Error> {
        LOGGING.iter().try_for_each(|(name, text)| self.write(name, text))?;
        self.write(exporter::CONFIG.0, exporter::CONFIG.1)?;
        if self.spec.security > Security::Open || self.spec.guards_zookeeper {
            certificates::write(&self.path().join("tls"), hosts)?;
        }
        self.write_quorum()?;
        for (index, id) in self.spec.ids().enumerate() {
            let text = config::broker(&self.spec, &self.ports, self.path(), id, index as u16);
            self.write(&format!("{}/server.properties", config::broker_folder(id)), &text)?;
        }
        Ok(())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path().join(name);
        if let Some(folder) = path.parent() {
            file(fs::create_dir_all(folder), "create", folder)?;
        }
        file(fs::write(&path, text), "write", &path)
    }

    fn start_servers(&self) -> Result<(), Error> {
        self.start_quorum()?;
        for id in self.spec.ids() {
            self.launch_broker(id)?;
        }
        for id in self.spec.ids() {
            self.await_broker(id)?;
        }
        if self.spec.security > Security::Open && self.spec.mode == Mode::ZooKeeper {
            self.create_users()?;
        }
        Ok(())
    }

    /// The tool takes one user at a time.
    fn create_users(&self) -> Result<(), Error> {
        at_once(User::ALL, |user| {
            let (config, name) = (scram_config(&user), user.name);
            let entity = ["--alter", "--entity-type", "users", "--entity-name", name];
            self.tool("configs", entity.into_iter().chain(["--add-config", &config])).map(drop)
        })
    }

    pub(crate) fn launch_broker(&self, id: i32) -> Result<(), Error> {
        match self.spec.mode {
            Mode::KRaft => {
                config::format(&self.id, id, &self.log_dirs(id))?;
                if self.spec.combined {
                    self.add_bootstrap(&self.log_dirs(id)[0])?;
                }
            }
            // A broker that finds the registration of its own last life gives up.
            Mode::ZooKeeper => self.await_absence(id, &[])?,
        }
        let name = config::broker_folder(id);
        if self.hosts(id) {
            return self.launch_hosted(&name, "kafka", "server.properties");
        }
        let log = self.log_of(&name);
        if log.exists() {
            let lives = (1..).map(|n| log.with_extension(format!("log.{n}")));
            let free = lives.into_iter().find(|path| !path.exists()).unwrap_or_default();
            file(fs::rename(&log, &free), "rename", &log)?;
        }
        let heap = self.spec.heap_mib;
        let agent = self.agent(self.spec.index(id)?)?;
        let options: Vec<&str> = agent.iter().map(String::as_str).collect();
        self.launch(&name, Role::Broker, heap, &options, KAFKA, "server.properties")
    }

    pub(crate) fn launch(
        &self,
        name: &str,
        role: Role,
        heap_mib: u32,
        options: &[&str],
        class: &str,
        config: &str,
    ) -> Result<(), Error> {
        let log = self.log_of(name);
        let mut command = self.jvm.command(role, heap_mib, self.path(), &log, options, class);
        command.push(config.into());
        self.run_server(name, &command)
    }

    /// Starts a server in the JVM of all clusters.
    pub(crate) fn launch_hosted(&self, name: &str, kind: &str, config: &str) -> Result<(), Error> {
        let host = Host::of(self.version, self.spec.mode)?;
        let server = host.launch(kind, &self.path().join(name).join(config), &self.log_of(name));
        self.servers().insert(name.to_owned(), Server::Hosted(server));
        Ok(())
    }

    /// Starts a server that ends with the cluster.
    pub(crate) fn run_server(&self, name: &str, command: &[OsString]) -> Result<(), Error> {
        let process = self.warden.launch(name, command)?;
        self.servers().insert(name.to_owned(), Server::Own(process));
        Ok(())
    }

    fn await_broker(&self, id: i32) -> Result<(), Error> {
        let index = self.spec.index(id)?;
        let at = (self.spec.behind(index), self.ports.broker(index));
        let name = config::broker_folder(id);
        let started = match self.spec.mode {
            Mode::ZooKeeper => format!("[KafkaServer id={id}] started"),
            Mode::KRaft => "Transitioning from RECOVERY to RUNNING".to_owned(),
        };
        let is_hosted = self.hosts(id);
        self.await_server(&name, || {
            // With KRaft, clients can connect only a moment after that line.
            (if is_hosted {
                self.has_started(&name)
            } else {
                self.read_log(&name).contains(&started)
            }) && match self.spec.mode {
                Mode::KRaft => TcpStream::connect(at).is_ok(),
                Mode::ZooKeeper => self.is_registered(id),
            }
        })
    }

    /// Waits until a server is ready, and fails at once if it ends instead.
    pub(crate) fn await_server(&self, name: &str, ready: impl Fn() -> bool) -> Result<(), Error> {
        let seen = until(format!("start of {name}"), self.spec.timeout, || {
            let ended = self.servers().get_mut(name).and_then(Server::ended);
            ended.map(Some).or_else(|| ready().then_some(None))
        });
        match seen {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                Err(Error::Died { node: name.to_owned(), status, log: self.last_words(name) })
            }
            Err(Error::Timeout { what, within, .. }) => {
                Err(Error::Timeout { what, within, log: format!("\n{}", self.last_words(name)) })
            }
            Err(other) => Err(other),
        }
    }

    fn take_down(
        &self,
        ids: &[i32],
        end: impl Fn(&mut Server) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let read_so_far = self.controller_logs(&[]).map(|log| log.len()).collect::<Vec<_>>();
        let mut servers = Vec::new();
        for id in ids {
            self.spec.index(*id)?;
            let server = self.servers().remove(&config::broker_folder(*id));
            servers.push(server.ok_or(Error::WrongState { id: *id, state: "down" })?);
        }
        // As when a zone loses its power.
        at_once(&mut servers, end)?;
        ids.iter().try_for_each(|id| self.await_absence(*id, &read_so_far))
    }

    /// Waits until the cluster has noticed that a broker is gone. In KRaft, the controllers' logs show it; everything
    /// before `read_so_far` is about earlier lives.
    fn await_absence(&self, id: i32, read_so_far: &[usize]) -> Result<(), Error> {
        let what = format!("the cluster notices that broker {id} is gone");
        until(what, self.spec.timeout, || match self.spec.mode {
            Mode::ZooKeeper => (!self.is_registered(id)).then_some(()),
            Mode::KRaft => {
                // The first line appears after a kill, the others after a clean stop with and without leaders.
                let signs = [
                    format!("Fencing broker {id} "),
                    format!("broker {id} to shut down has been granted"),
                    format!("broker {id} has requested and been granted an immediate shutdown"),
                ];
                let mut new = self.controller_logs(read_so_far);
                new.any(|log| signs.iter().any(|sign| log.contains(sign))).then_some(())
            }
        })
    }

    pub(crate) fn log_of(&self, name: &str) -> PathBuf {
        self.path().join(name).join("server.log")
    }

    pub(crate) fn read_log(&self, name: &str) -> String {
        let bytes = fs::read(self.log_of(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether a server in the JVM of all clusters serves.
    fn has_started(&self, name: &str) -> bool {
        self.servers().get_mut(name).is_some_and(Server::has_started)
    }

    fn last_words(&self, name: &str) -> String {
        let out = fs::read(self.path().join(name).join("stdout.log")).unwrap_or_default();
        let out = String::from_utf8_lossy(&out).into_owned();
        format!("{}\n{}", tail(&out, 8), tail(&self.read_log(name), 24))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut brokers = std::mem::take(&mut *self.servers());
        let others = brokers.extract_if(.., |name, _| !name.starts_with("broker-")).collect();
        // Brokers end by themselves while their controller answers. In parallel, because a JVM takes a moment to free its
        // memory.
        for servers in [brokers, others] {
            std::thread::scope(|scope| {
                for server in servers.into_values() {
                    scope.spawn(move || drop(server));
                }
            });
        }
    }
}

/// Does the same for all at the same time. The error is that of the first that fails.
fn at_once<T: Send>(
    all: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let work = &work;
    std::thread::scope(|scope| {
        let running: Vec<_> = all.into_iter().map(|one| scope.spawn(move || work(one))).collect();
        running.into_iter().try_for_each(|one| match one.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn scram_config(user: &User) -> String {
    let of = |mechanism| format!("{mechanism}=[iterations=4096,password={}]", user.password);
    format!("{},{}", of("SCRAM-SHA-512"), of("SCRAM-SHA-256"))
}

pub(crate) fn missing_java(source: std::io::Error) -> Error {
    Error::Missing { program: "java".into(), package: "openjdk-17-jdk-headless", source }
}
