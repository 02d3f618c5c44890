//! The client side of SCRAM (RFC 5802, RFC 7677), without channel binding, as in Kafka.
//!
//! In: the server's messages. Out: our messages, and finally the proof that the server also knows the password.

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Kafka's own minimum of iterations. With fewer, a false server could guess the password from our proof.
const MIN_ITERATIONS: u32 = 4096;
/// More than any real configuration. A higher number lets a false server keep us busy for hours.
const MAX_ITERATIONS: u32 = 10_000_000;

/// The hash that a mechanism is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

/// Why the exchange ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    /// The server sent an error (`e=`).
    #[error("{0}")]
    Refused(String),
    /// The server's message lacks an attribute, or has an impossible value.
    #[error("the broker's SCRAM message is malformed: {0}")]
    Malformed(&'static str),
    /// The server could not prove that it knows the password.
    #[error("the broker does not know the password itself: it may be an impostor")]
    Impostor,
}

/// A password. Salting takes thousands of hashes, and all brokers of a cluster use the same salt, so it caches the last
/// result.
#[derive(Debug)]
pub(crate) struct Password {
    hash: Hash,
    plain: Secret,
    salted: Mutex<Option<Salted>>,
}

struct Salted {
    salt: Vec<u8>,
    iterations: u32,
    password: Vec<u8>,
}

impl fmt::Debug for Salted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salted(..)")
    }
}

impl Password {
    pub(crate) fn new(hash: Hash, plain: Secret) -> Self {
        Self { hash, plain, salted: Mutex::default() }
    }

    pub(crate) fn plain(&self) -> &Secret {
        &self.plain
    }

    fn salted(&self, salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut last = self.salted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|s| s.salt == salt && s.iterations == iterations);
        if let Some(known) = known {
            return known.password.clone();
        }
        let password = self.hash.salted(self.plain.expose().as_bytes(), salt, iterations);
        *last = Some(Salted { salt: salt.to_owned(), iterations, password: password.clone() });
        password
    }
}

/// An exchange after our nonce was sent.
#[derive(Debug)]
pub(crate) struct Scram<'a> {
    password: &'a Password,
    nonce: String,
    first_bare: String,
}

/// An exchange after our proof was sent: the server must now prove itself.
#[derive(Debug)]
pub(crate) struct Proven {
    server_signature: Vec<u8>,
}

impl<'a> Scram<'a> {
    /// `nonce` must be printable, without a comma, and never used twice.
    pub(crate) fn new(user: &str, password: &'a Password, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={user},r={nonce}");
        Self { password, nonce, first_bare }
    }

    /// The first message to the server.
    pub(crate) fn first_message(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// The second message to the server: the answer to its first.
    pub(crate) fn prove(self, server_first: &str) -> Result<(String, Proven), ScramError> {
        let challenge = Challenge::parse(server_first)?;
        if !challenge.nonce.starts_with(&self.nonce) || challenge.nonce.len() == self.nonce.len() {
            return Err(ScramError::Malformed("the nonce is not a continuation of ours"));
        }
        let hash = self.password.hash;
        let salted = self.password.salted(&challenge.salt, challenge.iterations);
        let client_key = hash.hmac(&salted, b"Client Key");
        let stored_key = hash.digest(&client_key);
        let final_bare = format!("c=biws,r={}", challenge.nonce);
        let signed = format!("{},{server_first},{final_bare}", self.first_bare);
        let client_signature = hash.hmac(&stored_key, signed.as_bytes());
        let proof: Vec<u8> =
            client_key.iter().zip(&client_signature).map(|(key, mask)| key ^ mask).collect();
        let server_key = hash.hmac(&salted, b"Server Key");
        let server_signature = hash.hmac(&server_key, signed.as_bytes());
        Ok((format!("{final_bare},p={}", BASE64.encode(proof)), Proven { server_signature }))
    }
}

impl Proven {
    /// Whether the server's last message proves that it knows the password.
    pub(crate) fn verify(&self, server_final: &str) -> Result<(), ScramError> {
        let attribute = server_final.split(',').next().unwrap_or_default();
        if let Some(refused) = attribute.strip_prefix("e=") {
            return Err(ScramError::Refused(refused.to_owned()));
        }
        let signature =
            attribute.strip_prefix("v=").ok_or(ScramError::Malformed("no signature"))?;
        match BASE64.decode(signature) {
            Ok(signature) if signature == self.server_signature => Ok(()),
            Ok(_) | Err(_) => Err(ScramError::Impostor),
        }
    }
}

/// The server's first message.
struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> Challenge<'a> {
    fn parse(message: &'a str) -> Result<Self, ScramError> {
        let (mut nonce, mut salt, mut iterations) = (None, None, None);
        for attribute in message.split(',') {
            match attribute.split_once('=') {
                Some(("r", value)) => nonce = Some(value),
                Some(("s", value)) => salt = BASE64.decode(value).ok(),
                Some(("i", value)) => iterations = value.parse().ok(),
                Some(("e", value)) => return Err(ScramError::Refused(value.to_owned())),
                Some(("m", _)) => return Err(ScramError::Malformed("an unknown extension")),
                Some(_) | None => {}
            }
        }
        let iterations = iterations
            .filter(|count| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(count))
            .ok_or(ScramError::Malformed("no iteration count from 4096 to 10000000"))?;
        Ok(Self {
            nonce: nonce.ok_or(ScramError::Malformed("no nonce"))?,
            salt: salt.ok_or(ScramError::Malformed("no salt"))?,
            iterations,
        })
    }
}

