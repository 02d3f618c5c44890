//! The TLS part of the properties: the authorities that we trust, and our own certificate.

use super::ConfigError;
use super::error::shown;
use super::keys::PropertyKeys;
use super::settings::SecurityProtocol;
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
    Pem(Pem),
}

impl Roots {
    /// The ones that the properties name.
    pub(crate) fn named(&self) -> Option<&Pem> {
        match self {
            Self::System => None,
            Self::Pem(pem) => Some(pem),
        }
    }
}

/// A certificate chain and its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, then its issuers.
    pub chain: Pem,
    /// Its unencrypted private key.
    pub key: Pem,
}

/// Text in PEM, and the property that named it.
#[derive(Debug, Clone)]
pub struct Pem {
    /// The property.
    pub key: &'static str,
    /// Where the text is.
    pub source: PemSource,
}

/// Where PEM text is.
#[derive(Debug, Clone)]
pub enum PemSource {
    /// In a file, which the client reads when it is created.
    File(PathBuf),
    /// In the properties themselves.
    Inline(Secret),
}

/// Reads the TLS keys, even if the protocol does not use them, so that they do not count as unknown.
pub(super) fn read(
    keys: &mut PropertyKeys<'_>,
    protocol: SecurityProtocol,
) -> Result<Option<TlsSettings>, ConfigError> {
    refuse_disabled_checks(keys)?;
    let check_name = check_name(keys)?;
    store_type(keys, "ssl.truststore.type", "ssl.truststore.location")?;
    store_type(keys, "ssl.keystore.type", "ssl.keystore.location")?;
    let roots = one_of(
        keys,
        &["ssl.ca.location", "ssl.truststore.location"],
        &["ssl.ca.pem", "ssl.truststore.certificates"],
    )?;
    let identity = identity(keys)?;
    // librdkafka's value `probe` means: search for the machine's own.
    let roots = roots
        .filter(|pem| !matches!(&pem.source, PemSource::File(path) if path.as_os_str() == "probe"));
    let roots = roots.map_or(Roots::System, Roots::Pem);
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

fn store_type(
    keys: &mut PropertyKeys<'_>,
    key: &'static str,
    location: &'static str,
) -> Result<(), ConfigError> {
    let file = keys.text(location);
    let value = match (keys.text(key), file) {
        (Some(value), _) => value,
        // Java's default.
        (None, Some(_)) => "JKS",
        (None, None) => return Ok(()),
    };
    if value.eq_ignore_ascii_case("PEM") {
        return Ok(());
    }
    let file = file.filter(|file| is_path(file)).unwrap_or("STORE");
    let to_p12 = format!(
        "keytool -importkeystore -srckeystore {file} -destkeystore store.p12 -deststoretype PKCS12"
    );
    let (prepare, p12) = if value.eq_ignore_ascii_case("PKCS12") {
        (String::new(), file)
    } else {
        (format!("{to_p12} && "), "store.p12")
    };
    // A trust store contains only certificates; a key store also contains the key.
    let what = if key == "ssl.truststore.type" { "-nokeys" } else { "-nodes" };
    let instead = format!(
        "convert the store, then set {key}=PEM and {location}=store.pem: {prepare}openssl pkcs12 -in {p12} {what} -out store.pem"
    );
    Err(ConfigError::Unsupported { key, value: shown(value), instead })
}

fn identity(keys: &mut PropertyKeys<'_>) -> Result<Option<Identity>, ConfigError> {
    let files = &["ssl.certificate.location", "ssl.keystore.location"];
    let texts = &["ssl.certificate.pem", "ssl.keystore.certificate.chain"];
    let chain = one_of(keys, files, texts)?;
    let files = &["ssl.key.location", "ssl.keystore.location"];
    let key = one_of(keys, files, &["ssl.key.pem", "ssl.keystore.key"])?;
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
fn is_path(text: &str) -> bool {
    text.len() < 1024 && !text.contains("-----") && !text.contains(['=', '\n'])
}

/// The only key of these that is set.
fn one_of(
    keys: &mut PropertyKeys<'_>,
    files: &[&'static str],
    texts: &[&'static str],
) -> Result<Option<Pem>, ConfigError> {
    let mut found: Vec<Pem> = Vec::new();
    for &key in files {
        if let Some(path) = keys.text(key) {
            if !is_path(path) {
                let reason = "it is the text itself, not the path of a file";
                return Err(ConfigError::Malformed { key, reason });
            }
            found.push(Pem { key, source: PemSource::File(PathBuf::from(path)) });
        }
    }
    for &key in texts {
        let source = keys.text(key).map(|text| PemSource::Inline(Secret::new(text)));
        found.extend(source.map(|source| Pem { key, source }));
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
