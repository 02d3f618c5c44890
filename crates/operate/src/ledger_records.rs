//! The ledger as records: one record for each config and each override, with everything known of it. Executions and
//! daemons use the same names.
//!
//! - `opened`: the process that has opened the ledger last. Executions have the record `owner` in its place.
//! - `ledger:RESOURCE:CONFIG`: one config.
//! - `override`, `override:BROKER`: a rate that an operator or an announcement asks for.

use coordination::record::{read, written};
use coordination::{Error, Records, Store};
use execute::{Ledger, LedgerEntry, Setting, ThrottleResource};

const OPENED: &str = "opened";
const LEDGER: &str = "ledger:";
const OVERRIDE: &str = "override";

/// The records of a ledger.
#[must_use]
pub fn records(ledger: &Ledger) -> Records {
    ledger.entries().iter().map(|entry| (name(entry), written(entry))).collect()
}

/// The ledger lines in these records. Records of other kinds are skipped.
///
/// # Errors
/// [`Error::Unreadable`] with the name of the record.
pub fn lines(records: &Records) -> Result<Vec<LedgerEntry>, Error> {
    let own = records.iter().filter(|(name, _)| is_line(name));
    own.map(|(name, text)| read(name, text)).collect()
}

/// The same. An error also names their store.
///
/// # Errors
/// As for [`lines`].
pub fn lines_in(store: &Store, records: &Records) -> Result<Vec<LedgerEntry>, Error> {
    lines(records).map_err(|error| error.in_store(store))
}

/// Updates the record of one config from the ledger.
pub(crate) fn put_setting(records: &mut Records, setting: &Setting, ledger: &Ledger) {
    match ledger.get(setting) {
        Some(held) => drop(records.insert(of_setting(setting), written(&held.line(setting)))),
        None => drop(records.remove(&of_setting(setting))),
    }
}

/// Whether the record is an override.
#[must_use]
pub fn is_override(name: &str) -> bool {
    name.strip_prefix(OVERRIDE).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn is_line(name: &str) -> bool {
    name == OPENED || name.starts_with(LEDGER) || is_override(name)
}

fn name(entry: &LedgerEntry) -> String {
    match entry {
        LedgerEntry::Opened { .. } => OPENED.to_owned(),
        LedgerEntry::Held { setting, .. } | LedgerEntry::Released { setting } => {
            of_setting(setting)
        }
        LedgerEntry::Asked { broker, .. } | LedgerEntry::Withdrawn { broker } => match broker {
            Some(id) => format!("{OVERRIDE}:{id}"),
            None => OVERRIDE.to_owned(),
        },
    }
}

fn of_setting(setting: &Setting) -> String {
    match &setting.resource {
        ThrottleResource::Broker(id) => format!("{LEDGER}broker:{id}:{}", setting.key.as_str()),
        ThrottleResource::Topic(name) => format!("{LEDGER}topic:{name}:{}", setting.key.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, RequestedRate, rate_setting};
    use mapper::{BrokerId, Rate};

    fn setting() -> Setting {
        rate_setting(BrokerId(1), Key::LeaderRate)
    }

    fn ledger() -> Ledger {
        let asked = RequestedRate { rate_bytes_per_second: Rate(5), autoremove: true };
        Ledger::replay([
            LedgerEntry::Opened { by: "a".to_owned().into() },
            LedgerEntry::Held {
                setting: setting(),
                before: Some("7".to_owned()),
                found: None,
                ours: ["9".into(), "10".into()].into(),
                met: [].into(),
                owner: execute::Owner::Daemon,
            },
            LedgerEntry::Asked { broker: None, asked },
            LedgerEntry::Asked { broker: Some(BrokerId(2)), asked },
        ])
    }

    #[test]
    fn what_a_leader_wrote_the_next_one_reads() {
        let mut records = records(&ledger());
        let names: Vec<&str> = records.keys().map(String::as_str).collect();
        let config = "ledger:broker:1:leader.replication.throttled.rate";
        assert_eq!(names, [config, "opened", "override", "override:2"]);
        records.insert("journal:00000000".to_owned(), "not a line".to_owned());
        records.insert("owner".to_owned(), "not a line".to_owned());
        assert_eq!(Ledger::replay(lines(&records).unwrap()), ledger());
    }

    #[test]
    fn what_is_put_back_has_no_record_any_more() {
        let (whole, mut changed) = (records(&ledger()), records(&ledger()));
        put_setting(&mut changed, &setting(), &ledger());
        assert_eq!(changed, whole);
        put_setting(&mut changed, &setting(), &Ledger::default());
        assert_eq!(changed.len(), whole.len() - 1);
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        for text in ["{}", "[]", r#"{"version":2}"#, r#"{"version":1,"ledger":"of another kind"}"#]
        {
            let records = Records::from([("ledger:x".to_owned(), text.to_owned())]);
            let refused = lines(&records).unwrap_err().to_string();
            assert!(refused.starts_with("the record ledger:x is not understood: "), "{refused}");
        }
    }
}
