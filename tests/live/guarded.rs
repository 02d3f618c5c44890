//! A ZooKeeper server with TLS, client certificates and logins. Each way to log in works for both programs, and owns what it
//! writes. Each wrong login ends with one clear line, writes nothing, and shows no password.

use std::fs;
use std::process::Command;

use coordination::{Holder, Store, Wait};
use operate::live::secured;
use testbed::{Cluster, User};
use tokio::runtime::Runtime;
use zookeeper_client::{Client, Error, Permission};

use crate::binary::{Ended, autothrottle, topicmappr};

const STORE_PASSWORD: &str = "st0re-secret";

/// The cluster, with stores in PKCS12 that hold the certificates of a client and of a stranger.
struct Guarded {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

fn guarded() -> Guarded {
    let cluster = Cluster::builder().guarded_zookeeper().brokers(1).start().unwrap();
    let guarded = Guarded { cluster, folder: tempfile::tempdir().unwrap() };
    for name in ["admin", "stranger"] {
        let (tls, out) = (guarded.tls(name), guarded.at(&format!("{name}.p12")));
        let args =
            ["pkcs12", "-export", "-passout", &format!("pass:{STORE_PASSWORD}"), "-out", &out];
        let files = ["-in", &format!("{tls}.crt"), "-inkey", &format!("{tls}.key")];
        let made = Command::new("openssl").args(args).args(files).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    guarded
}

impl Guarded {
    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn tls(&self, name: &str) -> String {
        self.cluster.path().join("tls").join(name).display().to_string()
    }

    /// Kafka's names, with this authority, and this certificate in PKCS12.
    fn with_tls(&self, authority: &str, own: Option<(&str, &str)>) -> String {
        let own = own.map(|(name, password)| {
            let store = self.at(&format!("{name}.p12"));
            format!("zookeeper.ssl.keystore.location={store}\nzookeeper.ssl.keystore.password={password}\n")
        });
        format!(
            "zookeeper.ssl.client.enable=true\n\
             zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n\
             zookeeper.ssl.truststore.location={}\nzookeeper.ssl.truststore.type=PEM\n{}",
            self.tls(&format!("{authority}.crt")),
            own.unwrap_or_default()
        )
    }

    fn config(&self, text: &str) -> String {
        let path = self.at("zookeeper.properties");
        fs::write(&path, text).unwrap();
        path
    }

    fn snapshot(&self, servers: &str, config: Option<&str>) -> Ended {
        let out = self.at("snapshot.json");
        let _ = fs::remove_file(&out);
        let config = config.map(|text| self.config(text));
        let config = config.iter().flat_map(|path| ["--zookeeper-config", path]);
        // A library that logs a secret does so at some level.
        let args = ["snapshot", "-vvv", "--zookeeper", servers, "--out-file", &out];
        let ended = topicmappr(args.into_iter().chain(config));
        assert_eq!(fs::exists(&out).unwrap(), ended.code == Some(0), "{}", ended.stderr);
        ended
    }

    /// A round of the daemon under this prefix, with this login.
    fn daemon(&self, servers: &str, prefix: &str, config: &str) -> Ended {
        let (bootstrap, config) = (self.cluster.bootstrap(), self.config(config));
        let place = ["--zookeeper", servers, "--zk-config-prefix", prefix];
        let once = ["--bootstrap-servers", &bootstrap, "--once", "--api-listen", "none"];
        autothrottle(once.into_iter().chain(place).chain(["--zookeeper-config", &config]))
    }

    /// A client without a login reads what others wrote, and changes nothing. Returns the owner.
    fn is_owned(&self, path: &str) -> String {
        let servers = self.cluster.zookeeper();
        Runtime::new().unwrap().block_on(async {
            let client = Client::connect(&servers).await.unwrap();
            client.get_data(path).await.unwrap();
            let denied = Err(Error::NoAuth);
            assert_eq!(client.set_data(path, b"theirs", None).await.map(drop), denied, "{path}");
            assert_eq!(client.delete(path, None).await, denied, "{path}");
            let (acl, _) = client.get_acl(path).await.unwrap();
            let [owner, all] = acl.as_slice() else { panic!("{acl:?}") };
            assert_eq!(owner.permission(), Permission::ALL);
            assert_eq!((all.id(), all.permission()), ("anyone", Permission::READ));
            format!("{}:{}", owner.scheme(), owner.id())
        })
    }
}

fn by_sasl(user: &str, password: &str) -> String {
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
    format!(
        "zookeeper.sasl.jaas.config={module} required username=\"{user}\" password=\"{password}\";\n"
    )
}

#[test]
#[ignore = "live"]
fn a_secured_zookeeper_is_read_and_written_and_a_wrong_login_is_a_clear_error() {
    let guarded = guarded();
    each_login_owns_what_it_writes(&guarded);
    a_record_under_a_lock_has_an_owner(&guarded);
    wrong_logins_are_told_apart(&guarded);
}

fn each_login_owns_what_it_writes(guarded: &Guarded) {
    let (plain, secure) = (guarded.cluster.zookeeper(), guarded.cluster.secure_zookeeper());
    let User { name, password } = User::ADMIN;
    let tls = guarded.with_tls("ca", Some(("admin", STORE_PASSWORD)));
    let sasl = by_sasl(name, password);
    let both = format!("{tls}zookeeper.set.acl=true\n");
    let digest = "zookeeper.auth.digest=admin:admin-secret\n".to_owned();
    for (prefix, servers, config, owner) in [
        ("by-certificate", &secure, &both, "x509:CN=admin"),
        ("by-sasl", &plain, &sasl, "sasl:admin"),
        ("by-digest", &plain, &digest, "digest:admin:"),
    ] {
        let logged = guarded.snapshot(servers, Some(config)).with(0).stderr;
        assert!(!logged.contains("secret"), "{logged}");
        guarded.daemon(servers, prefix, config).with(0);
        let found = guarded.is_owned(&format!("/{prefix}/taken/by"));
        assert!(found.starts_with(owner), "{prefix}: {found}");
    }
    // Again, with the znodes of the first run.
    guarded.daemon(&plain, "by-sasl", &sasl).with(0);
    guarded.snapshot(&plain, None).with(0);
    let other = "zookeeper.auth.digest=other:secret\n";
    let denied = guarded.daemon(&plain, "by-digest", other).with(3);
    denied.complaining_of("denies access to /by-digest").complaining_of("getAcl");
}

/// TLS and SASL together, as an executor keeps its ledger.
fn a_record_under_a_lock_has_an_owner(guarded: &Guarded) {
    let User { name, password } = User::ADMIN;
    let tls = guarded.with_tls("ca", Some(("admin", STORE_PASSWORD)));
    let config = guarded.config(&(tls + &by_sasl(name, password)));
    let address = guarded.cluster.secure_zookeeper().parse().unwrap();
    let address = secured(address, Some(config.as_ref())).unwrap();
    let store = Store::ZooKeeper { address, folder: "/topicmappr/executors/c".to_owned() };
    Runtime::new().unwrap().block_on(async {
        let holder = Holder::new("a test".to_owned(), "here");
        let mut lead = store.lead(holder, Wait::ForTheDead, |_| ()).await.unwrap();
        lead.write(&[("ledger".to_owned(), "a line".to_owned())].into()).await.unwrap();
        assert_eq!(store.seen().await.unwrap().records["ledger"], "a line");
        lead.release().await;
    });
    // Both names of the session could own it, so both are in the ACL.
    let path = "/topicmappr/executors/c/records/ledger";
    let shown = guarded.cluster.tool("zookeeper-shell", ["getAcl", path]).unwrap();
    for owner in ["'sasl,'admin", "'x509,'CN=admin", "'world,'anyone"] {
        assert!(shown.contains(owner), "{owner}: {shown}");
    }
}

fn wrong_logins_are_told_apart(guarded: &Guarded) {
    let (plain, secure) = (guarded.cluster.zookeeper(), guarded.cluster.secure_zookeeper());
    let own = |name| Some((name, STORE_PASSWORD));
    let tls = guarded.with_tls("ca", own("admin"));
    let wrong_store = guarded.with_tls("ca", Some(("admin", "wr0ng-secret")));
    for (servers, config, code, told, next) in [
        (&plain, by_sasl("admin", "wr0ng-secret"), 3, "refuses the login of admin", "user_NAME"),
        (&plain, by_sasl("wr0ng", "wr0ng-secret"), 3, "refuses the login of wr0ng", "user_NAME"),
        (&secure, tls.clone() + &by_sasl("admin", "wr0ng-secret"), 3, "refuses the login", "JAAS"),
        (
            &secure,
            guarded.with_tls("stranger-ca", own("admin")),
            3,
            "not signed by a trusted CA",
            "truststore.location",
        ),
        (
            &secure,
            guarded.with_tls("ca", None),
            3,
            "wants a client certificate",
            "keystore.location",
        ),
        (
            &secure,
            guarded.with_tls("ca", own("stranger")),
            3,
            "rejects our client certificate",
            "ssl.trustStore",
        ),
        (&secure, by_sasl("admin", "admin-secret"), 3, "it speaks TLS", "--zookeeper-config"),
        (&plain, tls, 3, "does not speak TLS", "secureClientPort"),
        (&secure, wrong_store, 2, "keystore.password does not open it", "zookeeper.ssl"),
        (
            &plain,
            by_sasl("admin", "x").replace("Digest", "Krb5"),
            2,
            "Krb5LoginModule is not supported",
            "Kerberos",
        ),
    ] {
        let ended = guarded.snapshot(servers, Some(&config)).with(code);
        let ended = ended.complaining_of(told).complaining_of(next);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
        let errors = ended.stderr.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{}", ended.stderr);
    }
    let ended = guarded.snapshot(&secure, None).with(3);
    ended.complaining_of("it speaks TLS").complaining_of("--zookeeper-config");
}
