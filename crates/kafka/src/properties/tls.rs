//! The TLS part of the properties: the authorities that we trust, and our own certificate.

use super::ConfigError;
use super::error::shown;
use super::keys::PropertyKeys;
use super::settings::SecurityProtocol;
use crate::keystore::Purpose;
use crate::secret::Secret;
use std::path::PathBuf;

/// The settings of TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// The authorities that may sign a broker's certificate.
    pub roots: Roots,
    /// Our own certificate, for brokers with `ssl.client.auth`.
    pub identity: Option<Identity>,
    /// Whether the certificate must be valid for the host that we connect to: `ssl.endpoint.identification.algorithm`,
    /// `https` by default.
    pub check_name: bool,
}

/// Trust anchors.
#[derive(Debug, Clone)]
pub enum Roots {
    /// The machine's own.
    System,
    /// Only these.
    Named(Material),
}

impl Roots {
    /// The ones that the properties name.
    pub(crate) fn named(&self) -> Option<&Material> {
        match self {
            Self::System => None,
            Self::Named(named) => Some(named),
        }
    }
}

/// A certificate chain and its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, then its issuers.
    pub chain: Material,
    /// Its private key.
    pub key: Material,
}

/// Certificates or a private key, and the property that named them.
#[derive(Debug, Clone)]
pub struct Material {
    /// The property.
    pub key: &'static str,
    /// Where it is.
    pub source: MaterialSource,
    /// What a keystore is opened for, and with which passwords.
    pub purpose: Purpose,
}

/// Where certificates or a private key are.
#[derive(Debug, Clone)]
pub enum MaterialSource {
    /// In a file in PEM, JKS or PKCS12, which the client reads when it is created.
    File(PathBuf),
    /// In the properties themselves, in PEM.
    Inline(Secret),
}

/// Reads the TLS keys, even if the protocol does not use them, so that they do not count as unknown.
pub(super) fn read(
    keys: &mut PropertyKeys<'_>,
    protocol: SecurityProtocol,
) -> Result<Option<TlsSettings>, ConfigError> {
    refuse_disabled_checks(keys)?;
    let check_name = check_name(keys)?;
    store_type(keys, "ssl.truststore.type")?;
    store_type(keys, "ssl.keystore.type")?;
    let password = keys.secret("ssl.truststore.password").map(Secret::new);
    let roots = one_of(
        keys,
        &["ssl.ca.location", "ssl.truststore.location"],
        &["ssl.ca.pem", "ssl.truststore.certificates"],
        &Purpose::Trust { password },
    )?;
    let identity = identity(keys)?;
    // librdkafka's value `probe` means: search for the machine's own.
    let roots = roots.filter(
        |named| !matches!(&named.source, MaterialSource::File(path) if path.as_os_str() == "probe"),
    );
    let roots = roots.map_or(Roots::System, Roots::Named);
    Ok(protocol.is_tls().then_some(TlsSettings { roots, identity, check_name }))
}

fn refuse_disabled_checks(keys: &mut PropertyKeys<'_>) -> Result<(), ConfigError> {
    const KEY: &str = "enable.ssl.certificate.verification";
    match keys.text(KEY) {
        None | Some("true") => Ok(()),
        Some(value) => Err(ConfigError::Unsupported {
            key: KEY,
            value: shown(value),
            instead: "certificates are always verified: name the brokers' CA in ssl.ca.location"
                .to_owned(),
        }),
    }
}

/// Java disables the check with an empty value, librdkafka with `none`.
fn check_name(keys: &mut PropertyKeys<'_>) -> Result<bool, ConfigError> {
    const KEY: &str = "ssl.endpoint.identification.algorithm";
    match keys.secret(KEY).map(str::trim) {
        None | Some("https" | "HTTPS") => Ok(true),
        Some("" | "none") => Ok(false),
        Some(value) => {
            let expected = "https, or none (or empty) to accept a certificate for another host";
            Err(ConfigError::Invalid { key: KEY, value: shown(value), expected })
        }
    }
}

/// The format of a store is seen from its content. What the properties say must only be a format that we know.
fn store_type(keys: &mut PropertyKeys<'_>, key: &'static str) -> Result<(), ConfigError> {
    match keys.text(key) {
        Some(value)
            if !["JKS", "PKCS12", "PEM"].iter().any(|known| value.eq_ignore_ascii_case(known)) =>
        {
            let instead =
                "convert it: keytool -importkeystore -srckeystore OLD -destkeystore store.p12 \
                           -deststoretype PKCS12"
                    .to_owned();
            Err(ConfigError::Unsupported { key, value: shown(value), instead })
        }
        _ => Ok(()),
    }
}

fn identity(keys: &mut PropertyKeys<'_>) -> Result<Option<Identity>, ConfigError> {
    let password = keys.secret("ssl.keystore.password").map(Secret::new);
    let key_password = keys.secret("ssl.key.password").map(Secret::new);
    let purpose = Purpose::Identity { password, key_password };
    let files = &["ssl.certificate.location", "ssl.keystore.location"];
    let texts = &["ssl.certificate.pem", "ssl.keystore.certificate.chain"];
    let chain = one_of(keys, files, texts, &purpose)?;
    let files = &["ssl.key.location", "ssl.keystore.location"];
    let key = one_of(keys, files, &["ssl.key.pem", "ssl.keystore.key"], &purpose)?;
    match (chain, key) {
        (Some(chain), Some(key)) => Ok(Some(Identity { chain, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::Missing {
            key: "ssl.key.location",
            because: "there is a client certificate, but no key for it",
        }),
        (None, Some(_)) => Err(ConfigError::Missing {
            key: "ssl.certificate.location",
            because: "there is a client key, but no certificate for it",
        }),
    }
}

/// Whether an error may show it as a path. An inline private key in place of a path must stay hidden.
pub(crate) fn is_path(text: &str) -> bool {
    text.len() < 1024 && !text.contains("-----") && !text.contains(['=', '\n'])
}

/// The only key of these that is set.
pub(crate) fn one_of(
    keys: &mut PropertyKeys<'_>,
    files: &[&'static str],
    texts: &[&'static str],
    purpose: &Purpose,
) -> Result<Option<Material>, ConfigError> {
    let mut found: Vec<Material> = Vec::new();
    let named = |key, source| Material { key, source, purpose: purpose.clone() };
    for &key in files {
        if let Some(path) = keys.text(key) {
            if !is_path(path) {
                let reason = "it is the text itself, not the path of a file";
                return Err(ConfigError::Malformed { key, reason });
            }
            found.push(named(key, MaterialSource::File(PathBuf::from(path))));
        }
    }
    for &key in texts {
        let source = keys.text(key).map(|text| MaterialSource::Inline(Secret::new(text)));
        found.extend(source.map(|source| named(key, source)));
    }
    match found.as_slice() {
        [first, second, ..] => Err(ConfigError::Contradiction {
            first: first.key,
            second: second.key,
            reason: "both name the same thing",
        }),
        _ => Ok(found.pop()),
    }
}
