//! Java's keystores: files in the formats JKS and PKCS12, and encrypted keys in PEM, converted to plain PEM.
//!
//! In: the bytes of a file. Out: the certificates, and the private key, that Java would take from it.

mod jks;

use crate::secret::Secret;
use p12_keystore::error::Error as Pkcs12Error;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use x509_cert::der::pem::{LineEnding, encode_string};

/// What a keystore is read for, as the two kinds of properties say.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// `ssl.truststore.*`: the authorities to trust.
    Trust {
        /// `ssl.truststore.password`.
        password: Option<Secret>,
    },
    /// `ssl.keystore.*`: our certificate and its key.
    Identity {
        /// `ssl.keystore.password`.
        password: Option<Secret>,
        /// `ssl.key.password`, by default that of the keystore.
        key_password: Option<Secret>,
    },
}

/// Why a keystore could not be used. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("its password is missing: set {0}")]
    NoPassword(&'static str),
    #[error("the password in {0} does not open it")]
    WrongPassword(&'static str),
    #[error("its format {0} is not supported, only JKS, PKCS12 and PEM are")]
    Format(&'static str),
    #[error("it is damaged, or in another format than JKS, PKCS12 or PEM ({0})")]
    Damaged(String),
    #[error("it has no trusted certificate; `keytool -importcert` adds one")]
    NothingTrusted,
    #[error("it has no private key")]
    NoKey,
    #[error("it has the private keys {}, and nothing says which to use", .0.join(", "))]
    ManyKeys(Vec<String>),
}

/// The content of a keystore, in DER.
#[derive(Default)]
struct Keystore {
    trusted: Vec<Vec<u8>>,
    keys: Vec<KeyEntry>,
}

/// A private key, in PKCS #8, and its certificate, followed by the issuers.
struct KeyEntry {
    alias: String,
    key: Vec<u8>,
    chain: Vec<Vec<u8>>,
}

impl Purpose {
    /// The password of the whole file, and the property that has it.
    fn password(&self) -> (&'static str, Option<&str>) {
        let (key, password) = match self {
            Self::Trust { password } => ("ssl.truststore.password", password),
            Self::Identity { password, .. } => ("ssl.keystore.password", password),
        };
        (key, password.as_ref().map(Secret::expose))
    }

    /// The password of the private keys; `None` if they are not wanted.
    fn key_password(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Identity { key_password: Some(password), .. } => {
                ("ssl.key.password", Some(password.expose()))
            }
            Self::Identity { key_password: None, .. } => self.password(),
            Self::Trust { .. } => ("ssl.key.password", None),
        }
    }
}

/// What the bytes hold for this purpose, in PEM, with a plain key. The format is seen from the first bytes, as Java does.
pub(crate) fn to_pem(bytes: &[u8], purpose: &Purpose) -> Result<String, Fault> {
    let store = match bytes {
        [0xFE, 0xED, 0xFE, 0xED, ..] => jks::open(bytes, purpose)?,
        [0xCE, 0xCE, 0xCE, 0xCE, ..] => return Err(Fault::Format("JCEKS")),
        // A sequence in DER. No text begins with these two bytes.
        [0x30, second, ..] if *second >= 0x80 => pkcs12(bytes, purpose)?,
        _ => return plain_key(String::from_utf8_lossy(bytes).into_owned(), purpose),
    };
    match purpose {
        Purpose::Trust { .. } => store.authorities(),
        Purpose::Identity { .. } => store.identity(),
    }
}

/// The text in PEM with its encrypted key (PKCS #8), if there is one, replaced by the key itself.
fn plain_key(text: String, purpose: &Purpose) -> Result<String, Fault> {
    const ENDS: [&str; 2] =
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----"];
    let [begin, end] = ENDS.map(|line| text.find(line));
    let (Purpose::Identity { .. }, Some(begin), Some(end)) = (purpose, begin, end) else {
        return Ok(text);
    };
    let end = end + ENDS[1].len();
    let (property, password) = purpose.key_password();
    let password = password.ok_or(Fault::NoPassword("ssl.key.password"))?;
    let damaged = || Fault::Damaged("its encrypted private key is no PKCS #8".to_owned());
    let block = text.get(begin..end).ok_or_else(damaged)?;
    let (_, encrypted) = SecretDocument::from_pem(block).map_err(|_| damaged())?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(encrypted.as_bytes());
    let key = encrypted.map_err(|_| damaged())?.decrypt(password);
    let key = key.map_err(|_| Fault::WrongPassword(property))?;
    Ok(text.replace(block, &pem("PRIVATE KEY", key.as_bytes())?))
}

fn pkcs12(bytes: &[u8], purpose: &Purpose) -> Result<Keystore, Fault> {
    let (key, password) = purpose.password();
    let opened = KeyStore::from_pkcs12(bytes, password.unwrap_or(""), Pkcs12ImportPolicy::Strict);
    let opened = opened.map_err(|error| match (error, password) {
        (Pkcs12Error::MacError(_) | Pkcs12Error::Pkcs5Error(_), Some(_)) => {
            Fault::WrongPassword(key)
        }
        (Pkcs12Error::MacError(_) | Pkcs12Error::Pkcs5Error(_), None) => Fault::NoPassword(key),
        (error, _) => Fault::Damaged(error.to_string()),
    })?;
    let mut store = Keystore::default();
    for (alias, entry) in opened.entries() {
        match entry {
            KeyStoreEntry::Certificate(found) => store.trusted.push(found.as_der().to_vec()),
            KeyStoreEntry::PrivateKeyChain(found) => store.keys.push(KeyEntry {
                alias: alias.clone(),
                key: found.key().as_der().to_vec(),
                chain: found.certs().iter().map(|found| found.as_der().to_vec()).collect(),
            }),
            KeyStoreEntry::Secret(_) => {}
        }
    }
    Ok(store)
}

impl Keystore {
    /// What Java's trust manager takes: trusted entries, and our own certificates.
    fn authorities(self) -> Result<String, Fault> {
        let own = self.keys.into_iter().filter_map(|entry| entry.chain.into_iter().next());
        let found: Vec<Vec<u8>> = self.trusted.into_iter().chain(own).collect();
        if found.is_empty() { Err(Fault::NothingTrusted) } else { certificates(&found) }
    }

    fn identity(mut self) -> Result<String, Fault> {
        match self.keys.len() {
            0 | 1 => {
                let entry = self.keys.pop().ok_or(Fault::NoKey)?;
                Ok(certificates(&entry.chain)? + &pem("PRIVATE KEY", &entry.key)?)
            }
            _ => Err(Fault::ManyKeys(self.keys.into_iter().map(|entry| entry.alias).collect())),
        }
    }
}

fn certificates(found: &[Vec<u8>]) -> Result<String, Fault> {
    found.iter().map(|der| pem("CERTIFICATE", der)).collect()
}

fn pem(label: &str, der: &[u8]) -> Result<String, Fault> {
    encode_string(label, LineEnding::LF, der).map_err(|error| Fault::Damaged(error.to_string()))
}
