//! The settings of a starting broker, and the replicas that its start would erase.

use super::{Ink, listed};
use mapper::{BrokerId, Erasure, WhyErased};
use serde::{Serialize, Serializer};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// How many partitions are named one by one.
const LONG: usize = 20;

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

/// What the start of a broker with an empty disk would erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Erasures {
    pub(crate) broker: BrokerId,
    #[serde(rename = "empty_log_dirs")]
    pub(crate) empty: Vec<PathBuf>,
    #[serde(rename = "partitions")]
    pub(crate) erased: Vec<Erasure>,
}

impl Erasures {
    /// The same loss, accepted by the operator.
    pub(crate) fn accepted(&self) -> Accepted<'_> {
        Accepted(self)
    }

    /// The partitions, and how to start the broker and keep the data of other replicas.
    pub(crate) fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list(f)?;
        let keepable: Vec<&Erasure> =
            self.erased.iter().filter(|erasure| !erasure.others.is_empty()).collect();
        writeln!(f, "nothing is lost if the old disk of broker {} comes back", self.broker)?;
        if !keepable.is_empty() {
            self.safe_way(&keepable, f)?;
        }
        if keepable.len() < self.erased.len() {
            writeln!(
                f,
                "partitions without another replica exist on the old disk alone; --accept-data-loss starts without it"
            )?;
        }
        Ok(())
    }

    fn list(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for erasure in self.erased.iter().take(LONG) {
            writeln!(f, "  {}: {}", erasure.partition, why(erasure))?;
        }
        if self.erased.len() > LONG {
            let more = self.erased.len() - LONG;
            writeln!(f, "  and {more} more; --output json names them all")?;
        }
        Ok(())
    }

    fn safe_way(&self, erasures: &[&Erasure], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broker = self.broker;
        let others: BTreeSet<BrokerId> =
            erasures.iter().flat_map(|erasure| erasure.others.iter().copied()).collect();
        let others: Vec<BrokerId> = others.into_iter().collect();
        writeln!(f, "otherwise follow these steps, which keep the data of the other replicas:")?;
        writeln!(f, "  1. keep broker {broker} down: this check keeps it down while it refuses")?;
        writeln!(f, "  2. start the others: {}", listed(&others))?;
        // An election while replicas are being added may choose an empty one of them.
        if erasures.iter().any(|erasure| erasure.adding) {
            writeln!(
                f,
                "  !  some are being reassigned: cancel that before step 3, or an empty replica may become leader"
            )?;
        }
        writeln!(
            f,
            "  3. elect a leader only for partitions that still have none (records that only {broker} had are lost):"
        )?;
        for (topic, partitions) in by_topic(erasures) {
            for partition in partitions {
                writeln!(
                    f,
                    "       kafka-leader-election --bootstrap-server HOST:PORT --election-type UNCLEAN --topic {topic} --partition {partition}"
                )?;
            }
        }
        writeln!(
            f,
            "  4. start broker {broker} again: this check then allows it, and it copies from them"
        )
    }
}

/// A loss that the operator has accepted.
pub(crate) struct Accepted<'a>(&'a Erasures);

impl fmt::Display for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Ink::Warning("warning:");
        if f.alternate() {
            write!(f, "{word:#} ")?;
        } else {
            write!(f, "{word} ")?;
        }
        writeln!(f, "{}; --accept-data-loss allows it", self.0)?;
        self.0.list(f)
    }
}

impl fmt::Display for Erasures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = super::counted(self.erased.len(), "partition");
        let dirs: Vec<String> = self.empty.iter().map(|dir| dir.display().to_string()).collect();
        write!(
            f,
            "broker {} has no log of {count} in {}: starting it erases the last copy",
            self.broker,
            dirs.join(", ")
        )
    }
}

fn why(erasure: &Erasure) -> String {
    let others = listed(&erasure.others);
    match erasure.why {
        WhyErased::OnlyReplica => "there is no other replica".to_owned(),
        WhyErased::OnlyInSync => format!("it alone was in sync; other replicas: {others}"),
        WhyErased::OnlyEligible => format!("it alone may lead; other replicas: {others}"),
        WhyErased::LastLeader => {
            format!("it led last, and no broker leads now; other replicas: {others}")
        }
        WhyErased::OthersDown => format!("all others that may lead are down: {others}"),
        WhyErased::Unclean => {
            format!(
                "no in-sync replica is up, and unclean elections are allowed; other replicas: {others}"
            )
        }
    }
}

fn by_topic<'e>(erasures: &[&'e Erasure]) -> BTreeMap<&'e str, BTreeSet<u32>> {
    let mut topics: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for erasure in erasures.iter().take(LONG) {
        let of = &erasure.partition;
        topics.entry(&of.topic).or_default().insert(of.partition.0);
    }
    topics
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
