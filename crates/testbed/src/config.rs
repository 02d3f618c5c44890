//! The configuration files of servers: `server.properties`, `zoo.cfg`, `meta.properties`.
//!
//! Threads, buffers and indexes are small, so that six brokers fit on a laptop.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::client::User;
use crate::error::{Error, file};
use crate::migration::Step;
use crate::ports::Block;
use crate::spec::{Builder, Mode, Security};

/// The id of the first KRaft controller or ZooKeeper server, far from any broker's.
pub(crate) const QUORUM: i32 = 9000;

/// How long a silent broker counts as live: short for tests, but long enough for two busy cores.
const SESSION_MS: u32 = 6000;

const SMALL: &str = "\
num.network.threads=2
num.io.threads=4
num.replica.fetchers=1
num.recovery.threads.per.data.dir=2
background.threads=2
queued.max.requests=100
socket.send.buffer.bytes=131072
socket.receive.buffer.bytes=131072
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=65536
log.index.size.max.bytes=262144
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
delete.topic.enable=true
";

/// The name of a listener, as in clients' `security.protocol`, and its index in a broker's ports.
pub(crate) const PLAINTEXT: (&str, u16) = ("PLAINTEXT", 0);
pub(crate) const SASL_SSL: (&str, u16) = ("SASL_SSL", 1);
pub(crate) const SSL: (&str, u16) = ("SSL", 2);
/// The index of the port for controllers, of a broker that is one, too.
const CONTROLLER: u16 = 3;

/// The folder of a broker in the cluster's folder.
pub(crate) fn broker_folder(id: i32) -> String {
    format!("broker-{id}")
}

/// The log dirs of a broker, in order.
pub(crate) fn log_dirs(spec: &Builder, folder: &Path, id: i32) -> Vec<std::path::PathBuf> {
    let home = folder.join(broker_folder(id));
    (0..spec.log_dirs).map(|i| home.join(format!("data{i}"))).collect()
}

