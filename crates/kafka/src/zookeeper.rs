//! TLS and the login for ZooKeeper, in the names of Kafka's brokers (KIP-515) or of ZooKeeper's own clients.
//!
//! In: a file of properties; a broker's own `server.properties` works. Out: plain texts, with the stores already opened.
//! Only keys that begin with `zookeeper.` count, and the one that names a JAAS file.

use crate::keystore::Purpose;
use crate::properties::{
    ConfigError, Identity, Jaas, Material, Properties, PropertyKeys, is_path, jaas_line,
    jaas_section, one_of, shown,
};
use crate::secret::Secret;
use crate::tls;
use std::path::{Path, PathBuf};

/// Keys that this client must understand: any other of these could be a protection that is missing.
const SECURITY: [&str; 3] = ["zookeeper.ssl.", "zookeeper.sasl.", "zookeeper.auth."];
const ENABLE: [&str; 2] = ["zookeeper.ssl.client.enable", "zookeeper.client.secure"];
const TRUST: [&str; 2] = ["zookeeper.ssl.truststore.location", "zookeeper.ssl.trustStore.location"];
const OWN: [&str; 2] = ["zookeeper.ssl.keystore.location", "zookeeper.ssl.keyStore.location"];
const SET_ACL: &str = "zookeeper.set.acl";
const JAAS_LINE: &str = "zookeeper.sasl.jaas.config";
/// A property of Java, which names the file for all logins of a JVM.
const JAAS_FILE: &str = "java.security.auth.login.config";
const DIGEST: &str = "zookeeper.auth.digest";
/// What has no meaning here: the format of a store is seen from its content, and protocols and ciphers are those of rustls.
const TUNING: [&str; 11] = [
    "zookeeper.clientCnxnSocket",
    "zookeeper.ssl.truststore.type",
    "zookeeper.ssl.trustStore.type",
    "zookeeper.ssl.keystore.type",
    "zookeeper.ssl.keyStore.type",
    "zookeeper.ssl.protocol",
    "zookeeper.ssl.enabled.protocols",
    "zookeeper.ssl.enabledProtocols",
    "zookeeper.ssl.cipher.suites",
    "zookeeper.ssl.ciphersuites",
    "zookeeper.ssl.handshakeDetectionTimeoutMillis",
];

/// How to reach a secured ensemble.
#[derive(Debug, Clone)]
pub struct ZooKeeperSettings {
    /// TLS, if it is enabled.
    pub tls: Option<TlsPem>,
    /// The login, if there is one.
    pub login: Option<ZooKeeperUser>,
    /// `zookeeper.set.acl`: by default whether there is a login or a certificate of ours.
    pub sets_acl: bool,
}

/// Authorities, and our own certificate with its key, in PEM.
#[derive(Debug, Clone)]
pub struct TlsPem {
    /// The authorities.
    pub roots: Secret,
    /// Our certificate with its issuers, and its private key.
    pub identity: Option<(Secret, Secret)>,
}

/// A user of ZooKeeper.
#[derive(Debug, Clone)]
pub struct ZooKeeperUser {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// SASL with DIGEST-MD5; otherwise the scheme `digest`.
    pub by_sasl: bool,
}

impl ZooKeeperSettings {
    /// Reads the properties, and the stores that they name.
    ///
    /// # Errors
    /// [`ConfigError`]: a value that is wrong or not supported, or a store that cannot be opened.
    pub fn from_properties(properties: &Properties) -> Result<Self, ConfigError> {
        let mut keys = PropertyKeys::about(properties, &SECURITY);
        let tls = tls(&mut keys)?;
        let login = login(&mut keys)?;
        let has_name = login.is_some() || tls.as_ref().is_some_and(|tls| tls.identity.is_some());
        let sets_acl = switch(&mut keys, SET_ACL)?;
        keys.finish()?;
        if sets_acl == Some(true) && !has_name {
            let because = "zookeeper.set.acl=true needs a login, or a client certificate, that owns the znodes";
            return Err(ConfigError::Missing { key: JAAS_LINE, because });
        }
        Ok(Self { tls, login, sets_acl: sets_acl.unwrap_or(has_name) })
    }
}

fn switch(keys: &mut PropertyKeys<'_>, key: &'static str) -> Result<Option<bool>, ConfigError> {
    match keys.text(key) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(value) => {
            Err(ConfigError::Invalid { key, value: shown(value), expected: "true or false" })
        }
    }
}

