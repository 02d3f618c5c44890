//! The ledger as records by key, in the topic `__mappr_state`: `autothrottle/owner`,
//! `autothrottle/ledger:RESOURCE:KEY` for each config that is ours, `autothrottle/asked` and
//! `autothrottle/asked:BROKER` for overrides. A daemon with its ledger in a file leaves `autothrottle/mark` next to
//! them, which is no line of the ledger.
//!
//! They hold the fewest lines that tell the ledger, not its history: what is over is deleted.

use execute::{Ledger, LedgerEntry};
use operate::marks::line::{MARK, PREFIX, Unread, name, read_all, written};
use statelog::Changes;
use std::collections::{BTreeMap, BTreeSet};

/// The records of the topic, as far as we know.
#[derive(Debug, Default)]
pub(super) struct Keys {
    there: BTreeMap<String, Vec<u8>>,
    /// Keys whose last write Kafka has not confirmed.
    unsure: BTreeSet<String>,
}

impl Keys {
    /// Reads all records, by the rest of their keys, and the ledger's lines in them.
    pub(super) fn of(
        mut records: BTreeMap<String, Vec<u8>>,
    ) -> Result<(Self, Vec<LedgerEntry>), statelog::Error> {
        records.remove(MARK);
        let entries = read_all(&records).map_err(|(key, unread)| cannot_be_read(&key, unread))?;
        Ok((Self { there: records, unsure: BTreeSet::new() }, entries))
    }

    /// The changes that turn the records into this ledger.
    pub(super) fn towards(&self, ledger: &Ledger) -> Changes {
        let entries = ledger.entries();
        let wanted: BTreeMap<String, Vec<u8>> =
            entries.iter().map(|entry| (about(entry), written(entry))).collect();
        let keys: BTreeSet<&String> =
            self.there.keys().chain(wanted.keys()).chain(&self.unsure).collect();
        let differs =
            |key: &str| self.unsure.contains(key) || self.there.get(key) != wanted.get(key);
        let changes = keys.into_iter().filter(|key| differs(key));
        changes.map(|key| (format!("{PREFIX}{key}"), wanted.get(key).cloned())).collect()
    }

    /// Marks these keys as being written; the result is not known yet.
    pub(super) fn are_written(&mut self, changes: &Changes) {
        self.unsure
            .extend(changes.keys().filter_map(|key| key.strip_prefix(PREFIX)).map(Into::into));
    }

    /// These stand there now.
    pub(super) fn stand(&mut self, changes: Changes) {
        for (key, value) in changes {
            let Some(key) = key.strip_prefix(PREFIX) else { continue };
            self.unsure.remove(key);
            match value {
                Some(value) => drop(self.there.insert(key.to_owned(), value)),
                None => drop(self.there.remove(key)),
            }
        }
    }
}

fn cannot_be_read(key: &str, unread: Unread) -> statelog::Error {
    let key = format!("{PREFIX}{key}");
    match unread {
        Unread::Newer(version) => statelog::Error::Newer { key, version },
        Unread::Malformed(why) => statelog::Error::Malformed { key, why },
    }
}

