//! Records next to the lock: the ledger, the journal and their owner. With them, another machine can resume an
//! execution.
//!
//! - `owner`: the process that writes the records.
//! - `ledger:RESOURCE:KEY`: one config in the ledger, with everything known of it.
//! - `journal:NUMBER`: one journal line, or a gist of all lines up to this number.
//!
//! The same names serve as znodes and as keys in a topic.

use super::journal::lines;
use crate::error::Error;
use crate::runtime;
use ::execute::{JournalEntry, Ledger, Setting, ThrottleResource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use statelog::Holder;
use std::collections::BTreeMap;

const VERSION: u64 = 1;
const OWNER: &str = "owner";
const LEDGER: &str = "ledger:";

/// Record texts by name.
pub(in crate::execution) type Records = BTreeMap<String, String>;
/// Records to write, and (`None`) to remove.
pub(in crate::execution) type Changes = BTreeMap<String, Option<String>>;

/// The owner of the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::execution) struct Owner {
    /// The process, by a name for operators.
    pub(in crate::execution) name: String,
    /// Its ledger file, which is authoritative for what it has set.
    pub(in crate::execution) place: String,
    pub(in crate::execution) plan: String,
    pub(in crate::execution) cluster_id: String,
    pub(in crate::execution) since: String,
}

impl Owner {
    /// This process, which holds the lock from now on.
    pub(in crate::execution) fn now(us: &Holder, plan: &str, cluster_id: &str) -> Self {
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
pub(in crate::execution) struct Told {
    pub(in crate::execution) owner: Option<Owner>,
    pub(in crate::execution) ledger: Ledger,
    /// The journal of this plan, from its first line on.
    pub(in crate::execution) journal: Vec<JournalEntry>,
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    version: u64,
    #[serde(flatten)]
    entry: T,
}

impl Told {
    /// Parses records; journal lines of other plans are skipped.
    pub(in crate::execution) fn by(records: &Records, plan: &str) -> Result<Self, Error> {
        let mut told = Self { journal: lines(records, plan)?, ..Self::default() };
        for (name, text) in records {
            if name == OWNER {
                told.owner = Some(read(name, text)?);
            } else if name.starts_with(LEDGER) {
                told.ledger.apply(read(name, text)?);
            }
        }
        Ok(told)
    }
}

/// Adds the record of the owner.
pub(in crate::execution) fn put_owner(records: &mut Records, owner: &Owner) {
    records.insert(OWNER.to_owned(), written(owner));
}

/// The name of another process that wrote the records since. `None` if the owner is still the one that this process
/// read or wrote. A process that takes the lock writes its owner record first.
pub(in crate::execution) fn came_between(
    now: &Records,
    there: &Records,
    wanted: &Records,
) -> Result<Option<String>, Error> {
    let owner = now.get(OWNER);
    if owner == there.get(OWNER) || owner == wanted.get(OWNER) {
        return Ok(None);
    }
    match owner {
        Some(text) => Ok(Some(read::<Owner>(OWNER, text)?.name)),
        None => Ok(Some("somebody who has removed the records".to_owned())),
    }
}

/// Updates the record of one config from the ledger.
pub(in crate::execution) fn put_setting(records: &mut Records, setting: &Setting, ledger: &Ledger) {
    let name = match &setting.resource {
        ThrottleResource::Broker(id) => format!("{LEDGER}broker:{id}:{}", setting.key.as_str()),
        ThrottleResource::Topic(topic) => format!("{LEDGER}topic:{topic}:{}", setting.key.as_str()),
    };
    match ledger.get(setting) {
        Some(held) => drop(records.insert(name, written(&held.line(setting)))),
        None => drop(records.remove(&name)),
    }
}

/// The changes that turn `there` into `wanted`.
pub(in crate::execution) fn changes(there: &Records, wanted: &Records) -> Changes {
    let gone = there.keys().filter(|name| !wanted.contains_key(*name));
    let gone = gone.map(|name| (name.clone(), None));
    let new = wanted.iter().filter(|(name, text)| there.get(*name) != Some(text));
    gone.chain(new.map(|(name, text)| (name.clone(), Some(text.clone())))).collect()
}

pub(super) fn written<T: Serialize>(entry: &T) -> String {
    // The value has only texts and numbers, which JSON can always represent.
    serde_json::to_string(&Record { version: VERSION, entry }).unwrap_or_default()
}

pub(super) fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let odd = |error: serde_json::Error| wrong(name, error.to_string());
    let Versioned { version } = serde_json::from_str(text).map_err(odd)?;
    if version > VERSION {
        return Err(wrong(name, format!("it has version {version}, this program reads version 1")));
    }
    let record: Record<T> = serde_json::from_str(text).map_err(odd)?;
    Ok(record.entry)
}

pub(super) fn wrong(name: &str, problem: String) -> Error {
    Error::Record { name: name.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::super::put_line;
    use super::*;
    use ::execute::LedgerEntry;
    use ::execute::{Key, Pace, rate_setting};
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
        put_setting(&mut records, &setting(), &ledger("9"));
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

    #[test]
    fn what_is_put_back_is_removed_and_nothing_else_is_written() {
        let (there, mut wanted) = (records(), records());
        assert_eq!(changes(&there, &wanted), Changes::new());
        put_setting(&mut wanted, &setting(), &Ledger::default());
        let name = "ledger:broker:1:leader.replication.throttled.rate".to_owned();
        assert_eq!(changes(&there, &wanted), [(name, None)].into());
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        for text in ["{}", "[]", r#"{"version":2}"#, r#"{"version":1,"ledger":"held"}"#] {
            let records = Records::from([("ledger:x".to_owned(), text.to_owned())]);
            let error = Told::by(&records, "p").unwrap_err();
            assert!(matches!(&error, Error::Record { name, .. } if name == "ledger:x"), "{error}");
        }
    }
}
