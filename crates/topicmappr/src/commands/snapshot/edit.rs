//! `snapshot edit`: what if a broker dies, a rack goes, brokers join, data grows?

use super::{OutArgs, write};
use crate::error::Error;
use crate::flags::refuse_unknown;
use crate::session::Session;
use console::units::{size, size_factor};
use local::Status;
use mapper::snapshot::Broker;
use mapper::{BrokerId, Bytes, Ratio, Snapshot};
use std::collections::BTreeSet;
use std::str::FromStr;

/// The flags of `snapshot edit`; the edits are made in this order.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Multiply the size of all data by this factor
    #[arg(long, value_name = "F", value_parser = size_factor)]
    grow: Option<Ratio>,
    /// Let these brokers die; their racks stay known
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    lose_broker: Vec<BrokerId>,
    /// Let every broker of these racks die
    #[arg(long, value_name = "RACK,...", value_delimiter = ',')]
    lose_rack: Vec<String>,
    /// Let these brokers die, and keep them only in replica lists
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    remove_broker: Vec<BrokerId>,
    /// Cordon these brokers: they keep their replicas and get no more
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    cordon_broker: Vec<BrokerId>,
    /// Add empty brokers: id, rack and storage (1010:eu-1c:2TiB)
    ///
    /// The rack may be empty.
    #[arg(long, value_name = "ID:RACK:SIZE,...", value_delimiter = ',')]
    add_broker: Vec<Added>,
    #[command(flatten)]
    out: OutArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    write(&args.out, session, |session| match session.facts_if_any()? {
        Some(facts) => args.edited(&facts.snapshot),
        // Brokers alone: a cluster to be.
        None => args.edited(&Snapshot::empty()),
    })
}

impl Args {
    fn edited(&self, before: &Snapshot) -> Result<Snapshot, Error> {
        let lost = self.lost(before)?;
        let gone: BTreeSet<BrokerId> = self.remove_broker.iter().copied().collect();
        refuse_unknown(before, gone.iter())?;
        let grown = self.grow.map_or_else(|| before.clone(), |factor| before.grown(factor));
        let left = grown.without_live(&lost).without_registered(&gone);
        let joined = left.with_brokers(self.added(&left)?);
        // An added broker can be cordoned in the same run.
        refuse_unknown(&joined, self.cordon_broker.iter())?;
        Ok(joined.with_cordoned(|id| self.cordon_broker.contains(&id)))
    }

    /// Each id is added once, and never the id of a live broker, which is not empty.
    fn added(&self, left: &Snapshot) -> Result<Vec<Broker>, Error> {
        let mut ids = BTreeSet::new();
        let added = self.add_broker.iter().map(|Added(broker)| {
            let why = match (ids.insert(broker.id), left.is_live(broker.id)) {
                (false, _) => "is added twice",
                (true, true) => "is live: lose it first, or add another",
                (true, false) => return Ok(broker.clone()),
            };
            Err(local::Error::flag(
                "--add-broker",
                broker.id.to_string(),
                format!("broker {} {why}", broker.id),
            )
            .into())
        });
        added.collect()
    }

    fn lost(&self, before: &Snapshot) -> Result<BTreeSet<BrokerId>, Error> {
        refuse_unknown(before, self.lose_broker.iter())?;
        let mut lost: BTreeSet<BrokerId> = self.lose_broker.iter().copied().collect();
        for rack in &self.lose_rack {
            let brokers = before.rack(rack);
            if brokers.is_empty() {
                return Err(local::Error::flag(
                    "--lose-rack",
                    rack.clone(),
                    "no broker of the snapshot is in this rack",
                )
                .into());
            }
            lost.extend(brokers);
        }
        Ok(lost)
    }
}

/// `1010:eu-1c:2TiB`; an empty rack is none.
#[derive(Debug, Clone)]
struct Added(Broker);

impl FromStr for Added {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(2, ':');
        let id = parts.next().unwrap_or_default();
        let id: BrokerId = id.parse().map_err(|_| format!("{id:?} is not a broker id"))?;
        let rest = parts.next().ok_or("write ID:RACK:SIZE: 1010:eu-1c:2TiB")?;
        // A rack's name may hold a colon; a size does not.
        let (rack, storage) = rest.rsplit_once(':').ok_or("write ID:RACK:SIZE: 1010:eu-1c:2TiB")?;
        let storage: Bytes = size(storage)?;
        Ok(Self(Broker {
            rack: Some(rack.to_owned()).filter(|rack| !rack.is_empty()),
            storage_total: Some(storage),
            storage_free: Some(storage),
            ..Broker::new(id)
        }))
    }
}