fn tls(keys: &mut PropertyKeys<'_>) -> Result<Option<TlsPem>, ConfigError> {
    refuse_weaker(keys)?;
    for key in TUNING {
        let _ = keys.text(key);
    }
    let mut secret = |names: [&'static str; 2]| {
        let found = names.map(|name| keys.secret(name));
        found.into_iter().flatten().next().map(Secret::new)
    };
    let password =
        secret(["zookeeper.ssl.truststore.password", "zookeeper.ssl.trustStore.password"]);
    let own = secret(["zookeeper.ssl.keystore.password", "zookeeper.ssl.keyStore.password"]);
    let roots = one_of(keys, &TRUST, &[], &Purpose::Trust { password })?;
    let purpose = Purpose::Identity { password: own, key_password: None };
    let own = one_of(keys, &OWN, &[], &purpose)?;
    let [one, other] = [switch(keys, ENABLE[0])?, switch(keys, ENABLE[1])?];
    match (one.or(other), roots, own) {
        (Some(false), ..) | (None, None, None) => Ok(None),
        (None, ..) => {
            let because =
                "it names stores for TLS, and without this key there is no TLS: true or false";
            Err(ConfigError::Missing { key: ENABLE[0], because })
        }
        (Some(true), None, _) => {
            let because = "TLS needs the CA that signed the servers' certificates";
            Err(ConfigError::Missing { key: TRUST[0], because })
        }
        (Some(true), Some(roots), own) => opened(&roots, own).map(Some),
    }
}

/// The library that speaks to ZooKeeper always checks the host, and no lists of revoked certificates.
fn refuse_weaker(keys: &mut PropertyKeys<'_>) -> Result<(), ConfigError> {
    let refused = |key, value: &str, instead: &str| {
        Err(ConfigError::Unsupported { key, value: shown(value), instead: instead.to_owned() })
    };
    let key = "zookeeper.ssl.endpoint.identification.algorithm";
    let always = "a certificate must always be valid for the host: name the servers as their certificates do";
    match keys.secret(key).map(str::trim) {
        None | Some("https" | "HTTPS") => {}
        Some(value) => return refused(key, value, always),
    }
    for (key, only, instead) in [
        ("zookeeper.ssl.hostnameVerification", "true", always),
        ("zookeeper.ssl.crl.enable", "false", "lists of revoked certificates are not read here"),
        ("zookeeper.ssl.ocsp.enable", "false", "OCSP is not asked here"),
    ] {
        if let Some(value) = keys.text(key).filter(|value| *value != only) {
            return refused(key, value, instead);
        }
    }
    Ok(())
}

fn opened(roots: &Material, own: Option<Material>) -> Result<TlsPem, ConfigError> {
    tls::certificates(roots)?;
    let identity = match own {
        None => None,
        Some(own) => {
            let identity = Identity { chain: own.clone(), key: own };
            tls::client_identity(&identity)?;
            Some((identity.chain.pem()?, identity.key.pem()?))
        }
    };
    Ok(TlsPem { roots: roots.pem()?, identity })
}

fn login(keys: &mut PropertyKeys<'_>) -> Result<Option<ZooKeeperUser>, ConfigError> {
    let section = keys.text("zookeeper.sasl.clientconfig").unwrap_or("Client");
    let wants_sasl = switch(keys, "zookeeper.sasl.client")? != Some(false);
    let malformed = |key| move |reason| ConfigError::Malformed { key, reason };
    let (line, file, digest) = (keys.text(JAAS_LINE), keys.text(JAAS_FILE), keys.secret(DIGEST));
    let given = [(JAAS_LINE, line), (JAAS_FILE, file.filter(|_| wants_sasl)), (DIGEST, digest)];
    let mut given = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let Some((key, value)) = given.next() else { return Ok(None) };
    if let Some((second, _)) = given.next() {
        let reason = "both are a login";
        return Err(ConfigError::Contradiction { first: key, second, reason });
    }
    match key {
        JAAS_LINE => by_sasl(key, jaas_line(value).map_err(malformed(key))?).map(Some),
        JAAS_FILE => {
            let text = read(key, value)?;
            by_sasl(key, jaas_section(&text, section).map_err(malformed(key))?).map(Some)
        }
        _ => {
            let (user, password) =
                value.split_once(':').ok_or_else(|| malformed(key)("it must be USER:PASSWORD"))?;
            let (user, password) = (user.trim().to_owned(), Secret::new(password));
            Ok(Some(ZooKeeperUser { user, password, by_sasl: false }))
        }
    }
}

fn by_sasl(key: &'static str, mut jaas: Jaas) -> Result<ZooKeeperUser, ConfigError> {
    if jaas.module != "DigestLoginModule" {
        let instead = "only a login by DigestLoginModule is; for an ensemble with Kerberos, use --bootstrap-server";
        // The name of a class; anything else may be a misplaced value.
        let class = jaas.module.ends_with("LoginModule") && jaas.module.len() < 80;
        let value = if class { jaas.module } else { shown(&jaas.module) };
        return Err(ConfigError::Unsupported { key, value, instead: instead.to_owned() });
    }
    let mut option =
        |name, reason| jaas.options.remove(name).ok_or(ConfigError::Malformed { key, reason });
    let user = option("username", "it has no username=\"...\"")?;
    let password = option("password", "it has no password=\"...\"")?;
    Ok(ZooKeeperUser { user: user.expose().to_owned(), password, by_sasl: true })
}