fn about(entry: &LedgerEntry) -> String {
    match entry {
        LedgerEntry::Opened { .. } => "owner".to_owned(),
        LedgerEntry::Held { setting, .. } | LedgerEntry::Released { setting } => {
            format!("ledger:{}", name(setting))
        }
        LedgerEntry::Asked { broker, .. } | LedgerEntry::Withdrawn { broker } => match broker {
            Some(id) => format!("asked:{id}"),
            None => "asked".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, RequestedRate, rate_setting};
    use mapper::{BrokerId, Rate};

    const SCHEMA: &str = include_str!("../../../../docs/schema/autothrottle-records.schema.json");

    fn lines() -> Vec<LedgerEntry> {
        let asked = RequestedRate { rate_bytes_per_second: Rate(5), autoremove: true };
        vec![
            LedgerEntry::Opened { by: "a".to_owned().into() },
            LedgerEntry::Held {
                setting: rate_setting(BrokerId(1), Key::LeaderRate),
                before: Some("7".to_owned()),
                found: None,
                ours: ["9".into()].into(),
                met: [].into(),
                owner: execute::Owner::Daemon,
            },
            LedgerEntry::Asked { broker: None, asked },
            LedgerEntry::Asked { broker: Some(BrokerId(2)), asked },
        ]
    }

    fn stored(changes: &Changes) -> BTreeMap<String, Vec<u8>> {
        let own = |(key, value): (&String, &Option<Vec<u8>>)| {
            Some((key.strip_prefix(PREFIX)?.to_owned(), value.clone()?))
        };
        changes.iter().filter_map(own).collect()
    }

    #[test]
    fn what_a_leader_wrote_the_next_one_reads() {
        let ledger = Ledger::replay(lines());
        let changes = Keys::default().towards(&ledger);
        let keys: Vec<&str> = changes.keys().map(String::as_str).collect();
        let expected = [
            "autothrottle/asked",
            "autothrottle/asked:2",
            "autothrottle/ledger:broker:1:leader.replication.throttled.rate",
            "autothrottle/owner",
        ];
        assert_eq!(keys, expected);
        let (kept, entries) = Keys::of(stored(&changes)).unwrap();
        assert_eq!(Ledger::replay(entries), ledger);
        assert_eq!(kept.towards(&ledger), Changes::new(), "what stands there is not written again");
    }

    #[test]
    fn a_mark_is_no_line_of_the_ledger_and_stays() {
        let mut records = stored(&Keys::default().towards(&Ledger::replay(lines())));
        let told = records.len();
        records.insert(MARK.to_owned(), b"{\"version\":9}".to_vec());
        let (kept, entries) = Keys::of(records).unwrap();
        assert_eq!(entries.len(), told);
        let gone = kept.towards(&Ledger::default());
        assert!(gone.len() == told && !gone.contains_key("autothrottle/mark"), "{gone:?}");
    }

    #[test]
    fn what_is_over_is_deleted_and_nothing_else_is_written() {
        let mut ledger = Ledger::replay(lines());
        let (kept, _) = Keys::of(stored(&Keys::default().towards(&ledger))).unwrap();
        ledger.apply(LedgerEntry::Withdrawn { broker: Some(BrokerId(2)) });
        ledger.apply(LedgerEntry::Released { setting: rate_setting(BrokerId(1), Key::LeaderRate) });
        let gone = |key: &str| (format!("{PREFIX}{key}"), None);
        let setting = "ledger:broker:1:leader.replication.throttled.rate";
        assert_eq!(kept.towards(&ledger), [gone("asked:2"), gone(setting)].into());
    }

    #[test]
    fn what_may_not_have_been_written_is_written_again_or_deleted() {
        let ledger = Ledger::replay(lines());
        let mut kept = Keys::default();
        let changes = kept.towards(&ledger);
        kept.are_written(&changes);
        assert_eq!(kept.towards(&ledger), changes);
        // Those lines count as not written, so their records must go.
        let all = kept.towards(&Ledger::default());
        assert!(all.len() == 4 && all.values().all(Option::is_none), "{all:?}");
        kept.stand(all);
        assert_eq!(kept.towards(&Ledger::default()), Changes::new());
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        let read = |text: &str| {
            Keys::of([("owner".to_owned(), text.into())].into()).unwrap_err().to_string()
        };
        let newer = read(r#"{"version":2,"ledger":"of another kind"}"#);
        assert_eq!(
            newer,
            "the record autothrottle/owner of __mappr_state has version 2; this program knows version 1"
        );
        for odd in ["[]", "{}", r#"{"version":1,"ledger":"of another kind"}"#] {
            let told = read(odd);
            let named = "the record autothrottle/owner of __mappr_state is not understood: ";
            assert!(told.starts_with(named), "{told}");
        }
    }

    #[test]
    fn records_are_what_their_schema_says() {
        let schema = serde_json::from_str(SCHEMA).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        for (key, record) in stored(&Keys::default().towards(&Ledger::replay(lines()))) {
            let record = serde_json::from_slice(&record).unwrap();
            let wrong: Vec<_> =
                schema.iter_errors(&record).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{key}: {wrong:?}");
        }
        assert!(!schema.is_valid(&serde_json::json!({"version": 1, "ledger": "else"})));
        assert!(!schema.is_valid(&serde_json::json!({"ledger": "opened", "by": "a"})));
    }
}
