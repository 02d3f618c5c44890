//! How librdkafka reaches the cluster.

use rdkafka::client::OAuthToken;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaResult;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::{ClientConfig, ClientContext};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// A token for logins by OAUTHBEARER.
#[derive(Clone)]
pub struct AccessToken {
    /// The token itself.
    pub text: String,
    /// The name in it.
    pub principal: String,
    /// Its end, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// Gives the current token. It may take as long as a server needs to answer.
pub type Tokens = Arc<dyn Fn() -> Result<AccessToken, String> + Send + Sync>;

/// librdkafka's properties: `bootstrap.servers`, `security.protocol` and so on. Values may be secrets, so they are
/// never shown.
#[derive(Clone)]
pub struct Access {
    properties: BTreeMap<String, String>,
    tokens: Option<Tokens>,
}

impl Access {
    /// Takes properties by librdkafka's names. The last of two equal keys counts.
    pub fn new<K: Into<String>, V: Into<String>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let own = |(key, value): (K, V)| (key.into(), value.into());
        Self { properties: properties.into_iter().map(own).collect(), tokens: None }
    }

    /// Asks for the tokens of logins by OAUTHBEARER.
    #[must_use]
    pub fn with_tokens(self, tokens: Tokens) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// A client's configuration. Each role adds its own keys.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "topicmappr");
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    /// A client of this configuration.
    pub(crate) fn create<T: FromClientConfigAndContext<LoginContext>>(
        &self,
        config: &ClientConfig,
    ) -> KafkaResult<T> {
        config.create_with_context(self.login())
    }

    pub(crate) fn login(&self) -> LoginContext {
        LoginContext { tokens: self.tokens.clone() }
    }

    /// Whether a client must be polled before its first call, so that it asks for a token.
    pub(crate) fn needs_token(&self) -> bool {
        self.tokens.is_some()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.properties.keys()).finish()
    }
}

/// What librdkafka asks its clients for: tokens.
#[derive(Clone)]
pub(crate) struct LoginContext {
    tokens: Option<Tokens>,
}

impl LoginContext {
    /// The current token, in librdkafka's form.
    pub(crate) fn token(&self) -> Result<OAuthToken, Box<dyn StdError>> {
        let tokens = self.tokens.as_ref().ok_or("no source of tokens")?;
        let token = tokens().inspect_err(|reason| tracing::warn!(%reason, "no token"))?;
        let (token, principal_name, lifetime_ms) = (token.text, token.principal, token.expires_ms);
        Ok(OAuthToken { token, principal_name, lifetime_ms })
    }
}

impl ClientContext for LoginContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn StdError>> {
        self.token()
    }
}

impl ConsumerContext for LoginContext {}

impl ProducerContext for LoginContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_in_its_debug_form() {
        let access = Access::new([("sasl.password", "hunter2")]);
        assert_eq!(format!("{access:?}"), r#"["sasl.password"]"#);
    }
}
