use super::*;
use crate::error::LinesKind;
use execute::{JournalEntry, LedgerEntry};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::fs;

fn entries() -> Vec<JournalEntry> {
    vec![
        JournalEntry::Submitted { moves: vec![1, 2] },
        JournalEntry::Unpaused,
        JournalEntry::Detached,
    ]
}

fn written(path: &Path) {
    let (mut store, found) = Store::<JournalEntry>::open(path).unwrap();
    assert_eq!(found, []);
    store.append(&entries()[..2]).unwrap();
    store.append(&entries()[2..]).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    assert_eq!(Store::<JournalEntry>::read(&path).unwrap(), entries());
    assert_eq!(Store::<JournalEntry>::open(&path).unwrap().1, entries());
}

#[test]
fn a_crash_at_any_byte_costs_the_last_line_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let complete = whole[..length].iter().filter(|byte| **byte == b'\n').count();
        let (mut store, found) = Store::<JournalEntry>::open(&path).unwrap();
        assert_eq!(found, entries()[..complete]);
        store.append(&[JournalEntry::Detached]).unwrap();
        drop(store);
        let found = Store::<JournalEntry>::read(&path).unwrap();
        assert_eq!((found.len(), found.last()), (complete + 1, Some(&JournalEntry::Detached)));
    }
}

#[test]
fn a_line_that_somebody_changed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    let text = fs::read_to_string(&path).unwrap().replace("[1,2]", "[1,3]");
    fs::write(&path, text).unwrap();
    let error = Store::<JournalEntry>::open(&path).unwrap_err();
    assert!(matches!(error, Error::BrokenLine { line: 1, .. }), "{error}");
}

#[test]
fn a_second_process_is_told_that_the_file_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let first = Store::<JournalEntry>::open(&path).unwrap();
    assert!(is_locked(&path));
    assert!(Store::<JournalEntry>::open(&path).unwrap_err().is_locked());
    drop(first);
    assert!(!is_locked(&path));
}

#[test]
fn a_file_that_is_written_anew_stays_ours_and_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    let (mut store, _) = Store::<JournalEntry>::open(&path).unwrap();
    store.replace(&entries()[1..2]).unwrap();
    assert!(Store::<JournalEntry>::open(&path).unwrap_err().is_locked());
    store.append(&entries()[2..]).unwrap();
    drop(store);
    assert_eq!(Store::<JournalEntry>::open(&path).unwrap().1, entries()[1..]);
}

/// An earlier version cut each of these files to nothing, or cut its last line.
#[test]
fn a_file_that_is_not_ours_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    written(&path);
    let journal = fs::read_to_string(&path).unwrap();
    let newer = journal.replace("\"version\":1", "\"version\":2");
    let torn_newer = newer.lines().next().unwrap().to_owned();
    let changed = journal.replace("detached", "detatched");
    let files: [&[u8]; 9] = [
        b"hunter2",
        b"hunter2\n",
        br#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}"#,
        b"{}\n",
        &[0; 40],
        &[0xff; 40],
        newer.as_bytes(),
        torn_newer.as_bytes(),
        changed.as_bytes(),
    ];
    for text in files {
        fs::write(&path, text).unwrap();
        for error in [
            Store::<JournalEntry>::open(&path).unwrap_err(),
            Store::<LedgerEntry>::open(&path).unwrap_err(),
            Store::<LedgerEntry>::read(&path).unwrap_err(),
        ] {
            assert_eq!(error.status(), crate::status::Status::BadInput, "{error}");
            assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), text, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    for path in ["/dev/zero", "/dev/null", "/dev"] {
        let path = Path::new(path);
        for error in [
            Store::<JournalEntry>::open(path).map(|_| ()).unwrap_err(),
            Store::<JournalEntry>::read(path).unwrap_err(),
        ] {
            assert_eq!(error.status(), crate::status::Status::BadInput, "{error}");
        }
    }
}

#[test]
fn a_ledger_is_never_thrown_away_by_a_hint() {
    let path = || PathBuf::from("l");
    let (kind, problem) = (LinesKind::Ledger, "its checksum is another".to_owned());
    let broken = Error::BrokenLine { path: path(), kind, line: 3, problem };
    let full = Error::NotStored { path: path(), kind, problem: io::ErrorKind::StorageFull.into() };
    for error in [broken, full] {
        let hint = error.hint().unwrap();
        assert!(hint.contains("keep th") && hint.contains("throttle show"), "{hint}");
        assert!(!hint.contains("only history") && !hint.contains("delete"), "{hint}");
    }
}

#[test]
fn a_damaged_file_is_read_as_it_is_or_refused_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let config = Config {
        cases: 1_000,
        rng_seed: RngSeed::Fixed(21),
        failure_persistence: None,
        ..Config::default()
    };
    let opened = |text: Vec<u8>| {
        fs::write(&path, &text).unwrap();
        let read = Store::<LedgerEntry>::read(&path);
        let found = Store::<LedgerEntry>::open(&path).map(|(_, found)| found);
        let now = fs::read(&path).unwrap();
        match (read, found) {
            (Ok(read), Ok(found)) => {
                assert_eq!(read, found);
                assert!(text.starts_with(&now) && !text[now.len()..].contains(&b'\n'));
            }
            (Err(read), Err(found)) => {
                assert_eq!(read.to_string(), found.to_string());
                assert_eq!(found.status(), crate::status::Status::BadInput, "{found}");
                assert_eq!(now, text);
            }
            (read, found) => panic!("{read:?} {found:?}"),
        }
        Ok(())
    };
    TestRunner::new(config).run(&lines::tests::damaged(), opened).unwrap();
}
