//! The ways in which a client connects: users, mechanisms, and the properties for each listener.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A user with a password. Every cluster with authentication has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, also in the ACL principal `User:NAME`.
    pub name: &'static str,
    /// The password.
    pub password: &'static str,
}

impl User {
    /// Has all rights.
    pub const ADMIN: Self = Self { name: "admin", password: "admin-secret" };
    /// Has the rights that ACLs grant. A test grants it what a reader needs.
    pub const READER: Self = Self { name: "reader", password: "reader-secret" };
    /// Has the rights that ACLs grant. A test grants it too little.
    pub const LIMITED: Self = Self { name: "limited", password: "limited-secret" };
    /// Has no rights, and no test grants it any.
    pub const NOBODY: Self = Self { name: "nobody", password: "nobody-secret" };

    pub(crate) const ALL: [Self; 4] = [Self::ADMIN, Self::READER, Self::LIMITED, Self::NOBODY];
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// SCRAM-SHA-512.
    ScramSha512,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// PLAIN.
    Plain,
}

impl Mechanism {
    /// As written in `sasl.mechanism`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

/// A way to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// No encryption and no authentication.
    Plaintext,
    /// TLS and a password.
    Sasl(Mechanism, User),
    /// TLS and a certificate with the name `admin`.
    MutualTls,
    /// TLS and a certificate from an authority that the brokers do not know.
    UntrustedCertificate,
}

/// Addresses and properties for one way to connect.
#[derive(Debug, Clone)]
pub struct Client {
    /// `host:port,...` of every broker.
    pub bootstrap: String,
    /// In librdkafka's names, without `bootstrap.servers`.
    pub properties: BTreeMap<String, String>,
    tls: PathBuf,
}

impl Client {
    pub(crate) fn new(access: &Access, bootstrap: String, tls: &Path) -> Self {
        let mut client = Self { bootstrap, properties: BTreeMap::new(), tls: tls.to_owned() };
        match access {
            Access::Plaintext => client.set("security.protocol", "PLAINTEXT"),
            Access::Sasl(mechanism, user) => {
                client.set("security.protocol", "SASL_SSL");
                client.set("sasl.mechanism", mechanism.name());
                client.set("sasl.username", user.name);
                client.set("sasl.password", user.password);
                client.trust("ca.crt");
            }
            Access::MutualTls => client.certificate("admin"),
            Access::UntrustedCertificate => client.certificate("stranger"),
        }
        client
    }

    /// The same, but it trusts an authority that did not sign the brokers' certificates.
    pub fn trusting_a_stranger(mut self) -> Self {
        self.trust("stranger-ca.crt");
        self
    }

    /// The same with one property changed.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.set(key, value);
        self
    }

    /// A properties file with librdkafka's names.
    pub fn librdkafka(&self) -> String {
        self.properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    /// A properties file with the names of Kafka's own tools.
    pub fn java(&self) -> String {
        let get = |key: &str| self.properties.get(key).map(String::as_str);
        let mut lines = vec![];
        for key in ["security.protocol", "sasl.mechanism"] {
            lines.extend(get(key).map(|value| format!("{key}={value}")));
        }
        if let (Some(mechanism), Some(user), Some(password)) =
            (get("sasl.mechanism"), get("sasl.username"), get("sasl.password"))
        {
            let module = match mechanism {
                "PLAIN" => "plain.PlainLoginModule",
                _ => "scram.ScramLoginModule",
            };
            lines.push(format!(
                "sasl.jaas.config=org.apache.kafka.common.security.{module} required \
                 username=\"{user}\" password=\"{password}\";"
            ));
        }
        if let Some(authority) = get("ssl.ca.location") {
            lines.push("ssl.truststore.type=PEM".into());
            lines.push(format!("ssl.truststore.location={authority}"));
        }
        if let Some(certificate) = get("ssl.certificate.location") {
            lines.push("ssl.keystore.type=PEM".into());
            lines.push(format!("ssl.keystore.location={}", certificate.replace(".crt", ".pem")));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn set(&mut self, key: &str, value: &str) {
        self.properties.insert(key.to_owned(), value.to_owned());
    }

    fn trust(&mut self, authority: &str) {
        let path = self.tls.join(authority).display().to_string();
        self.set("ssl.ca.location", &path);
    }

    fn certificate(&mut self, name: &str) {
        self.set("security.protocol", "SSL");
        self.trust("ca.crt");
        for (key, end) in [("ssl.certificate.location", "crt"), ("ssl.key.location", "key")] {
            let path = self.tls.join(format!("{name}.{end}")).display().to_string();
            self.set(key, &path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_name_the_same_way_in() {
        let access = Access::Sasl(Mechanism::ScramSha256, User::ADMIN);
        let client = Client::new(&access, "127.0.0.1:1".into(), Path::new("/t"));
        assert_eq!(
            client.librdkafka(),
            "sasl.mechanism=SCRAM-SHA-256\nsasl.password=admin-secret\nsasl.username=admin\n\
             security.protocol=SASL_SSL\nssl.ca.location=/t/ca.crt\n"
        );
        assert_eq!(
            client.java(),
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"admin\" password=\"admin-secret\";\n\
             ssl.truststore.type=PEM\nssl.truststore.location=/t/ca.crt\n"
        );
    }
}
