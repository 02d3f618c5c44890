//! How librdkafka reaches the cluster.

use rdkafka::ClientConfig;
use std::collections::BTreeMap;
use std::fmt;

/// librdkafka's properties: `bootstrap.servers`, `security.protocol` and so on. Values may be secrets, so they are
/// never shown.
#[derive(Clone)]
pub struct Access {
    properties: BTreeMap<String, String>,
}

impl Access {
    /// Takes properties by librdkafka's names. The last of two equal keys counts.
    pub fn new<K: Into<String>, V: Into<String>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let own = |(key, value): (K, V)| (key.into(), value.into());
        Self { properties: properties.into_iter().map(own).collect() }
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
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.properties.keys()).finish()
    }
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
