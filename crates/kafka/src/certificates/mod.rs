//! What a TLS listener shows to any client: its certificate chain, and the authorities that it accepts for client
//! certificates.
//!
//! In: an address, and the authorities that clients trust. Out: the chain as served, and how a client judges it. The
//! client sends only a handshake, and ends it before any application data. It can therefore read expired, misnamed and
//! untrusted certificates, too.

mod certificate;
mod look;
mod record;

pub use certificate::Certificate;
pub use look::{Distrust, NotServed, Served, served};

use crate::keystore::Purpose;
use crate::properties::{ConfigError, Material, MaterialSource, Settings};
use crate::tls;
use rustls_pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring;

/// A file without readable certificates.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct NoCertificates {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The certificates in a PEM file, in the file's order: a chain, or authorities. Skips private keys in the same file.
///
/// # Errors
/// The file cannot be read, or holds no certificate in PEM.
pub fn read_file(path: &Path) -> Result<Vec<Certificate>, NoCertificates> {
    let found = tls::certificates(&file(path)).map_err(|error| unusable(path, error))?;
    let read = |der: &CertificateDer<'_>| {
        let wrong = |reason| NoCertificates { path: path.to_owned(), reason };
        Certificate::read(der).map_err(wrong)
    };
    found.iter().map(read).collect()
}

/// The authorities that clients trust to sign a broker's certificate.
#[derive(Clone)]
pub struct Trust(Arc<WebPkiServerVerifier>);

impl Trust {
    /// Loads them from a PEM file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no usable certificate.
    pub fn of_file(path: &Path) -> Result<Self, NoCertificates> {
        tls::verifier(&file(path)).map(Self).map_err(|error| unusable(path, error))
    }

    /// Loads them from the client properties; `None` if these name no authorities.
    ///
    /// # Errors
    /// As for a file.
    pub fn of_settings(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let named = settings.tls.as_ref().and_then(|tls| tls.roots.named());
        named.map(|named| Ok(Self(tls::verifier(named)?))).transpose()
    }
}

impl Trust {
    /// How clients would judge the chain in a PEM file if the listener at `host` served it now: see
    /// [`Served::distrust`].
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate in PEM.
    pub fn distrust_file(
        &self,
        path: &Path,
        host: &str,
    ) -> Result<Option<Distrust>, NoCertificates> {
        let chain = tls::certificates(&file(path)).map_err(|error| unusable(path, error))?;
        let name = ServerName::try_from(host.to_owned());
        let judged = chain.split_first().zip(name.ok());
        Ok(judged.and_then(|((leaf, others), name)| look::distrust(self, leaf, others, &name)))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

fn file(path: &Path) -> Material {
    let source = MaterialSource::File(path.to_owned());
    Material { key: "ssl.ca.location", source, purpose: Purpose::Trust { password: None } }
}

/// The same error, without the name of a property that the operator has not set.
fn unusable(path: &Path, error: ConfigError) -> NoCertificates {
    let reason = match error {
        ConfigError::Material { reason, .. } => reason,
        ConfigError::Unreadable { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    NoCertificates { path: path.to_owned(), reason }
}

/// The crypto provider of this program. It is passed explicitly, as everywhere.
fn provider() -> Arc<tokio_rustls::rustls::crypto::CryptoProvider> {
    Arc::new(ring::default_provider())
}
