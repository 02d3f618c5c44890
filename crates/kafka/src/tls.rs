//! TLS, on rustls with the ring provider.
//!
//! In: the TLS part of the settings. Out: a connector, and for a failed handshake its meaning for an operator. The
//! provider is passed explicitly, so that nothing depends on a process-wide default.

use crate::error::TlsFault;
use crate::properties::{ConfigError, Identity, Pem, PemSource, Roots, TlsSettings};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError,
    InconsistentKeys, RootCertStore, SignatureScheme,
};

/// Creates the connector for `settings` and reads the files that they name.
pub(crate) fn connector(settings: &TlsSettings) -> Result<TlsConnector, ConfigError> {
    let (origin, verifier) = match &settings.roots {
        Roots::System => ("ssl.ca.location", verifier_of("ssl.ca.location", system_roots()?)?),
        Roots::Pem(pem) => (pem.key, verifier(pem)?),
    };
    let verifier: Arc<dyn ServerCertVerifier> =
        if settings.check_name { verifier } else { Arc::new(AnyName { verifier }) };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(origin, error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_cert_resolver(Arc::new(client_identity(identity)?)),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The verifier of a broker's certificate, with these authorities.
pub(crate) fn verifier(pem: &Pem) -> Result<Arc<WebPkiServerVerifier>, ConfigError> {
    verifier_of(pem.key, roots(pem)?)
}

fn verifier_of(
    origin: &'static str,
    roots: RootCertStore,
) -> Result<Arc<WebPkiServerVerifier>, ConfigError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|error| unusable(origin, error.to_string()))
}

/// A connector that trusts no authority. Its handshake always fails, but the failure shows whether the peer speaks TLS.
pub(crate) fn distrustful() -> Option<TlsConnector> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

fn system_roots() -> Result<RootCertStore, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A machine's store may contain certificates that are too old for webpki. They can be skipped.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(roots);
    }
    let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
    let reason =
        if reasons.is_empty() { "its store is empty".to_owned() } else { reasons.join("; ") };
    Err(ConfigError::NoSystemRoots { reason })
}

fn roots(pem: &Pem) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| unusable(pem.key, error.to_string()))?;
    }
    Ok(roots)
}

/// Our certificate with its key. rustls refuses certificates of X.509 version 1, which `openssl x509 -req` creates by
/// default and brokers accept. This check therefore refuses only a key that clearly belongs to another certificate.
fn client_identity(identity: &Identity) -> Result<SingleCertAndKey, ConfigError> {
    let (chain, key) = (certificates(&identity.chain)?, private_key(&identity.key)?);
    let unusable_key = |error: RustlsError| unusable(identity.key.key, error.to_string());
    let key = ring::sign::any_supported_type(&key).map_err(unusable_key)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let reason =
                format!("the key is not that of the certificate in {}", identity.chain.key);
            Err(unusable(identity.key.key, reason))
        }
        Ok(()) | Err(_) => Ok(SingleCertAndKey::from(certified)),
    }
}

pub(crate) fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = text(pem)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(pem.key, format!("no certificate in PEM ({error})")))?;
    if found.is_empty() {
        Err(unusable(pem.key, "no certificate in PEM".to_owned()))
    } else {
        Ok(found)
    }
}

/// The parser's own error is not shown, because it could quote the key.
fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let text = text(pem)?;
    let encrypted = text.windows(9).any(|window| window == b"ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| ConfigError::Material {
        key: pem.key,
        reason: if encrypted { "the private key is encrypted" } else { "no private key in PEM" }
            .to_owned(),
        instead: encrypted.then_some(
            "write a plain one, readable by this user only: \
             openssl pkey -in encrypted.key -out plain.key && chmod 600 plain.key",
        ),
    })
}

fn text(pem: &Pem) -> Result<Vec<u8>, ConfigError> {
    match &pem.source {
        PemSource::Inline(secret) => Ok(unfolded(secret.expose()).into_bytes()),
        PemSource::File(path) => read(path).map_err(|source| ConfigError::Unreadable {
            key: pem.key,
            path: path.clone(),
            source,
        }),
    }
}

/// A limit in bytes, because a device file has no end. The system's certificates take 200 KiB.
const MOST_PEM: u64 = 16 << 20;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MOST_PEM).read_to_end(&mut text)?;
    Ok(text)
}

