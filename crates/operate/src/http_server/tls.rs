//! TLS for a server: a certificate chain and its key, which may be replaced while the server runs.

use crate::error::Error;
use crate::watched::Watched;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Certificate chain and key of a server, read again whenever the files change.
#[derive(Clone)]
pub struct Tls(Arc<dyn Fn() -> TlsAcceptor + Send + Sync>);

impl Tls {
    /// Reads these PEM files.
    ///
    /// # Errors
    /// The result of `wrong`, with the file and its problem.
    pub fn open<E>(
        chain: &Path,
        key: &Path,
        wrong: impl Fn(&Path, String) -> E + Send + Sync + 'static,
    ) -> Result<Self, E>
    where
        E: From<Error> + fmt::Display + 'static,
    {
        let paths = [chain.to_owned(), key.to_owned()];
        let watched = Watched::open(&[chain, key], move |texts| {
            let [chain, key] = [0, 1].map(|index| (&*paths[index], texts[index].as_slice()));
            acceptor(chain.1, key.1)
                .map_err(|(of_key, problem)| wrong(if of_key { key.0 } else { chain.0 }, problem))
        })?;
        Ok(Self(Arc::new(move || watched.now())))
    }

    /// The acceptor for the next handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        (self.0)()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Builds an acceptor. In an error, the flag says whether the key is at fault.
fn acceptor(chain: &[u8], key: &[u8]) -> Result<TlsAcceptor, (bool, String)> {
    let read = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let certificates = read.map_err(|error| (false, error.to_string()))?;
    if certificates.is_empty() {
        return Err((false, "there is no certificate in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(key).map_err(|error| (true, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|error| (true, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
