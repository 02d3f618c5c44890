//! The records of an execution: its ledger, its journal and its owner. With them, another machine can resume it.
//!
//! - `owner`: the process that writes the records.
//! - `ledger:RESOURCE:CONFIG`: one config in the ledger.
//! - `journal:NUMBER`: one journal line, or a gist of all lines up to this number.

use super::journal_records::lines;
use crate::error::Error;
use crate::{ledger_records, runtime};
use ::execute::{JournalEntry, Ledger};
use coordination::record::{read, written};
use coordination::{Holder, Records};
use serde::{Deserialize, Serialize};

const OWNER: &str = "owner";

/// The owner of the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The process, by a name for operators.
    pub(super) name: String,
    /// Its ledger file, which is authoritative for what it has set.
    pub(super) place: String,
    pub(super) plan: String,
    pub(super) cluster_id: String,
    pub(super) since: String,
}

impl Owner {
    /// This process, which holds the lock from now on.
    pub(super) fn now(us: &Holder, plan: &str, cluster_id: &str) -> Self {
        Self {
            name: us.name.clone(),
            place: us.place.clone(),
            plan: plan.to_owned(),
            cluster_id: cluster_id.to_owned(),
            since: runtime::now(),
        }
    }
}

/// The parsed records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) owner: Option<Owner>,
    pub(super) ledger: Ledger,
    /// The journal of this plan, from its first line on.
    pub(super) journal: Vec<JournalEntry>,
}

impl Told {
    /// Parses records; journal lines of other plans are skipped.
    pub(super) fn by(records: &Records, plan: &str) -> Result<Self, Error> {
        let owner = records.get(OWNER).map(|text| read(OWNER, text)).transpose()?;
        let ledger = Ledger::replay(ledger_records::lines(records)?);
        Ok(Self { owner, ledger, journal: lines(records, plan)? })
    }
}

/// Adds the record of the owner.
pub(super) fn put_owner(records: &mut Records, owner: &Owner) {
    records.insert(OWNER.to_owned(), written(owner));
}

/// The text of the owner's record.
pub(super) fn owner_in(records: &Records) -> Option<&String> {
    records.get(OWNER)
}

/// The name of another process that wrote the records since. `None` if the owner is still one of these, which this
/// process has read or written. A process that takes the lead writes its owner record first.
pub(super) fn came_between(
    now: &Records,
    known: [Option<&String>; 2],
) -> Result<Option<String>, Error> {
    let owner = owner_in(now);
    if known.contains(&owner) {
        return Ok(None);
    }
    match owner {
        Some(text) => Ok(Some(read::<Owner>(OWNER, text)?.name)),
        None => Ok(Some("another process, which has removed the records".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal_records::put_line;
    use super::*;
    use ::execute::{Key, LedgerEntry, Pace, Setting, rate_setting};
    use mapper::{BrokerId, PartitionId, TopicPartition};

    fn setting() -> Setting {
        rate_setting(BrokerId(1), Key::LeaderRate)
    }

    fn ledger(ours: &str) -> Ledger {
        Ledger::replay([LedgerEntry::Held {
            setting: setting(),
            before: Some("7".to_owned()),
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        }])
    }

    fn owner() -> Owner {
        let text = |text: &str| text.to_owned();
        Owner {
            name: text("process 1 of a"),
            place: text("a/l"),
            plan: text("p"),
            cluster_id: text("c"),
            since: text("2026-11-21T07:00:00Z"),
        }
    }

    fn journal() -> [JournalEntry; 2] {
        let (plan, cluster_id) = ("p".to_owned(), "c".to_owned());
        let ill = [TopicPartition { topic: "t".to_owned(), partition: PartitionId(3) }].into();
        [
            JournalEntry::Started {
                plan,
                cluster_id,
                pace: Pace::BytesPerSecond(mapper::Rate(9)),
                ill,
            },
            JournalEntry::Detached,
        ]
    }

    fn records() -> Records {
        let mut records = Records::new();
        put_owner(&mut records, &owner());
        records.extend(ledger_records::records(&ledger("9")));
        for (number, entry) in journal().iter().enumerate() {
            put_line(&mut records, number, "p", entry);
        }
        records
    }

    #[test]
    fn another_machine_is_told_what_this_one_knows() {
        let told = Told::by(&records(), "p").unwrap();
        let journal = journal().to_vec();
        assert_eq!(told, Told { owner: Some(owner()), ledger: ledger("9"), journal });
        assert_eq!(Told::by(&records(), "another").unwrap().journal, []);
        assert_eq!(Told::by(&Records::new(), "p").unwrap(), Told::default());
    }

    #[test]
    fn a_journal_with_a_hole_is_believed_up_to_it() {
        let mut records = records();
        put_line(&mut records, 3, "p", &JournalEntry::GaveUp);
        assert_eq!(Told::by(&records, "p").unwrap().journal.len(), 2);
        records.remove("journal:00000000");
        assert_eq!(Told::by(&records, "p").unwrap().journal, []);
    }
}