/// `server.properties` of a broker.
pub(crate) fn broker(spec: &Builder, ports: &Block, folder: &Path, id: i32, index: u16) -> String {
    let mut text = match spec.mode {
        Mode::ZooKeeper => format!(
            "broker.id={id}\n\
             broker.id.generation.enable=false\n\
             zookeeper.connect={}\n\
             zookeeper.session.timeout.ms={SESSION_MS}\n\
             zookeeper.connection.timeout.ms=30000\n\
             controlled.shutdown.max.retries=1\n\
             controlled.shutdown.retry.backoff.ms=200\n",
            zookeeper_connect(spec, ports)
        ),
        Mode::KRaft => format!(
            "process.roles={}\n\
             node.id={id}\n\
             broker.session.timeout.ms={SESSION_MS}\n\
             broker.heartbeat.interval.ms=1000\n{}",
            if spec.combined { "broker,controller" } else { "broker" },
            quorum(spec, ports)
        ),
    };
    text += &listeners(spec, ports, index);
    let dirs: Vec<String> =
        log_dirs(spec, folder, id).iter().map(|dir| dir.display().to_string()).collect();
    let factor = spec.brokers.min(3);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "log.dirs={}", dirs.join(","));
    let _ = writeln!(text, "offsets.topic.replication.factor={factor}");
    let _ = writeln!(text, "transaction.state.log.replication.factor={factor}");
    if let Some(rack) = spec.rack(index) {
        let _ = writeln!(text, "broker.rack={rack}");
    }
    if spec.mortal.contains(&id) {
        text += "controlled.shutdown.enable=false\n";
    }
    text += SMALL;
    text += &security(spec, folder);
    for (key, value) in &spec.properties {
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

/// The folder of a controller or ZooKeeper server in the cluster's folder.
pub(crate) fn member_folder(mode: Mode, index: u16) -> String {
    let name = match mode {
        Mode::KRaft => "controller",
        Mode::ZooKeeper => "zookeeper",
    };
    if index == 0 { name.to_owned() } else { format!("{name}-{index}") }
}

/// `server.properties` of a KRaft controller.
pub(crate) fn controller(spec: &Builder, ports: &Block, folder: &Path, index: u16) -> String {
    let port = ports.member(index);
    let mut text = format!(
        "process.roles=controller\n\
         node.id={}\n\
         listeners=CONTROLLER://127.0.0.1:{port}\n\
         listener.security.protocol.map=CONTROLLER:{}\n\
         log.dirs={}\n\
         broker.session.timeout.ms={SESSION_MS}\n\
         metadata.max.idle.interval.ms=5000\n\
         num.network.threads=1\n\
         num.io.threads=2\n\
         background.threads=2\n{}",
        QUORUM + i32::from(index),
        spec.controllers_by,
        folder.join(member_folder(Mode::KRaft, index)).join("data").display(),
        quorum(spec, ports)
    );
    // The controller refuses a tiered topic, too, and decides which broker is gone.
    for (key, value) in &spec.properties {
        if ["remote.log.storage.system.enable", "broker.session.timeout.ms"].contains(&key.as_str())
        {
            text += &format!("{key}={value}\n");
        }
    }
    if spec.controllers_by != "PLAINTEXT" {
        text += &stores(folder);
        text += &controller_logins(spec);
    }
    text += &authorizer(spec);
    text
}

/// What makes a server join the migration from ZooKeeper.
fn migration(spec: &Builder, ports: &Block) -> String {
    let connect = zookeeper_connect(spec, ports);
    format!("zookeeper.metadata.migration.enable=true\nzookeeper.connect={connect}\n")
}

/// `server.properties` of a broker at a step of the migration.
pub(crate) fn migrating_broker(
    spec: &Builder,
    ports: &Block,
    folder: &Path,
    id: i32,
    index: u16,
    step: Step,
) -> String {
    let mode = if step == Step::KRaft { Mode::KRaft } else { Mode::ZooKeeper };
    let mut text = broker(&Builder { mode, ..spec.clone() }, ports, folder, id, index);
    if step == Step::Migrating {
        // Later lines override earlier ones.
        text += &migration(spec, ports);
        text += &quorum(spec, ports);
        text += "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n";
    }
    text
}

/// `server.properties` of a KRaft controller at a step of the migration.
pub(crate) fn migrating_controller(
    spec: &Builder,
    ports: &Block,
    folder: &Path,
    index: u16,
    step: Step,
) -> String {
    let mut text = controller(spec, ports, folder, index);
    if step == Step::Migrating {
        text += &migration(spec, ports);
    }
    text
}

fn quorum(spec: &Builder, ports: &Block) -> String {
    let is_dynamic = spec.spares.is_some();
    let server = |index| {
        let address = format!("127.0.0.1:{}", ports.member(index));
        if is_dynamic { address } else { format!("{}@{address}", QUORUM + i32::from(index)) }
    };
    let key = if is_dynamic { "bootstrap.servers" } else { "voters" };
    let both = (0..spec.brokers)
        .filter(|_| spec.combined)
        .map(|index| format!("{}:{}", spec.host(index), ports.broker(index) + CONTROLLER));
    let servers: Vec<String> = spec.controllers().map(server).chain(both).collect();
    format!(
        "controller.quorum.{key}={}\n\
         controller.listener.names=CONTROLLER\n",
        servers.join(",")
    )
}

/// The listeners of every broker.
pub(crate) fn listener_names(spec: &Builder) -> &'static [(&'static str, u16)] {
    match spec.security {
        Security::Open => &[PLAINTEXT],
        Security::Authenticated | Security::Authorized => &[PLAINTEXT, SASL_SSL, SSL],
    }
}

fn listeners(spec: &Builder, ports: &Block, index: u16) -> String {
    let port = ports.broker(index);
    let names = listener_names(spec);
    let on = |host: Ipv4Addr| {
        let address = |(name, offset): &(&str, u16)| format!("{name}://{host}:{}", port + offset);
        names.iter().map(address).collect::<Vec<_>>().join(",")
    };
    let mut protocols: Vec<String> =
        names.iter().map(|(name, _)| format!("{name}:{name}")).collect();
    if spec.mode == Mode::KRaft {
        protocols.push(format!("CONTROLLER:{}", spec.controllers_by));
    }
    let for_controllers = match spec.combined {
        true => format!(",CONTROLLER://{}:{}", spec.behind(index), port + CONTROLLER),
        false => String::new(),
    };
    format!(
        "listeners={}{for_controllers}\n\
         advertised.listeners={}\n\
         listener.security.protocol.map={}\n\
         inter.broker.listener.name=PLAINTEXT\n",
        on(spec.behind(index)),
        on(spec.host(index)),
        protocols.join(",")
    )
}

fn security(spec: &Builder, folder: &Path) -> String {
    if spec.security == Security::Open {
        return String::new();
    }
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let plain: String =
        User::ALL.iter().map(|u| format!(" user_{}=\"{}\"", u.name, u.password)).collect();
    format!(
        "sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN\n\
         listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required{plain};\n\
         {}\
         ssl.client.auth=none\n\
         listener.name.ssl.ssl.client.auth=required\n\
         ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT\n{}{}",
        stores(folder),
        controller_logins(spec),
        authorizer(spec)
    )
}

/// The certificate of a server, and the authority that it trusts.
fn stores(folder: &Path) -> String {
    let tls = folder.join("tls");
    let tls = tls.display();
    format!(
        "ssl.keystore.type=PEM\n\
         ssl.keystore.location={tls}/broker.pem\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={tls}/ca.crt\n"
    )
}