/// Inline PEM in properties is often one line, with blanks or a literal `\n` as line ends.
fn unfolded(pem: &str) -> String {
    let mut text = String::new();
    for (index, part) in pem.replace("\\n", "\n").split("-----").enumerate() {
        if index % 2 == 1 {
            text.push_str(&format!("-----{part}-----\n"));
        } else {
            text.extend(part.split_whitespace().flat_map(|line| [line, "\n"]));
        }
    }
    text
}

fn unusable(key: &'static str, reason: String) -> ConfigError {
    ConfigError::Material { key, reason, instead: None }
}

/// What a failed handshake, or a fatal alert after it, means. `None` if the failure is not about TLS.
pub(crate) fn fault(error: &io::Error, host: &str, presented: bool) -> Option<TlsFault> {
    let error = error.get_ref()?.downcast_ref::<RustlsError>()?;
    Some(match error {
        RustlsError::InvalidCertificate(error) => certificate(error, host),
        RustlsError::AlertReceived(alert) if about_client(*alert) => {
            TlsFault::ClientRefused { presented, alert: format!("{alert:?}") }
        }
        // All other errors have a clear text already.
        other => TlsFault::Other(other.to_string()),
    })
}

fn certificate(error: &CertificateError, host: &str) -> TlsFault {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::Untrusted,
        CertificateError::NotValidForName => {
            TlsFault::WrongName { expected: host.to_owned(), presented: Vec::new() }
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsFault::WrongName { expected: host.to_owned(), presented: presented.clone() }
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFault::NotValidNow(error.to_string()),
        other if format!("{other:?}").contains("UnsupportedCertVersion") => {
            TlsFault::OldCertificate
        }
        other => TlsFault::Other(other.to_string()),
    }
}

/// Alerts with which a server rejects a client certificate, or its absence. Java sends `BadCertificate`.
fn about_client(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// Whether the peer's bytes are not TLS.
pub(crate) fn is_gibberish(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<RustlsError>());
    matches!(tls, Some(RustlsError::InvalidMessage(_)))
}

/// Whether the peer speaks TLS, even if we rejected it.
pub(crate) fn is_tls_answer(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<RustlsError>());
    matches!(tls, Some(RustlsError::InvalidCertificate(_) | RustlsError::AlertReceived(_)))
}

/// Verifies everything except the name: `ssl.endpoint.identification.algorithm=none`.
#[derive(Debug)]
struct AnyName {
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        let verdict = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            // The verifier checks the name last, so the chain is trusted at this point.
            Err(RustlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn file(key: &'static str, name: &str) -> Pem {
        let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
        Pem { key, source: PemSource::File(path.into()) }
    }

    fn with_identity(chain: &str, key: &str) -> Result<TlsConnector, ConfigError> {
        connector(&TlsSettings {
            roots: Roots::Pem(file("ssl.ca.location", "ca.crt")),
            identity: Some(Identity {
                chain: file("ssl.certificate.location", chain),
                key: file("ssl.key.location", key),
            }),
            check_name: true,
        })
    }

    fn refusal(chain: &str, key: &str) -> String {
        let Err(error) = with_identity(chain, key) else { panic!("{chain} and {key} are taken") };
        format!("{error} | {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn certificates_of_both_x509_versions_are_taken() {
        assert!(with_identity("localhost.crt", "localhost.key").is_ok());
        assert!(with_identity("version1.crt", "localhost.key").is_ok());
    }

    #[test]
    fn pem_on_one_line_is_taken() {
        let pem = include_str!("../testdata/localhost.crt");
        for folded in [pem.to_owned(), pem.replace('\n', " "), pem.replace('\n', "\\n")] {
            let source = PemSource::Inline(Secret::new(folded));
            assert_eq!(certificates(&Pem { key: "ssl.ca.pem", source }).unwrap().len(), 1);
        }
    }

    #[test]
    fn an_unusable_identity_names_the_property_and_what_is_wrong() {
        assert!(refusal("ca.crt", "localhost.key").contains("not that of the certificate"));
        assert!(refusal("localhost.crt", "ca.crt").contains("no private key in PEM"));
        assert!(refusal("localhost.key", "localhost.key").contains("no certificate in PEM"));
        assert!(refusal("localhost.crt", "encrypted.key").contains("openssl pkey"));
        let missing = refusal("localhost.crt", "missing.key");
        assert!(missing.contains("ssl.key.location") && missing.contains("missing.key"));
    }
}
