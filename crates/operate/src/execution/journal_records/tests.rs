use super::*;
use ::execute::{ExecutionHistory, Pace};
use mapper::{PartitionId, TopicPartition};

fn started(ill: u32) -> JournalEntry {
    let (plan, cluster_id, pace) =
        ("p".to_owned(), "c".to_owned(), Pace::BytesPerSecond(mapper::Rate(9)));
    let partition = |n| TopicPartition { topic: "täglich".to_owned(), partition: PartitionId(n) };
    JournalEntry::Started { plan, cluster_id, pace, ill: (0..ill).map(partition).collect() }
}

fn submitted(moves: impl IntoIterator<Item = usize>) -> JournalEntry {
    JournalEntry::Submitted { moves: moves.into_iter().collect() }
}

fn records(entries: &[JournalEntry]) -> Records {
    let mut records = Records::new();
    for (number, entry) in entries.iter().enumerate() {
        put_line(&mut records, number, "p", entry);
    }
    records
}

#[test]
fn lines_read_back_and_a_million_moves_in_a_row_are_short() {
    let moves = [submitted(0..1_000_000), submitted([]), submitted([7, 8, 3, 2, 1, 5, 6, 7])];
    let entries = [started(2), moves[0].clone(), moves[1].clone(), moves[2].clone()];
    let records = records(&entries);
    assert_eq!(lines(&records, "p").unwrap(), entries);
    assert!(records["journal:00000001"].contains("[[0,999999]]"), "{records:?}");
    assert!(records["journal:00000003"].contains("[7,8,3,2,1,[5,7]]"), "{records:?}");
    assert_eq!(lines(&records, "another").unwrap(), []);
}

#[test]
fn a_long_line_is_kept_in_pieces_and_counts_only_with_all_of_them() {
    let entries = [started(9_000), submitted([4])];
    let whole = records(&entries);
    assert!(whole.len() > 4 && whole.values().all(|text| text.len() < 2 * PIECE));
    assert_eq!(lines(&whole, "p").unwrap(), entries);
    for name in whole.keys().filter(|name| name.contains(OF)) {
        let mut torn = whole.clone();
        torn.remove(name);
        assert_eq!(lines(&torn, "p").unwrap(), [], "{name} is missing");
        torn.insert(name.clone(), "\"of an earlier line\"".to_owned());
        assert_eq!(lines(&torn, "p").unwrap(), [], "{name} is another");
    }
}

#[test]
fn a_gist_stands_for_all_lines_before_it() {
    let entries = [started(1), submitted([0, 1]), submitted([2]), JournalEntry::GaveUp];
    let mut records = records(&entries[..3]);
    let lines_of_before = records.clone();
    let gist = ExecutionHistory::replay(entries[..3].to_vec()).gist("c");
    assert_eq!(next_gist(&records), None);
    put_gist(&mut records, 3, "p", gist.clone());
    assert_eq!(records.len(), 1);
    put_line(&mut records, 4, "p", &entries[3]);
    assert_eq!(next_gist(&records), Some(5));
    let told = ExecutionHistory::replay(lines(&records, "p").unwrap());
    assert_eq!(told, ExecutionHistory::replay(entries.to_vec()));

    // The records of a writer that was killed before it removed old lines, and of one that left a gap.
    records.extend(lines_of_before);
    assert_eq!(lines(&records, "p").unwrap().len(), gist.len() + 1);
    put_line(&mut records, 6, "p", &JournalEntry::Detached);
    assert_eq!(lines(&records, "p").unwrap().len(), gist.len() + 1);
}

#[test]
fn a_gist_of_any_length_makes_those_before_it_go_with_their_pieces() {
    let mut records = records(&[started(9_000)]);
    put_gist(&mut records, 1, "p", ExecutionHistory::replay([started(9_000)]).gist("c"));
    assert!(
        records.keys().all(|name| name.starts_with("journal:00000001")),
        "{:?}",
        records.keys()
    );
    assert_eq!(next_gist(&records), Some(2));
    assert_eq!(lines(&records, "p").unwrap()[0], started(9_000));
    put_gist(&mut records, 2, "p", Vec::new());
    assert_eq!(lines(&records, "p").unwrap(), []);
}

#[test]
fn moves_that_no_plan_has_are_refused() {
    for moves in ["[[0,99999999999]]", "[[3,1]]", "[[1]]", "[-1]", "[\"1\"]"] {
        let text =
            format!("{{\"version\":1,\"of\":\"p\",\"entry\":\"submitted\",\"moves\":{moves}}}");
        let records = [("journal:00000000".to_owned(), text)].into();
        let error = lines(&records, "p").unwrap_err();
        assert!(error.to_string().contains("journal:00000000"), "{error}");
    }
}
