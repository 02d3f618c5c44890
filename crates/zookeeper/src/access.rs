//! How to reach a secured ensemble, and who may use what we write there.
//!
//! In: plain texts, which another crate read from files. Out: a connector of the client library, and the ACL of new
//! znodes. No error and no `Debug` shows a secret.

use std::fmt;
use tokio_rustls::rustls::crypto::ring;
use zookeeper_client::{Acl, Acls, Connector, Error as Reply, Permission, SaslOptions, TlsOptions};

/// Kafka's ACL for znodes without secrets (`zookeeper.set.acl`): all rights for the login, and reading for all.
static OURS: [Acl; 2] = [
    Acl::new_const(Permission::ALL, "auth", ""),
    Acl::new_const(Permission::READ, "world", "anyone"),
];

/// TLS and a login. The default has neither.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ZooKeeperAccess {
    /// TLS, for the `secureClientPort`.
    pub tls: Option<ZooKeeperTls>,
    /// A user with its password.
    pub login: Option<ZooKeeperLogin>,
    /// Whether new znodes belong to our login: others may only read them. Otherwise everyone has all rights.
    pub owns_znodes: bool,
}

/// The authorities of the servers, and our own certificate, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ZooKeeperTls {
    /// The authorities that may sign a server's certificate.
    pub roots: String,
    /// Our certificate with its issuers, and its private key.
    pub identity: Option<(String, String)>,
}

/// A user with its password.
#[derive(Clone, PartialEq, Eq)]
pub enum ZooKeeperLogin {
    /// SASL with DIGEST-MD5: the password itself is not sent.
    Sasl {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// The scheme `digest` (`addauth`): sends the password, and no server checks it before an ACL names the user.
    Digest {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl ZooKeeperAccess {
    /// The user of the login, for people.
    pub(crate) fn user(&self) -> Option<&str> {
        match self.login.as_ref()? {
            ZooKeeperLogin::Sasl { user, .. } | ZooKeeperLogin::Digest { user, .. } => Some(user),
        }
    }

    /// The ACL of the znodes that we create.
    pub(crate) fn acls(&self) -> Acls<'static> {
        if self.owns_znodes { Acls::new(&OURS) } else { Acls::anyone_all() }
    }

    /// The connector with our login and our certificates.
    pub(crate) fn onto(&self, connector: Connector) -> Result<Connector, Reply> {
        let connector = match &self.login {
            None => connector,
            Some(ZooKeeperLogin::Sasl { user, password }) => {
                connector.with_sasl(SaslOptions::digest_md5(user.clone(), password.clone()))
            }
            Some(ZooKeeperLogin::Digest { user, password }) => {
                connector.with_auth("digest", format!("{user}:{password}").as_bytes())
            }
        };
        let Some(tls) = &self.tls else { return Ok(connector) };
        // The library takes the provider of the process. It is compiled with two of them, so that rustls would not choose.
        let _ = ring::default_provider().install_default();
        let options = TlsOptions::new().with_pem_ca(&tls.roots)?;
        Ok(connector.with_tls(match &tls.identity {
            Some((chain, key)) => options.with_pem_identity(chain, key)?,
            None => options,
        }))
    }
}

impl fmt::Debug for ZooKeeperAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperAccess")
            .field("tls", &self.tls.is_some())
            .field("user", &self.user())
            .field("owns_znodes", &self.owns_znodes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_and_no_key_is_in_the_debug_form() {
        let [user, password] = ["operator", "hunter2"].map(str::to_owned);
        let identity = Some(("chain".to_owned(), "hunter2".to_owned()));
        let access = ZooKeeperAccess {
            tls: Some(ZooKeeperTls { roots: "roots".to_owned(), identity }),
            login: Some(ZooKeeperLogin::Digest { user, password }),
            owns_znodes: true,
        };
        let shown = format!("{access:?}");
        assert!(shown.contains("operator") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn only_an_owner_gives_znodes_an_acl_of_its_own() {
        assert_eq!(ZooKeeperAccess::default().acls(), Acls::anyone_all());
        let owner = ZooKeeperAccess { owns_znodes: true, ..ZooKeeperAccess::default() };
        let acls = owner.acls();
        let rights: Vec<_> = acls.iter().map(|acl| (acl.scheme(), acl.permission())).collect();
        assert_eq!(rights, [("auth", Permission::ALL), ("world", Permission::READ)]);
    }
}