impl Hash {
    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(key, data),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, data),
        }
    }

    /// RFC 5802's `Hi`: PBKDF2 with one block of output.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec()
            }
            Self::Sha512 => {
                pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, iterations).to_vec()
            }
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length, by its definition")]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(hash: Hash) -> Password {
        Password::new(hash, Secret::new("pencil"))
    }

    fn scram<'a>(password: &'a Password, nonce: &str) -> Scram<'a> {
        Scram::new("user", password, nonce.to_owned())
    }

    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn sha_256_gives_the_messages_of_rfc_7677() {
        let password = password(Hash::Sha256);
        let exchange = scram(&password, "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(exchange.first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (message, proven) = exchange.prove(CHALLENGE).unwrap();
        assert_eq!(
            message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(proven.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    /// The exchange of RFC 7677 with the other hash. The values come from Python's `hashlib` and `hmac`.
    #[test]
    fn sha_512_gives_the_messages_of_an_independent_implementation() {
        let (message, proven) =
            scram(&password(Hash::Sha512), "rOprNGfwEbeRWgbNEkqO").prove(CHALLENGE).unwrap();
        let proof = "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
        assert!(message.ends_with(&format!(",p={proof}")), "{message}");
        let signature = "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";
        assert_eq!(proven.verify(&format!("v={signature}")), Ok(()));
    }

    #[test]
    fn a_server_that_cannot_sign_is_an_impostor() {
        let (_, proven) =
            scram(&password(Hash::Sha256), "rOprNGfwEbeRWgbNEkqO").prove(CHALLENGE).unwrap();
        for forged in ["v=AAAA", "v=", "v=!", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="] {
            assert_eq!(proven.verify(forged), Err(ScramError::Impostor), "{forged}");
        }
        let refused = ScramError::Refused("other-error".to_owned());
        assert_eq!(proven.verify("e=other-error"), Err(refused));
    }

    #[test]
    fn a_challenge_that_weakens_the_proof_is_refused() {
        for challenge in [
            "r=abcX,s=W22Z,i=4095",
            "r=abcX,s=W22Z,i=4294967295",
            "r=abc,s=W22Z,i=4096",
            "r=otherX,s=W22Z,i=4096",
            "r=abcX,i=4096",
            "s=W22Z,i=4096",
            "m=x,r=abcX,s=W22Z,i=4096",
        ] {
            let answer = scram(&password(Hash::Sha512), "abc").prove(challenge);
            assert!(matches!(answer, Err(ScramError::Malformed(_))), "{challenge}");
        }
    }

    #[test]
    fn another_salt_or_count_is_salted_anew() {
        let password = password(Hash::Sha256);
        let first = password.salted(b"salt", 4096);
        assert_eq!(password.salted(b"salt", 4096), first);
        assert_ne!(password.salted(b"other", 4096), first);
        assert_ne!(password.salted(b"salt", 4097), first);
        assert_eq!(password.salted(b"salt", 4096), first);
    }

    #[test]
    fn a_comma_and_an_equals_sign_in_a_name_are_escaped() {
        let password = password(Hash::Sha256);
        let exchange = Scram::new("a=b,c", &password, "n".to_owned());
        assert_eq!(exchange.first_message(), "n,,n=a=3Db=2Cc,r=n");
    }
}
