//! Java's own keystore format, JKS, as `sun.security.provider.JavaKeyStore` writes it.
//!
//! The file ends with a digest over the password and everything before it. A private key is masked with a stream of
//! SHA-1 digests over its password (`sun.security.provider.KeyProtector`).

use super::{Fault, KeyEntry, Keystore, Purpose};
use bytes::Buf;
use sha1::{Digest, Sha1};
use x509_cert::der::asn1::OctetStringRef;
use x509_cert::der::{self, Decode, Reader, SliceReader};
use x509_cert::spki::AlgorithmIdentifierRef;

const DIGEST: usize = 20;
/// A constant in the digest of every file.
const WHITENER: &[u8] = b"Mighty Aphrodite";
const PRIVATE_KEY: u32 = 1;
const TRUSTED: u32 = 2;

pub(super) fn open(bytes: &[u8], purpose: &Purpose) -> Result<Keystore, Fault> {
    let (content, digest) = bytes.split_last_chunk::<DIGEST>().ok_or_else(cut)?;
    // Java also reads a truststore without a password, and then does not check it.
    if let (key, Some(password)) = purpose.password() {
        let expected = Sha1::new().chain_update(wide(password)).chain_update(WHITENER);
        if expected.chain_update(content).finalize()[..] != digest[..] {
            return Err(Fault::WrongPassword(key));
        }
    }
    entries(content, purpose)
}

fn entries(content: &[u8], purpose: &Purpose) -> Result<Keystore, Fault> {
    let mut rest = content.get(4..).ok_or_else(cut)?;
    let version = number(&mut rest)?;
    if !(1..=2).contains(&version) {
        return Err(Fault::Damaged(format!("JKS of version {version}")));
    }
    let mut store = Keystore::default();
    // The counts in the file are not trusted: nothing is allocated for them.
    for _ in 0..number(&mut rest)? {
        let kind = number(&mut rest)?;
        let alias = String::from_utf8_lossy(name(&mut rest)?).into_owned();
        let _created = rest.try_get_u64().map_err(|_| cut())?;
        match kind {
            TRUSTED => store.trusted.push(certificate(&mut rest, version)?),
            PRIVATE_KEY => {
                let masked = block(&mut rest)?;
                let mut chain = Vec::new();
                for _ in 0..number(&mut rest)? {
                    chain.push(certificate(&mut rest, version)?);
                }
                let key = match purpose {
                    Purpose::Trust { .. } => Vec::new(),
                    Purpose::Identity { .. } => unmasked(masked, purpose)?,
                };
                store.keys.push(KeyEntry { alias, key, chain });
            }
            other => return Err(Fault::Damaged(format!("JKS entry of kind {other}"))),
        }
    }
    Ok(store)
}

fn certificate(rest: &mut &[u8], version: u32) -> Result<Vec<u8>, Fault> {
    if version == 2 {
        // Its type, always X.509.
        name(rest)?;
    }
    Ok(block(rest)?.to_vec())
}

/// The private key, if the check over the password and the key is right.
fn unmasked(masked: &[u8], purpose: &Purpose) -> Result<Vec<u8>, Fault> {
    let (property, password) = purpose.key_password();
    let password = wide(password.ok_or(Fault::NoPassword(property))?);
    let masked = encrypted_data(masked).map_err(|error| Fault::Damaged(error.to_string()))?;
    let (salt, masked) = masked.split_first_chunk::<DIGEST>().ok_or_else(cut)?;
    let (masked, check) = masked.split_last_chunk::<DIGEST>().ok_or_else(cut)?;
    let mut digest = salt.to_vec();
    let mut key = Vec::with_capacity(masked.len());
    for part in masked.chunks(DIGEST) {
        digest = Sha1::new().chain_update(&password).chain_update(&digest).finalize().to_vec();
        key.extend(part.iter().zip(&digest).map(|(byte, mask)| byte ^ mask));
    }
    if Sha1::new().chain_update(&password).chain_update(&key).finalize()[..] == check[..] {
        Ok(key)
    } else {
        Err(Fault::WrongPassword(property))
    }
}

/// The bytes in an `EncryptedPrivateKeyInfo` (RFC 5208), whose algorithm is always the one of this format.
fn encrypted_data(der: &[u8]) -> Result<&[u8], der::Error> {
    let mut reader = SliceReader::new(der)?;
    let found: &OctetStringRef = reader.sequence(|inner| {
        AlgorithmIdentifierRef::decode(inner)?;
        <&OctetStringRef>::decode(inner)
    })?;
    reader.finish()?;
    Ok(found.as_bytes())
}

/// The password in UTF-16, high byte first.
fn wide(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn number(rest: &mut &[u8]) -> Result<u32, Fault> {
    rest.try_get_u32().map_err(|_| cut())
}

fn name<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let length = rest.try_get_u16().map_err(|_| cut())?;
    part(rest, length.into())
}

fn block<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let length = number(rest)?;
    part(rest, usize::try_from(length).map_err(|_| cut())?)
}

fn part<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Fault> {
    let (found, left) = rest.split_at_checked(length).ok_or_else(cut)?;
    *rest = left;
    Ok(found)
}

fn cut() -> Fault {
    Fault::Damaged("it ends in the middle of an entry".to_owned())
}