fn read(key: &'static str, path: &str) -> Result<String, ConfigError> {
    if !is_path(path) {
        let reason = "it is the text itself, not the path of a file";
        return Err(ConfigError::Malformed { key, reason });
    }
    let failed = |source| ConfigError::Unreadable { key, path: PathBuf::from(path), source };
    let bytes = tls::read(Path::new(path)).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Result<ZooKeeperSettings, ConfigError> {
        ZooKeeperSettings::from_properties(&Properties::parse(text).unwrap())
    }

    fn store(name: &str) -> String {
        format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn refusal(text: &str) -> String {
        let error = read_all(text).unwrap_err();
        let told = format!("{error} | {}", error.hint().unwrap_or_default());
        assert!(!told.contains("hunter2"), "{told}");
        told
    }

    #[test]
    fn both_spellings_open_stores_of_both_formats() {
        for (trust, own, enable, end) in [
            ("truststore", "keystore", "ssl.client.enable", "p12"),
            ("trustStore", "keyStore", "client.secure", "jks"),
        ] {
            let (roots, identity) = (store(&format!("truststore.{end}")), store("keystore.p12"));
            let settings = read_all(&format!(
                "zookeeper.{enable}=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n\
                 zookeeper.ssl.{trust}.location={roots}\nzookeeper.ssl.{trust}.password=changeit\n\
                 zookeeper.ssl.{own}.location={identity}\nzookeeper.ssl.{own}.password=changeit\n\
                 zookeeper.ssl.{own}.type=PKCS12\nssl.keystore.location=/a/brokers/own\n"
            ));
            let settings = settings.unwrap();
            let tls = settings.tls.unwrap();
            assert!(tls.roots.expose().contains("BEGIN CERTIFICATE"), "{end}");
            assert!(tls.identity.unwrap().1.expose().contains("BEGIN PRIVATE KEY"), "{end}");
            assert!(settings.sets_acl && settings.login.is_none());
        }
    }

    #[test]
    fn a_login_comes_from_a_line_a_jaas_file_or_a_pair() {
        let line = "org.apache.zookeeper.server.auth.DigestLoginModule required username=\"u\" password=\"hunter2\";";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jaas.conf");
        let text = format!(
            "// Of the broker: Client {{\nKafkaServer {{\n  a.ScramLoginModule required\n  password=\"}};\";\n}};\n\
             /* Client {{ */ Client {{\n  {line}\n}};\n"
        );
        std::fs::write(&file, text).unwrap();
        for (text, by_sasl) in [
            (format!("zookeeper.sasl.jaas.config={line}"), true),
            (format!("java.security.auth.login.config={}", file.display()), true),
            ("zookeeper.auth.digest=u:hunter2".to_owned(), false),
        ] {
            let settings = read_all(&text).unwrap();
            assert!(!format!("{settings:?}").contains("hunter2"));
            assert!(settings.sets_acl && settings.tls.is_none());
            let login = settings.login.unwrap();
            let read = (login.user.as_str(), login.password.expose(), login.by_sasl);
            assert_eq!(read, ("u", "hunter2", by_sasl));
            assert!(!read_all(&format!("{text}\nzookeeper.set.acl=false")).unwrap().sets_acl);
        }
        assert!(!read_all("").unwrap().sets_acl);
    }

    #[test]
    fn what_protects_less_than_it_says_is_refused() {
        let trust = format!("zookeeper.ssl.truststore.location={}", store("truststore.p12"));
        for (text, told) in [
            (trust.as_str(), "zookeeper.ssl.client.enable is missing"),
            ("zookeeper.ssl.client.enable=true", "zookeeper.ssl.truststore.location is missing"),
            ("zookeeper.ssl.endpoint.identification.algorithm=", "name the servers as"),
            ("zookeeper.ssl.crl.enable=true", "lists of revoked"),
            ("zookeeper.ssl.new.thing=hunter2", "zookeeper.ssl.new.thing is not supported"),
            ("zookeeper.set.acl=true", "needs a login"),
            ("zookeeper.set.acl=hunter2!", "expected true or false"),
            ("zookeeper.auth.digest=hunter2", "USER:PASSWORD"),
            ("zookeeper.auth.digest=u:p\nzookeeper.sasl.jaas.config=hunter2", "contradict"),
            ("zookeeper.sasl.jaas.config=hunter2", "malformed"),
            (
                "zookeeper.sasl.jaas.config=a.Krb5LoginModule required;",
                "Krb5LoginModule is not supported",
            ),
            ("zookeeper.sasl.jaas.config=a.DigestLoginModule required username=u;", "no password"),
            ("java.security.auth.login.config=/missing/jaas.conf", "/missing/jaas.conf"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(told), "{text}: {refusal}");
        }
        let wrong = format!(
            "{trust}\nzookeeper.ssl.client.enable=true\nzookeeper.ssl.truststore.password=hunter2"
        );
        let refusal = refusal(&wrong);
        let told = "the password in zookeeper.ssl.truststore.password does not open it";
        assert!(refusal.contains(told), "{refusal}");
    }
}
