//! The OAUTHBEARER part of the properties: where a token comes from (KIP-768, KIP-1139).

use super::ConfigError;
use super::aws::{self, AwsIam};
use super::error::shown;
use super::jaas::Jaas;
use super::keys::PropertyKeys;
use super::tls::{Material, is_path, one_of};
use crate::keystore::Purpose;
use crate::secret::Secret;
use reqwest::Url;
use std::collections::BTreeMap;
use std::path::PathBuf;

const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const ID: &str = "sasl.oauthbearer.client.credentials.client.id";
const SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";
const EXTENSIONS: &str = "sasl.oauthbearer.extensions";
const HANDLER: &str = "sasl.login.callback.handler.class";
const JAAS: &str = "sasl.jaas.config";
/// What tunes Java's or librdkafka's own logins. Ours needs none of it.
const TUNING: [&str; 12] = [
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.login.retry.backoff.max.ms",
    "sasl.login.retry.backoff.ms",
    "sasl.oauthbearer.scope.claim.name",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
];

/// The source of bearer tokens, and what goes with each of them.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// Where a token comes from.
    pub from: TokenFrom,
    /// SASL extensions (KIP-342): sent with each token.
    pub extensions: BTreeMap<String, String>,
}

/// Where a token comes from.
#[derive(Debug, Clone)]
pub enum TokenFrom {
    /// A file, which is read again for each new token: a workload's identity, for example.
    File(PathBuf),
    /// A server that gives tokens for a client's id and secret.
    Endpoint(Box<TokenEndpoint>),
    /// A signature with AWS's credentials, for Amazon MSK.
    Aws(AwsIam),
}

/// A server that gives tokens for a client's id and secret (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    /// Its address, without user and password.
    pub url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The scope to ask for.
    pub scope: Option<String>,
    /// Whether id and secret are encoded as in a form (RFC 6749, section 2.3.1). Kafka's default is no.
    pub encodes_header: bool,
    /// The authorities that may sign its certificate, if not the machine's own: librdkafka's `https.ca.location`.
    pub ca: Option<Material>,
}

/// The values of the keys, before anything is known about the mechanism.
#[derive(Debug)]
pub(super) struct TokenKeys<'a> {
    url: Option<&'a str>,
    client_id: Option<&'a str>,
    client_secret: Option<&'a str>,
    scope: Option<&'a str>,
    extensions: Option<&'a str>,
    encodes_header: Option<&'a str>,
    method: Option<&'a str>,
    retriever: Option<&'a str>,
    handler: Option<&'a str>,
    ca: Option<Material>,
}

impl<'a> TokenKeys<'a> {
    /// Reads them, even if the mechanism does not use them, so that they do not count as unknown.
    pub(super) fn read(keys: &mut PropertyKeys<'a>) -> Result<Self, ConfigError> {
        for key in TUNING {
            let _ = keys.text(key);
        }
        let trust = Purpose::Trust { password: None };
        Ok(Self {
            url: keys.text(URL),
            client_id: keys.aliased(ID)?,
            client_secret: keys.aliased(SECRET)?,
            scope: keys.text("sasl.oauthbearer.scope"),
            extensions: keys.text(EXTENSIONS),
            encodes_header: keys.text("sasl.oauthbearer.header.urlencode"),
            method: keys.text("sasl.oauthbearer.method"),
            retriever: keys.text("sasl.oauthbearer.jwt.retriever.class"),
            handler: keys.text(HANDLER),
            ca: one_of(keys, &["https.ca.location"], &["https.ca.pem"], &trust)?,
        })
    }

    /// Whether Java's class for Amazon MSK makes the tokens.
    pub(super) fn is_of_aws(&self) -> bool {
        self.handler.is_some_and(|class| class.ends_with(aws::HANDLERS[1]))
    }

    /// Refuses a class of one's own for the login of another mechanism.
    pub(super) fn refuse_handler(&self) -> Result<(), ConfigError> {
        let instead = "only logins by OAUTHBEARER have a handler here";
        self.handler.map_or(Ok(()), |class| Err(unsupported(HANDLER, class, instead)))
    }

    /// The source that the keys and the options of the login module name.
    pub(super) fn settings(self, jaas: Option<Jaas>) -> Result<TokenSettings, ConfigError> {
        self.refuse_other_ways()?;
        let mut options = jaas.map(|jaas| jaas.options).unwrap_or_default();
        let extensions = self.extensions(&mut options)?;
        let mut take = |names: [&str; 2]| names.into_iter().find_map(|name| options.remove(name));
        let url = either(URL, self.url, take(["oauth.token.endpoint.uri", "tokenEndpointUri"]))?;
        let client_id = either(ID, self.client_id, take(["clientId", "oauth.client.id"]))?;
        let secret = take(["clientSecret", "oauth.client.secret"]);
        let client_secret = either(SECRET, self.client_secret, secret)?;
        let scope = take(["scope", "oauth.scope"]);
        let scope = either("sasl.oauthbearer.scope", self.scope, scope)?;
        if let Some(option) = options.into_keys().next() {
            let instead = "clientId, clientSecret, scope and extension_NAME are; https.ca.location names the CA of \
                           the token endpoint";
            return Err(unsupported(JAAS, &option, instead));
        }
        let missing = |key, because| ConfigError::Missing { key, because };
        let url = url.ok_or(missing(URL, "OAUTHBEARER needs a token: an endpoint or a file"))?;
        let from = match location(url.expose())? {
            Location::File(path) => TokenFrom::File(path),
            Location::Server(url) => TokenFrom::Endpoint(Box::new(TokenEndpoint {
                url,
                client_id: client_id
                    .ok_or(missing(ID, "the token endpoint asks for it"))?
                    .expose()
                    .to_owned(),
                client_secret: client_secret
                    .ok_or(missing(SECRET, "the token endpoint asks for it"))?,
                scope: scope.map(|scope| scope.expose().to_owned()),
                encodes_header: self.encodes_header == Some("true"),
                ca: self.ca,
            })),
        };
        Ok(TokenSettings { from, extensions })
    }

