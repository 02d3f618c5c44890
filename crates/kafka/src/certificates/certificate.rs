//! One certificate, with the fields that operators need.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{self, Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::time::Time;

/// The fields of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its owner, in the form of RFC 4514: `CN=kafka-0,O=Example`.
    pub subject: String,
    /// The authority that signed it.
    pub issuer: String,
    /// The serial number, in hex as openssl prints it.
    pub serial: String,
    /// The hosts that it is valid for: DNS names and IP addresses of the subject alternative name.
    pub names: Vec<String>,
    /// The start of its validity, in seconds since 1970.
    pub not_before: i64,
    /// The end of its validity, in seconds since 1970.
    pub not_after: i64,
    /// SHA-256 of the whole certificate, in hex. Unlike serials, it is unique across authorities.
    pub fingerprint: String,
    /// The names of subject and issuer as bytes. Two spellings of one name count as two names.
    pub(super) subject_der: Vec<u8>,
    pub(super) issuer_der: Vec<u8>,
}

impl Certificate {
    /// Whether it names itself as its issuer, as root certificates do.
    pub fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// Whether `issuer` may have signed it, judged by name.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        self.issuer_der == issuer.subject_der
    }

    /// Reads any certificate that authorities issue in practice, including serials longer than RFC 5280 allows.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        Self::decoded(certificate).map_err(|error| error.to_string())
    }

    fn decoded(certificate: &CertificateDer<'_>) -> der::Result<Self> {
        let read = CertificateInner::<Raw>::from_der(certificate)?;
        let read = read.tbs_certificate();
        let names = read.get_extension::<SubjectAltName>()?;
        let names = names.map(|(_, names)| names.0.iter().filter_map(host).collect());
        let validity = read.validity();
        Ok(Self {
            subject: read.subject().to_string(),
            issuer: read.issuer().to_string(),
            serial: hex(read.serial_number().as_bytes()),
            names: names.unwrap_or_default(),
            not_before: seconds(validity.not_before),
            not_after: seconds(validity.not_after),
            fingerprint: hex(&Sha256::digest(certificate)),
            subject_der: read.subject().to_der()?,
            issuer_der: read.issuer().to_der()?,
        })
    }
}

/// Seconds since 1970. A certificate's time is never before that.
fn seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            v4.or_else(|_| v6()).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A distinguished name, decoded from DER.
pub(super) fn distinguished(name: &[u8]) -> Option<String> {
    Name::from_der(name).ok().map(|name| name.to_string())
}

#[cfg(test)]
mod tests {
    use crate::certificates::read_file;
    use std::path::Path;

    fn read(name: &str) -> super::Certificate {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
        read_file(&path).unwrap().remove(0)
    }

    #[test]
    fn a_certificate_says_what_openssl_prints() {
        let (leaf, root) = (read("localhost.crt"), read("ca.crt"));
        assert!(leaf.is_issued_by(&root) && !root.is_issued_by(&leaf), "{leaf:?} {root:?}");
        assert!(root.is_self_issued() && !leaf.is_self_issued());
        assert!(leaf.names.contains(&"localhost".to_owned()), "{:?}", leaf.names);
        assert!(leaf.not_before < leaf.not_after);
        assert_eq!(leaf.fingerprint.len(), 64);
        // openssl x509 -in localhost.crt -noout -serial
        assert_eq!(leaf.serial, include_str!("../../testdata/localhost.serial").trim());
    }

    #[test]
    fn version_1_is_read_too() {
        assert!(read("version1.crt").names.is_empty());
    }
}
