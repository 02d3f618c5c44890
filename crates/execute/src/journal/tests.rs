use super::*;
use mapper::PartitionId;
use proptest::prelude::*;

fn partition(number: u32) -> TopicPartition {
    TopicPartition { topic: "t".to_owned(), partition: PartitionId(number) }
}

fn pace() -> impl Strategy<Value = Pace> {
    prop_oneof![
        Just(Pace::Unthrottled),
        (1..99_u64).prop_map(|rate| Pace::BytesPerSecond(mapper::Rate(rate)))
    ]
}

fn partitions() -> impl Strategy<Value = BTreeSet<TopicPartition>> {
    proptest::collection::btree_set((0..3_u32).prop_map(partition), 0..3)
}

fn entry() -> impl Strategy<Value = JournalEntry> {
    let moves = || proptest::collection::vec(0..6_usize, 0..4);
    let problem = || "refused".to_owned();
    prop_oneof![
        pace().prop_map(|pace| JournalEntry::Resumed { pace }),
        pace().prop_map(|pace| JournalEntry::Paced { pace }),
        moves().prop_map(|moves| JournalEntry::Submitted { moves }),
        moves().prop_map(|moves| JournalEntry::Submitted { moves }),
        moves().prop_map(|moves| JournalEntry::Begun { moves }),
        moves().prop_map(|moves| JournalEntry::Completed { moves }),
        moves().prop_map(|moves| JournalEntry::Cancelled { moves }),
        moves().prop_map(|moves| JournalEntry::Elected { moves }),
        moves().prop_map(|moves| JournalEntry::Reordered { moves }),
        (0..6_usize).prop_map(move |index| JournalEntry::Refused { index, problem: problem() }),
        (0..6_usize)
            .prop_map(move |index| JournalEntry::NotCancelled { index, problem: problem() }),
        partitions().prop_map(|partitions| JournalEntry::Paused { partitions }),
        Just(JournalEntry::Unpaused),
        (0..9_u64).prop_map(|at_seconds| JournalEntry::Stuck { at_seconds }),
        Just(JournalEntry::GaveUp),
        Just(JournalEntry::Detached),
        Just(JournalEntry::Finished { outcome: ExecutionOutcome::Complete }),
    ]
}

fn history() -> impl Strategy<Value = ExecutionHistory> {
    let entries = proptest::collection::vec(entry(), 0..30);
    (pace(), partitions(), entries).prop_map(|(pace, ill, entries)| {
        let (plan, cluster_id) = ("p".to_owned(), "c".to_owned());
        let started = JournalEntry::Started { plan, cluster_id, pace, ill };
        ExecutionHistory::replay([started].into_iter().chain(entries))
    })
}

proptest! {
    #[test]
    fn who_takes_it_up_knows_as_much_from_the_gist_as_from_every_line(
        mut whole in history(),
        pace in pace(),
    ) {
        let mut told = ExecutionHistory::replay(whole.gist("c"));
        prop_assert_eq!((told.finished, told.gave_up), (whole.finished, whole.gave_up));
        whole.apply(JournalEntry::Resumed { pace });
        told.apply(JournalEntry::Resumed { pace });
        prop_assert_eq!(told, whole);
    }
}

#[test]
fn before_the_start_there_is_no_gist() {
    assert_eq!(ExecutionHistory::default().gist("c"), []);
}
