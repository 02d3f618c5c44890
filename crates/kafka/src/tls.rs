//! TLS, on rustls with the ring provider.
//!
//! In: the TLS part of the settings. Out: a connector, and for a failed handshake its meaning for an operator. The
//! provider is passed explicitly, so that nothing depends on a process-wide default.

use crate::error::TlsFault;
use crate::keystore::{Fault, to_pem};
use crate::properties::{ConfigError, Identity, Material, MaterialSource, Roots, TlsSettings};
use crate::secret::Secret;
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
        Roots::Named(named) => (named.key, verifier(named)?),
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
pub(crate) fn verifier(named: &Material) -> Result<Arc<WebPkiServerVerifier>, ConfigError> {
    verifier_of(named.key, roots(named)?)
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

fn roots(named: &Material) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(named)? {
        roots.add(certificate).map_err(|error| unusable(named.key, error.to_string()))?;
    }
    Ok(roots)
}

/// Our certificate with its key. rustls refuses certificates of X.509 version 1, which `openssl x509 -req` creates by
/// default and brokers accept. This check therefore refuses only a key that clearly belongs to another certificate.
pub(crate) fn client_identity(identity: &Identity) -> Result<SingleCertAndKey, ConfigError> {
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

pub(crate) fn certificates(
    material: &Material,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(material.pem()?.expose().as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(material.key, format!("no certificate in PEM ({error})")))?;
    if found.is_empty() {
        Err(unusable(material.key, "no certificate in PEM".to_owned()))
    } else {
        Ok(found)
    }
}

/// The parser's own error is not shown, because it could quote the key.
fn private_key(material: &Material) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let text = material.pem()?;
    // PKCS #8 is decrypted by now. This is OpenSSL's older form.
    let encrypted = text.expose().contains("Proc-Type: 4,ENCRYPTED");
    PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).map_err(|_| ConfigError::Material {
        key: material.key,
        reason: if encrypted {
            "the private key is encrypted in an old form"
        } else {
            "no private key in PEM"
        }
        .to_owned(),
        instead: encrypted.then_some(
            "convert it to PKCS #8, and set ssl.key.password: \
             openssl pkcs8 -topk8 -in old.key -out new.key",
        ),
    })
}

impl Material {
    /// Its text in PEM, with a plain private key. Reads the file that it names.
    ///
    /// # Errors
    /// The file cannot be read, or is a keystore that its passwords do not open.
    pub fn pem(&self) -> Result<Secret, ConfigError> {
        let key = self.key;
        let bytes =
            match &self.source {
                MaterialSource::Inline(secret) => unfolded(secret.expose()).into_bytes(),
                MaterialSource::File(path) => read(path).map_err(|source| {
                    ConfigError::Unreadable { key, path: path.clone(), source }
                })?,
            };
        let text = to_pem(&bytes, &self.purpose);
        // The stores for ZooKeeper have the same properties, with a prefix.
        let reason = |fault: &Fault| match key.split_once("ssl.") {
            Some((prefix, _)) => fault.to_string().replace(" ssl.", &format!(" {prefix}ssl.")),
            None => fault.to_string(),
        };
        text.map(Secret::new).map_err(|fault| ConfigError::Material {
            key,
            reason: reason(&fault),
            instead: matches!(fault, Fault::Format(_)).then_some(
                "keytool -importkeystore -srckeystore OLD -destkeystore store.p12 -deststoretype PKCS12",
            ),
        })
    }
}

/// A limit in bytes, because a device file has no end. The system's certificates take 200 KiB.
const MOST_BYTES: u64 = 16 << 20;

pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut text)?;
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
        RustlsError::AlertReceived(AlertDescription::HandshakeFailure) if !presented => {
            TlsFault::Ended
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
    use crate::keystore::Purpose;

    fn material(key: &'static str, name: &str, purpose: Purpose) -> Material {
        let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
        Material { key, source: MaterialSource::File(path.into()), purpose }
    }

    fn trust(password: Option<&str>) -> Purpose {
        Purpose::Trust { password: password.map(Secret::new) }
    }

    fn identity(password: Option<&str>, key_password: Option<&str>) -> Purpose {
        let [password, key_password] = [password, key_password].map(|text| text.map(Secret::new));
        Purpose::Identity { password, key_password }
    }

    fn with_identity(chain: &str, key: &str) -> Result<TlsConnector, ConfigError> {
        with_roots_and_identity(
            material("ssl.ca.location", "ca.crt", trust(None)),
            [("ssl.certificate.location", chain), ("ssl.key.location", key)]
                .map(|(property, name)| material(property, name, identity(None, None))),
        )
    }

    fn with_roots_and_identity(
        roots: Material,
        [chain, key]: [Material; 2],
    ) -> Result<TlsConnector, ConfigError> {
        let (roots, identity) = (Roots::Named(roots), Some(Identity { chain, key }));
        connector(&TlsSettings { roots, identity, check_name: true })
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
            let source = MaterialSource::Inline(Secret::new(folded));
            let pem = Material { key: "ssl.ca.pem", source, purpose: trust(None) };
            assert_eq!(certificates(&pem).unwrap().len(), 1);
        }
    }

    #[test]
    fn an_unusable_identity_names_the_property_and_what_is_wrong() {
        assert!(refusal("ca.crt", "localhost.key").contains("not that of the certificate"));
        assert!(refusal("localhost.crt", "ca.crt").contains("no private key in PEM"));
        assert!(refusal("localhost.key", "localhost.key").contains("no certificate in PEM"));
        assert!(refusal("localhost.crt", "encrypted.key").contains("set ssl.key.password"));
        let missing = refusal("localhost.crt", "missing.key");
        assert!(missing.contains("ssl.key.location") && missing.contains("missing.key"));
    }

    #[test]
    fn keystores_that_keytool_made_are_taken() {
        for (end, key_password) in [("jks", Some("another")), ("p12", None)] {
            let roots = format!("truststore.{end}");
            let roots = material("ssl.truststore.location", &roots, trust(Some("changeit")));
            let store = format!("keystore.{end}");
            let purpose = identity(Some("changeit"), key_password);
            let own = material("ssl.keystore.location", &store, purpose);
            assert_eq!(certificates(&roots).unwrap().len(), 1, "{end}");
            let chain = certificates(&own).unwrap();
            let sent: [&[u8]; 2] =
                [include_bytes!("../testdata/localhost.crt"), include_bytes!("../testdata/ca.crt")];
            let sent = sent.map(|pem| CertificateDer::from_pem_slice(pem).unwrap());
            assert_eq!(chain, sent, "{end}");
            assert!(with_roots_and_identity(roots, [own.clone(), own]).is_ok(), "{end}");
        }
        let purpose = identity(None, Some("changeit"));
        let key = material("ssl.key.location", "encrypted.key", purpose);
        let pem = include_bytes!("../testdata/localhost.key");
        assert_eq!(private_key(&key).unwrap(), PrivateKeyDer::from_pem_slice(pem).unwrap());
    }

    #[test]
    fn a_keystore_that_cannot_be_opened_says_which_password_is_wrong() {
        let told = |name: &str, purpose| {
            let error = material("ssl.keystore.location", name, purpose).pem().unwrap_err();
            let told = error.to_string();
            assert!(!told.contains("hunter2"), "{told}");
            told
        };
        for name in ["keystore.jks", "keystore.p12"] {
            let wrong = told(name, identity(Some("hunter2"), None));
            assert!(wrong.contains("the password in ssl.keystore.password does not open it"));
        }
        for name in ["truststore.jks", "truststore.p12"] {
            let wrong = told(name, trust(Some("hunter2")));
            assert!(wrong.contains("the password in ssl.truststore.password does not open it"));
            assert!(told(name, identity(Some("changeit"), None)).contains("no private key"));
        }
        let key = told("keystore.jks", identity(Some("changeit"), Some("hunter2")));
        assert!(key.contains("the password in ssl.key.password does not open it"));
        assert!(told("keystore.jks", identity(None, None)).contains("set ssl.keystore.password"));
        assert!(told("keystore.p12", identity(None, None)).contains("set ssl.keystore.password"));
        let key = told("encrypted.key", identity(None, Some("hunter2")));
        assert!(key.contains("the password in ssl.key.password does not open it"));
    }

    /// Java reads a truststore without its password, and does not check it then.
    #[test]
    fn a_truststore_needs_no_password_in_jks() {
        let roots = material("ssl.truststore.location", "truststore.jks", trust(None));
        assert_eq!(certificates(&roots).unwrap().len(), 1);
    }

    /// Bytes of each store, and lengths, also without the check over the whole file, which Java leaves out, too. Few of
    /// PKCS12, because each try derives its keys slowly on purpose.
    #[test]
    fn a_damaged_keystore_is_an_error() {
        for (name, step) in [("truststore.jks", 1), ("keystore.jks", 1), ("keystore.p12", 80)] {
            let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
            let sound = std::fs::read(path).unwrap();
            for purpose in [trust(None), identity(Some("changeit"), Some("another"))] {
                for at in (0..sound.len()).step_by(step) {
                    drop(to_pem(&sound[..at], &purpose));
                    let mut spoilt = sound.clone();
                    spoilt[at] = !spoilt[at];
                    if let Ok(text) = to_pem(&spoilt, &purpose) {
                        assert!(text.len() <= 4 * sound.len(), "{name} {at}");
                    }
                }
            }
        }
    }
}
