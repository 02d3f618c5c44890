//! Describes the data that a broker with an empty disk would erase if it started.

use crate::words::{counted, listed};
use health::{Erasure, WhyErased};
use mapper::{BrokerId, joined};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// The number of partitions that the report lists one by one; the rest are counted.
const LONG: usize = 20;

/// The data that a broker with an empty disk would erase if it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasures {
    /// The broker that would start.
    pub broker: BrokerId,
    /// Its log dirs that hold no log of the partitions below.
    #[serde(rename = "empty_log_dirs")]
    pub empty: Vec<PathBuf>,
    /// Partitions whose last usable copy the start would erase.
    #[serde(rename = "partitions")]
    pub erased: Vec<Erasure>,
}

impl Erasures {
    /// The partitions, and how to start the broker and keep the data of other replicas.
    ///
    /// # Errors
    /// The formatter failed.
    pub fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    /// One line for each of the first partitions.
    ///
    /// # Errors
    /// The formatter failed.
    pub fn list(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        // While replicas are being added, an election may choose an empty one.
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

impl fmt::Display for Erasures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = counted(self.erased.len(), "partition");
        let dirs = joined(self.empty.iter().map(|dir| dir.display()));
        write!(
            f,
            "broker {} has no log of {count} in {dirs}: starting it erases the last copy",
            self.broker
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
