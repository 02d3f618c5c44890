//! Behaviour of real Kafka that our safety depends on. The test detects a version that behaves differently.

use kafka::admin::ConfigOp;
use testbed::{Access, Cluster, Mechanism, Mode, User, Version};

use crate::admin::change_list;
use crate::{bad_input, odd_states};

/// Asks a broker to move `far` onto the dead broker 1004.
fn alter_onto_the_dead_broker(mode: Mode) -> String {
    let cluster = odd_states::cluster(mode);
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/live/Alter.java");
    let bootstrap = cluster.bootstrap();
    cluster.bare_tool(client, [bootstrap.as_str(), "far", "0", "1001,1004"]).unwrap()
}

#[test]
#[ignore = "live"]
fn zookeeper_mode_refuses_a_dead_target() {
    let answer = alter_onto_the_dead_broker(Mode::ZooKeeper);
    assert!(answer.contains("InvalidReplicaAssignment"), "{answer}");
    assert!(answer.contains("not alive"), "{answer}");
}

#[test]
#[ignore = "live"]
fn kraft_accepts_a_dead_target_and_waits() {
    assert_eq!(alter_onto_the_dead_broker(Mode::KRaft).trim(), "accepted");
    let list = odd_states::cluster(Mode::KRaft).tool("reassign", ["--list"]).unwrap();
    let far = list.lines().find(|line| line.starts_with("far-0"));
    assert!(far.is_some_and(|line| line.contains("adding: 1004")), "{list}");
}

/// Entries come to a list and leave it one by one; the others stay. We set and delete a list only as a whole if it is
/// empty before or after.
pub(crate) fn entries_of_a_list_come_and_go(cluster: &Cluster, topic: &str) {
    let text = |text: &str| text.to_owned();
    change_list(cluster, topic, ConfigOp::Set(text("0:1,1:2")), Some(&["0:1", "1:2"]));
    change_list(cluster, topic, ConfigOp::Append(text("2:3")), Some(&["0:1", "1:2", "2:3"]));
    change_list(cluster, topic, ConfigOp::Subtract(text("0:1,7:7")), Some(&["1:2", "2:3"]));
    change_list(cluster, topic, ConfigOp::Subtract(text("1:2,2:3")), Some(&[""]));
    // To an empty list, Kafka 2.8 appends with a comma in front.
    let appended: &[&str] =
        if cluster.version() == Version::V2_8 { &["", "5:6"] } else { &["5:6"] };
    change_list(cluster, topic, ConfigOp::Append(text("5:6")), Some(appended));
    change_list(cluster, topic, ConfigOp::Delete, None);
    change_list(cluster, topic, ConfigOp::Append(text("5:6")), Some(appended));
    change_list(cluster, topic, ConfigOp::Delete, None);
}

fn a_missing_right_hides_topics_without_a_word(mode: Mode) {
    let access = Access::Sasl(Mechanism::ScramSha512, User::NOBODY);
    let seen = bad_input::list_topics(mode, &access);
    assert_eq!(seen.trim(), "");
    let access = Access::Sasl(Mechanism::ScramSha512, User::LIMITED);
    assert_eq!(bad_input::list_topics(mode, &access).trim(), "seen");
}

#[test]
#[ignore = "live"]
fn a_missing_right_hides_topics_without_a_word_with_zookeeper() {
    a_missing_right_hides_topics_without_a_word(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_missing_right_hides_topics_without_a_word_with_kraft() {
    a_missing_right_hides_topics_without_a_word(Mode::KRaft);
}