/// How controllers, and brokers as their clients, prove who they are.
fn controller_logins(spec: &Builder) -> String {
    let of_listener = "listener.name.controller";
    match spec.controllers_by {
        "PLAINTEXT" => String::new(),
        "SSL" => format!("{of_listener}.ssl.client.auth=required\n"),
        _ => {
            let User { name, password } = User::ADMIN;
            let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
            format!(
                "sasl.mechanism.controller.protocol=PLAIN\n\
                 {of_listener}.sasl.enabled.mechanisms=PLAIN\n\
                 {of_listener}.plain.sasl.jaas.config={module} required username=\"{name}\" \
                 password=\"{password}\" user_{name}=\"{password}\";\n"
            )
        }
    }
}

fn authorizer(spec: &Builder) -> String {
    if spec.security != Security::Authorized {
        return String::new();
    }
    let class = match spec.mode {
        Mode::ZooKeeper => "kafka.security.authorizer.AclAuthorizer",
        Mode::KRaft => "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    };
    // Clients on PLAINTEXT are ANONYMOUS: the brokers themselves, and a test's own tools.
    let admin = User::ADMIN.name;
    format!("authorizer.class.name={class}\nsuper.users=User:ANONYMOUS;User:{admin}\n")
}

/// `zoo.cfg`.
pub(crate) fn zookeeper(spec: &Builder, ports: &Block, folder: &Path, index: u16) -> String {
    let mut text = format!(
        "tickTime=1000\n\
         dataDir={}\n\
         clientPort={}\n\
         clientPortAddress=127.0.0.1\n\
         maxClientCnxns=0\n\
         admin.enableServer=false\n\
         4lw.commands.whitelist=ruok,srvr,dump\n",
        folder.join(member_folder(Mode::ZooKeeper, index)).join("data").display(),
        ports.member(index)
    );
    if spec.guards_zookeeper {
        let tls = folder.join("tls");
        let (tls, port) = (tls.display(), ports.secure_zookeeper());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "secureClientPort={port}\n\
             secureClientPortAddress=127.0.0.1\n\
             serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
             authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n\
             authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider\n\
             ssl.keyStore.location={tls}/broker.pem\n\
             ssl.trustStore.type=PEM\n\
             ssl.trustStore.location={tls}/ca.crt\n\
             ssl.clientAuth=need\n"
        );
    }
    if spec.members > 1 {
        text += "initLimit=30\nsyncLimit=10\n";
        for other in 0..spec.members {
            let (peers, election) = ports.among_members(other);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "server.{}=127.0.0.1:{peers}:{election}", other + 1);
        }
    }
    text
}

/// The users of a guarded ZooKeeper server, and its property of Java that names them.
pub(crate) fn zookeeper_users() -> String {
    let User { name, password } = User::ADMIN;
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
    format!("Server {{\n  {module} required user_{name}=\"{password}\";\n}};\n")
}

/// All ZooKeeper servers, with the chroot.
pub(crate) fn zookeeper_connect(spec: &Builder, ports: &Block) -> String {
    let servers: Vec<String> =
        (0..spec.members).map(|index| format!("127.0.0.1:{}", ports.member(index))).collect();
    servers.join(",") + &spec.chroot
}

/// Formats empty log dirs of a broker as Kafka's storage tool does, without a JVM for each.
pub(crate) fn format(cluster_id: &str, id: i32, dirs: &[std::path::PathBuf]) -> Result<(), Error> {
    for dir in dirs {
        if !dir.join("meta.properties").exists() {
            format_as(cluster_id, id, dir, &new_id()?)?;
        }
    }
    Ok(())
}

/// Formats one log dir with this id.
pub(crate) fn format_as(cluster: &str, id: i32, dir: &Path, directory: &str) -> Result<(), Error> {
    file(fs::create_dir_all(dir), "create", dir)?;
    let text = format!("version=1\ncluster.id={cluster}\nnode.id={id}\ndirectory.id={directory}\n");
    let meta = dir.join("meta.properties");
    file(fs::write(&meta, text), "write", &meta)
}

/// A random id in Kafka's form: 128 bits in 22 characters, not beginning with `-`.
pub(crate) fn new_id() -> Result<String, Error> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 22];
    let read = fs::File::open(source).and_then(|mut random| random.read_exact(&mut bytes));
    file(read, "read", source)?;
    let letter = |(place, byte): (usize, &u8)| {
        // A leading `-` looks like a flag. The last character has only two bits of data; its low four are zero.
        let letter = match place {
            0 => byte % 62,
            21 => byte & 0b11_0000,
            _ => byte % 64,
        };
        char::from(LETTERS[usize::from(letter)])
    };
    Ok(bytes.iter().enumerate().map(letter).collect())
}
