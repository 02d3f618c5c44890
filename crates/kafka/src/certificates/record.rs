//! A TLS client that records what the listener shows, and trusts none of it.

use super::certificate::distinguished;
use super::provider;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError, SignatureScheme,
};

/// What one handshake showed.
#[derive(Debug, Default)]
pub(super) struct HandshakeRecord {
    /// In the order of arrival: the listener's own certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The authorities that may sign client certificates, if the listener requests one.
    pub(super) authorities: Option<Vec<String>>,
}

/// Records what the listener shows.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<HandshakeRecord>);

impl Recorder {
    /// A connector for one handshake.
    pub(super) fn connector(self: &Arc<Self>) -> Result<TlsConnector, RustlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self.clone())
            .with_client_cert_resolver(self.clone());
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// What was shown since the last call.
    pub(super) fn take(&self) -> HandshakeRecord {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).chain = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let algorithms = &provider().signature_verification_algorithms;
        owned(verify_tls12_signature(message, certificate, signed, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let algorithms = &provider().signature_verification_algorithms;
        owned(verify_tls13_signature(message, certificate, signed, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts a chain only if the peer has its private key. It passes a certificate that the verifier cannot read at all
/// (X.509 version 1). Clients refuse such a certificate, and the later judgement reports it.
fn owned(
    verdict: Result<HandshakeSignatureValid, RustlsError>,
) -> Result<HandshakeSignatureValid, RustlsError> {
    match verdict {
        Err(RustlsError::InvalidCertificate(CertificateError::BadSignature)) => verdict,
        Err(RustlsError::InvalidCertificate(_)) => Ok(HandshakeSignatureValid::assertion()),
        verdict => verdict,
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut authorities: Vec<String> =
            hints.iter().filter_map(|der| distinguished(der)).collect();
        authorities.sort();
        authorities.dedup();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).authorities = Some(authorities);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
