//! The laws of stores in a file, and what a crash, a careless operator or another version may do to it.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod laws;

use coordination::{Error, Lead, LinesError, Records, Store};
use laws::{eventually, laws, lead, records};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

fn store() -> (TempDir, PathBuf, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    (folder, path.clone(), Store::File { path })
}

async fn leads(store: &Store) -> Lead {
    let mut lead = lead(store, "us").await.unwrap();
    lead.read().await.unwrap();
    lead
}

fn two() -> Records {
    records([("ledger:topic:a.b:k", r#"{"version":1}"#), ("override", r#"{"x":"\"é"}"#)])
}

#[tokio::test]
async fn laws_hold_in_a_file() {
    let (_folder, path, store) = store();
    let steal = || {
        let copy = path.with_extension("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(&copy, &path).unwrap();
    };
    laws(&store, &steal).await;
    eventually("no holder", async || store.leader().await.unwrap().is_none().then_some(())).await;
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let (_folder, path, store) = store();
    let lines = || fs::read_to_string(&path).unwrap().lines().count();
    let mut lead = leads(&store).await;
    lead.write(&two()).await.unwrap();
    assert_eq!(lines(), 3, "the leader, and two records");
    lead.write(&two()).await.unwrap();
    assert_eq!(lines(), 3);
    let mut changed = two();
    changed.insert("override".to_owned(), "{}".to_owned());
    lead.write(&changed).await.unwrap();
    assert_eq!(lines(), 4);
    changed.remove("override");
    lead.write(&changed).await.unwrap();
    assert_eq!(lines(), 5);
    assert_eq!(store.records().await.unwrap(), changed);
}

#[tokio::test]
async fn a_crash_at_any_byte_costs_the_last_lines_at_most() {
    let (_folder, path, store) = store();
    let mut first = leads(&store).await;
    first.write(&two()).await.unwrap();
    first.abandon();
    let whole = fs::read_to_string(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole.as_bytes()[..length]).unwrap();
        let complete = whole.as_bytes()[..length].iter().filter(|byte| **byte == b'\n').count();
        let mut next = leads(&store).await;
        assert_eq!(next.read().await.unwrap().len(), complete.saturating_sub(1), "{length}");
        next.write(&two()).await.unwrap();
        assert_eq!(store.records().await.unwrap(), two(), "{length}");
    }
}

#[tokio::test]
async fn what_is_not_ours_or_newer_is_refused_and_stays_as_it_is() {
    let (_folder, path, store) = store();
    let mut first = leads(&store).await;
    first.write(&two()).await.unwrap();
    first.abandon();
    let whole = fs::read_to_string(&path).unwrap();
    let ledger =
        r#"{"version":1,"at":"2026-11-22T15:43:22Z","ledger":"opened","by":"x","crc32":"0"}"#;
    let plan = r#"{"version":1,"partitions":[]}"#;
    for (text, seems) in [
        (
            whole.replace("\"version\":1,\"at\"", "\"version\":2,\"at\""),
            "a state file of version 2",
        ),
        (ledger.to_owned() + "\n", "is not a state file: it seems to be a ledger"),
        (plan.to_owned(), "it seems to be a plan or a partition map"),
        ("hunter2".to_owned(), "it seems to be text"),
        (whole.replace("override", "overrode"), "line 3: its checksum is another"),
    ] {
        fs::write(&path, &text).unwrap();
        for refused in [
            lead(&store, "us").await.unwrap_err(),
            store.records().await.unwrap_err(),
            store.seen().await.unwrap_err(),
        ] {
            let said = refused.to_string();
            assert!(matches!(refused, Error::Lines(_)) && said.contains(seems), "{said}");
            assert!(
                said.starts_with(path.to_str().unwrap()) && !said.contains("hunter2"),
                "{said}"
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn a_file_that_was_removed_is_written_again_as_a_whole() {
    let (folder, path, store) = store();
    let mut lead = leads(&store).await;
    lead.write(&two()).await.unwrap();
    fs::remove_file(&path).unwrap();
    lead.check().await.unwrap();
    let mut changed = two();
    changed.insert("override".to_owned(), "{}".to_owned());
    lead.write(&changed).await.unwrap();
    assert_eq!(store.records().await.unwrap(), changed);
    assert!(matches!(laws::lead(&store, "other").await, Err(Error::Held { .. })));

    // While there is not even a folder, nothing is acknowledged.
    fs::remove_dir_all(folder.path()).unwrap();
    let refused = lead.write(&two()).await.unwrap_err();
    assert!(matches!(refused, Error::Lines(LinesError::NotStored { .. })), "{refused}");
    fs::create_dir(folder.path()).unwrap();
    lead.write(&two()).await.unwrap();
    assert_eq!(store.records().await.unwrap(), two());
}

#[tokio::test]
async fn dead_lines_that_outweigh_the_records_are_left_out() {
    let (_folder, path, store) = store();
    let mut lead = leads(&store).await;
    let length = || fs::metadata(&path).unwrap().len();
    let (mut all, mut longest) = (two(), 0);
    for round in 0..40 {
        all.insert("override".to_owned(), format!("{round}:{}", "x".repeat(100_000)));
        lead.write(&all).await.unwrap();
        longest = longest.max(length());
    }
    assert!((900_000..=1 << 20).contains(&longest), "it grows, and shrinks again: {longest}");
    assert!(matches!(laws::lead(&store, "other").await, Err(Error::Held { .. })), "still locked");
    assert_eq!(store.records().await.unwrap(), all);
    lead.release().await;
    assert_eq!(*leads(&store).await.read().await.unwrap(), all);
}
