//! The settings of a starting broker, and the replicas that its start would erase.

use super::Ink;
use mapper::BrokerId;
use operate::erasures::Erasures;
use serde::{Serialize, Serializer};
use serde_json::json;
use std::fmt;

/// The form of [`BrokerSettings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SettingsFormat {
    /// `broker.rack=eu-1a`
    Properties,
    /// `KAFKA_BROKER_RACK=eu-1a`
    Env,
    /// `export KAFKA_BROKER_RACK='eu-1a'`
    Shell,
}

/// Id and rack, as Kafka or its image reads them.
pub(crate) struct BrokerSettings<'a> {
    pub(crate) id: BrokerId,
    pub(crate) rack: Option<&'a str>,
    pub(crate) format: SettingsFormat,
}

impl BrokerSettings<'_> {
    /// ZooKeeper mode reads the first, KRaft the second; both take the two together.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let id = self.id.to_string();
        let mut settings = vec![("broker.id", id.clone()), ("node.id", id)];
        settings.extend(self.rack.map(|rack| ("broker.rack", rack.to_owned())));
        settings
    }
}

impl fmt::Display for BrokerSettings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in self.settings() {
            let variable = format!("KAFKA_{}", key.to_uppercase().replace('.', "_"));
            match self.format {
                SettingsFormat::Properties => writeln!(f, "{key}={value}")?,
                SettingsFormat::Env => writeln!(f, "{variable}={value}")?,
                SettingsFormat::Shell => {
                    writeln!(f, "export {variable}='{}'", value.replace('\'', r"'\''"))?;
                }
            }
        }
        Ok(())
    }
}

impl Serialize for BrokerSettings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = json!({ "id": self.id });
        if let Some(rack) = self.rack {
            value["rack"] = rack.into();
        }
        value.serialize(serializer)
    }
}

/// A loss that the operator has accepted.
pub(crate) struct Accepted<'a>(pub(crate) &'a Erasures);

impl fmt::Display for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ink::Warning("warning:").fmt(f)?;
        writeln!(f, " {}; --accept-data-loss allows it", self.0)?;
        self.0.list(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_rack_as_it_is() {
        let settings = BrokerSettings {
            id: BrokerId(7),
            rack: Some("it's $a"),
            format: SettingsFormat::Shell,
        };
        assert_eq!(
            settings.to_string(),
            "export KAFKA_BROKER_ID='7'\nexport KAFKA_NODE_ID='7'\nexport KAFKA_BROKER_RACK='it'\\''s $a'\n"
        );
    }
}
