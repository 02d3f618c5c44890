use super::text::tests::{Account, Step};
use super::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::fs;

fn entries() -> Vec<Step> {
    vec![Step::Submitted { moves: vec![1, 2] }, Step::Unpaused, Step::Detached]
}

fn open(path: &Path) -> Result<(LinesFile<Step>, Vec<Step>), LinesError> {
    LinesFile::open(path, LinesKind::Journal)
}

fn read(path: &Path) -> Result<Vec<Step>, LinesError> {
    LinesFile::read(path, LinesKind::Journal)
}

fn is_locked_error(path: &Path) -> bool {
    matches!(open(path), Err(LinesError::Locked { .. }))
}

fn written(path: &Path) {
    let (mut store, found) = open(path).unwrap();
    assert_eq!(found, []);
    store.append(&entries()[..2]).unwrap();
    store.append(&entries()[2..]).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    assert_eq!(read(&path).unwrap(), entries());
    assert_eq!(open(&path).unwrap().1, entries());
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
        let (mut store, found) = open(&path).unwrap();
        assert_eq!(found, entries()[..complete]);
        store.append(&[Step::Detached]).unwrap();
        drop(store);
        let found = read(&path).unwrap();
        assert_eq!((found.len(), found.last()), (complete + 1, Some(&Step::Detached)));
    }
}

#[test]
fn a_line_that_somebody_changed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    let text = fs::read_to_string(&path).unwrap().replace("[1,2]", "[1,3]");
    fs::write(&path, text).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        matches!(error, LinesError::Refused { why: NotOurLine::Broken { line: 1, .. }, .. }),
        "{error}"
    );
}

#[test]
fn a_removed_file_is_never_written_over_another_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let (mut store, _) = open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another process's\n").unwrap();
    store.replace(&entries()).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another process's\n");
    fs::remove_file(&path).unwrap();
    store.replace(&entries()).unwrap();
    assert_eq!(read(&path).unwrap(), entries());
}

#[test]
fn a_second_process_is_told_that_the_file_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let first = open(&path).unwrap();
    assert!(is_locked(&path));
    assert!(is_locked_error(&path));
    drop(first);
    assert!(!is_locked(&path));
}

#[test]
fn a_file_that_is_written_anew_stays_ours_and_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    written(&path);
    let (mut store, _) = open(&path).unwrap();
    store.replace(&entries()[1..2]).unwrap();
    assert!(is_locked_error(&path));
    store.append(&entries()[2..]).unwrap();
    drop(store);
    assert_eq!(open(&path).unwrap().1, entries()[1..]);
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
            open(&path).unwrap_err(),
            LinesFile::<Account>::open(&path, LinesKind::Ledger).unwrap_err(),
            LinesFile::<Account>::read(&path, LinesKind::Ledger).unwrap_err(),
        ] {
            assert!(is_refused(&error), "{error}");
            assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), text, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    for path in ["/dev/zero", "/dev/null", "/dev"] {
        let path = Path::new(path);
        for error in [open(path).map(|_| ()).unwrap_err(), read(path).unwrap_err()] {
            assert!(matches!(error, LinesError::File(_)), "{error}");
        }
    }
}

/// The content is refused, whatever the disk does.
fn is_refused(error: &LinesError) -> bool {
    matches!(error, LinesError::Refused { .. })
}

#[test]
fn a_file_that_was_replaced_or_removed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let (file, _) = open(&path).unwrap();
    assert_eq!(file.at_path().unwrap(), AtPath::Ours);
    fs::remove_file(&path).unwrap();
    assert_eq!(file.at_path().unwrap(), AtPath::Nothing);
    written(&path);
    assert_eq!(file.at_path().unwrap(), AtPath::Another);
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
        let read = LinesFile::<Account>::read(&path, LinesKind::Ledger);
        let found = LinesFile::<Account>::open(&path, LinesKind::Ledger).map(|(_, found)| found);
        let now = fs::read(&path).unwrap();
        match (read, found) {
            (Ok(read), Ok(found)) => {
                assert_eq!(read, found);
                assert!(text.starts_with(&now) && !text[now.len()..].contains(&b'\n'));
            }
            (Err(read), Err(found)) => {
                assert_eq!(read.to_string(), found.to_string());
                assert!(is_refused(&found), "{found}");
                assert_eq!(now, text);
            }
            (read, found) => panic!("{read:?} {found:?}"),
        }
        Ok(())
    };
    TestRunner::new(config).run(&text::tests::damaged(), opened).unwrap();
}