    fn refuse_other_ways(&self) -> Result<(), ConfigError> {
        const WAYS: &str = "a token endpoint with a client's id and secret, or a file:// URL, is";
        let handlers = ["OAuthBearerLoginCallbackHandler", "JaasClientOauthLoginCallbackHandler"];
        let retrievers =
            ["ClientCredentialsJwtRetriever", "FileJwtRetriever", "DefaultJwtRetriever"];
        let ways: [(&str, Option<&str>, &[&str]); 3] = [
            (HANDLER, self.handler, &handlers),
            ("sasl.oauthbearer.jwt.retriever.class", self.retriever, &retrievers),
            ("sasl.oauthbearer.method", self.method, &["oidc", "OIDC"]),
        ];
        for (key, value, known) in ways {
            let class = value.map(|class| class.rsplit('.').next().unwrap_or(class));
            if let Some(class) = class.filter(|class| !known.contains(class)) {
                return Err(unsupported(key, class, WAYS));
            }
        }
        Ok(())
    }

    /// librdkafka's list, or the options of the login module.
    fn extensions(
        &self,
        options: &mut BTreeMap<String, Secret>,
    ) -> Result<BTreeMap<String, String>, ConfigError> {
        const REASON: &str = "it must be NAME=VALUE,... with letters in each name";
        let malformed = || ConfigError::Malformed { key: EXTENSIONS, reason: REASON };
        let listed = self.extensions.unwrap_or_default().split(',').filter(|it| !it.is_empty());
        let mut all: BTreeMap<String, String> = listed
            .map(|entry| entry.split_once('=').ok_or_else(malformed))
            .map(|entry| entry.map(|(name, value)| (name.trim().to_owned(), value.to_owned())))
            .collect::<Result<_, _>>()?;
        let prefix = "extension_";
        for (option, value) in options.extract_if(.., |option, _| option.starts_with(prefix)) {
            all.insert(option[prefix.len()..].to_owned(), value.expose().to_owned());
        }
        // RFC 7628, section 3.1. The name "auth" belongs to the token itself.
        let is_sound = |(name, value): (&String, &String)| {
            let letters = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
            letters && name != "auth" && value.chars().all(|c| matches!(c, ' '..='~'))
        };
        if all.iter().all(is_sound) { Ok(all) } else { Err(malformed()) }
    }
}

enum Location {
    File(PathBuf),
    Server(Url),
}

fn location(text: &str) -> Result<Location, ConfigError> {
    let malformed = |reason| ConfigError::Malformed { key: URL, reason };
    if !is_path(text) && !text.starts_with("http") {
        return Err(malformed("it is no URL"));
    }
    let url = Url::parse(text).map_err(|_| malformed("it is no URL"))?;
    match url.scheme() {
        "file" => {
            let path = url.to_file_path().map_err(|()| malformed("it is no file:///PATH"))?;
            Ok(Location::File(path))
        }
        "http" | "https" if url.username().is_empty() && url.password().is_none() => {
            Ok(Location::Server(url))
        }
        "http" | "https" => Err(malformed("a URL may not hold a user or a password")),
        _ => Err(malformed("it must begin with https://, http:// or file:///")),
    }
}

/// A value that a key or an option of the login module gives, but not both.
fn either(
    key: &'static str,
    from_key: Option<&str>,
    from_jaas: Option<Secret>,
) -> Result<Option<Secret>, ConfigError> {
    let from_key = from_key.map(Secret::new);
    if from_key.is_some() && from_jaas.is_some() && from_key != from_jaas {
        let reason = "they name different values";
        return Err(ConfigError::Contradiction { first: key, second: JAAS, reason });
    }
    Ok(from_key.or(from_jaas))
}

fn unsupported(key: &'static str, value: &str, instead: &str) -> ConfigError {
    // A class of Java ends in one of these words. Anything else may be a misplaced value.
    let class = ["Handler", "Retriever"].iter().any(|end| value.ends_with(end)) && value.len() < 80;
    let value = if class { value.to_owned() } else { shown(value) };
    ConfigError::Unsupported { key, value, instead: instead.to_owned() }
}
