use super::*;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// A line like those of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(in crate::lines) enum Step {
    Submitted { moves: Vec<usize> },
    Unpaused,
    Detached,
}

/// A line like those of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ledger", rename_all = "snake_case")]
pub(in crate::lines) enum Account {
    Opened { by: String },
    Held { before: Option<String>, ours: Vec<String> },
    Released,
}

fn journal() -> Vec<u8> {
    written(&[
        Step::Submitted { moves: vec![1, 2, 3] },
        Step::Submitted { moves: vec![] },
        Step::Unpaused,
        Step::Detached,
    ])
    .unwrap()
}

fn ledger() -> Vec<u8> {
    let ours = vec!["7".to_owned(), "0:1001".to_owned()];
    written(&[
        Account::Opened { by: "process 1".to_owned() },
        Account::Held { before: Some("123".to_owned()), ours: ours.clone() },
        Account::Held { before: None, ours },
        Account::Released,
    ])
    .unwrap()
}

fn foreign(text: &[u8], kind: LinesKind) -> String {
    match read::<Account>(text, kind).map(|_| ()) {
        Err(NotOurLine::Foreign { seems }) => seems,
        other => panic!("{other:?} of {:?}", String::from_utf8_lossy(text)),
    }
}

#[test]
fn what_is_not_ours_is_called_what_it_seems_to_be() {
    let of: [(&[u8], &str); 10] = [
        (b"s3cr3t-token", "text"),
        (b"s3cr3t-token\n", "text"),
        (b"\n", "blank"),
        (
            br#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}"#,
            "a plan or a partition map",
        ),
        (b"{\"version\":1,\"partitions\":[]}\n", "a plan or a partition map"),
        (br#"{"version":1,"at":12}"#, "JSON of something else"),
        (br#"{"version":1,"at":"2026-11-22T15:43:22Z","user":"x"}"#, "JSON of something else"),
        (b"-----BEGIN PRIVATE KEY-----\n", "a key or a certificate (PEM)"),
        (&[0x1f, 0x8b, 8, 0], "compressed (gzip)"),
        (&[0; 100], "binary data"),
    ];
    for (text, seems) in of {
        for kind in LinesKind::ALL {
            assert_eq!(foreign(text, kind), seems);
        }
    }
    assert_eq!(foreign(&ledger(), LinesKind::Journal), "a ledger");
    assert_eq!(foreign(&ledger(), LinesKind::Records), "a ledger");
    assert_eq!(foreign(&journal(), LinesKind::Ledger), "a journal");
    assert_eq!(foreign(&journal(), LinesKind::Requests), "a journal");
}

#[test]
fn torn_is_only_a_last_line_without_its_newline_and_only_of_a_file_of_ours() {
    let whole = journal();
    let count = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
    for length in 0..whole.len() {
        let found = read::<Step>(&whole[..length], LinesKind::Journal).unwrap();
        assert_eq!(found.entries.len(), count(&whole[..length]), "{length}");
    }
    let mut torn_by_zeros = whole.clone();
    torn_by_zeros.extend([0; 50]);
    assert_eq!(read::<Step>(&torn_by_zeros, LinesKind::Journal).unwrap().bytes, whole.len() as u64);
    let complete = [&whole[..], b"{\"version\":1,\"at\":\"2026\n"].concat();
    let found = read::<Step>(&complete, LinesKind::Journal);
    assert!(matches!(found, Err(NotOurLine::Broken { line: 5, .. })), "{found:?}");
}

#[test]
fn a_newer_version_is_named_wherever_it_stands() {
    let newer = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        let (rest, last) = text.trim_end().rsplit_once('\n').unwrap();
        let body = last.replace("\"version\":1", "\"version\":2");
        let body = body.rsplit_once(CHECKSUM).unwrap().0.to_owned();
        let last = format!("{body}{CHECKSUM}{}\"}}\n", checksum(&body));
        (format!("{rest}\n{last}").into_bytes(), last.into_bytes())
    };
    let (at_the_end, alone) = newer(ledger());
    for text in [&at_the_end[..], &alone, &alone[..30]] {
        let found = read::<Account>(text, LinesKind::Ledger).map(|_| ());
        assert_eq!(
            found,
            Err(NotOurLine::Newer { version: 2 }),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

/// A damaged file.
pub(in crate::lines) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
    let sound = select(vec![journal(), ledger()]);
    let accident = prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Accident::Flip(at, bit)),
        any::<Index>().prop_map(Accident::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Accident::Lose(from, to)),
        (any::<Index>(), bytes()).prop_map(|(at, bytes)| Accident::Splice(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, from)| Accident::Glue(at, from)),
        (2..99_u8).prop_map(Accident::Newer),
        bytes().prop_map(Accident::Replace),
    ];
    (sound, proptest::collection::vec(accident, 1..4)).prop_map(|(sound, accidents)| {
        accidents.into_iter().fold(sound, |text, accident| accident.befalls(text))
    })
}

#[derive(Debug, Clone)]
enum Accident {
    Flip(Index, u8),
    Cut(Index),
    Lose(Index, Index),
    Splice(Index, Vec<u8>),
    /// A part of a file of the other kind.
    Glue(Index, Index),
    Newer(u8),
    Replace(Vec<u8>),
}

impl Accident {
    fn befalls(self, mut text: Vec<u8>) -> Vec<u8> {
        let end = text.len() + 1;
        match self {
            Self::Flip(at, bit) if !text.is_empty() => text[at.index(end - 1)] ^= 1 << bit,
            Self::Flip(..) => {}
            Self::Cut(at) => text.truncate(at.index(end)),
            Self::Lose(from, to) => {
                let (from, to) = (from.index(end), to.index(end));
                text.drain(from.min(to)..from.max(to));
            }
            Self::Splice(at, bytes) => {
                let at = at.index(end);
                text.splice(at..at, bytes);
            }
            Self::Glue(at, from) => {
                let (at, other) = (at.index(end), ledger());
                text.splice(at..at, other[from.index(other.len())..].iter().copied());
            }
            Self::Newer(version) => {
                let old = String::from_utf8_lossy(&text).into_owned();
                let new = format!("\"version\":{version}");
                text = old.replacen("\"version\":1", &new, 1).into_bytes();
            }
            Self::Replace(bytes) => text = bytes,
        }
        text
    }
}

/// Checks that every message about the file is safe for a terminal.
fn is_sane<T: DeserializeOwned>(text: &[u8], kind: LinesKind) -> Result<(), TestCaseError> {
    match read::<T>(text, kind) {
        Ok(sound) => {
            let kept = usize::try_from(sound.bytes).unwrap();
            prop_assert!(kept == 0 || text[kept - 1] == b'\n');
            prop_assert!(!text[kept..].contains(&b'\n'), "whole lines are dropped");
            prop_assert_eq!(
                sound.entries.len(),
                text[..kept].iter().filter(|byte| **byte == b'\n').count()
            );
        }
        Err(unread) => {
            prop_assert!(!format!("{unread:?}").contains(|c: char| c.is_control()), "{unread:?}");
        }
    }
    Ok(())
}

/// `PROPTEST_CASES` sets the number of cases, `PROPTEST_RNG_SEED` the seed.
#[test]
fn twenty_thousand_damaged_files_are_read_or_refused_and_no_whole_line_is_dropped() {
    let asked = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let cases = asked("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok());
    let config = Config {
        cases: cases.unwrap_or(20_000),
        rng_seed: RngSeed::Fixed(asked("PROPTEST_RNG_SEED").unwrap_or(20)),
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&damaged(), |text| {
            is_sane::<Step>(&text, LinesKind::Journal)?;
            is_sane::<Account>(&text, LinesKind::Ledger)
        })
        .unwrap();
}
