//! `controllers status`: a quorum, in words.

use super::heading;
use crate::views::table::Table;
use execute::controllers::{QuorumMember, majority};
use kafka::admin::{ControllerEndpoint, QuorumReplica};
use mapper::{BrokerId, DirectoryId, joined};
use operate::controllers::ControllersSight;
use operate::words::counted;
use serde::Serialize;
use std::fmt;

/// A quorum as its leader reports it.
#[derive(Debug, Serialize)]
pub(crate) struct ControllersView {
    dynamic: bool,
    kraft_version: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<BrokerId>,
    epoch: u32,
    high_watermark: u64,
    majority: usize,
    caught_up: usize,
    /// How many more voters may fail; absent if too few have caught up.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_fail: Option<usize>,
    voters: Vec<QuorumRow>,
    observers: Vec<QuorumRow>,
    findings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct QuorumRow {
    id: BrokerId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<DirectoryId>,
    endpoints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fetch_ms: Option<u64>,
}

impl QuorumRow {
    fn of(replica: &QuorumReplica, state: &'static str) -> Self {
        Self {
            id: replica.id,
            state,
            directory: replica.directory.clone(),
            endpoints: replica.endpoints.iter().map(ControllerEndpoint::to_string).collect(),
            behind_records: replica.behind_records,
            behind_ms: replica.behind_ms,
            last_fetch_ms: replica.silent_ms,
        }
    }

    fn row(&self) -> [String; 5] {
        let directory = self.directory.as_ref().map(ToString::to_string);
        [
            self.id.to_string(),
            self.state.to_owned(),
            lag(self.behind_records, self.behind_ms),
            time(self.last_fetch_ms),
            directory.unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

fn lag(records: Option<u64>, ms: Option<u64>) -> String {
    match records {
        Some(records) => format!("{}, {}", counted(records, "record"), time(ms)),
        None => "unknown".to_owned(),
    }
}

fn time(ms: Option<u64>) -> String {
    ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100))
}

/// The state of a voter: `silent` if it has not fetched for a while.
fn state(member: &QuorumMember, leader: Option<BrokerId>) -> &'static str {
    match member {
        one if leader == Some(one.id) => "active",
        one if one.is_caught_up() => "caught up",
        one if one.is_live() => "behind",
        _ => "silent",
    }
}

impl ControllersView {
    pub(crate) fn of(sight: &ControllersSight) -> Self {
        let (members, scene) = (&sight.members, &sight.scene);
        let voters = members.voters.iter().zip(&scene.voters);
        let voters = voters.map(|(all, one)| QuorumRow::of(all, state(one, scene.leader)));
        let role = |one: &QuorumMember| match scene.brokers.contains(&one.id) {
            true if one.is_live() => "broker",
            true => "silent broker",
            false => state(one, None),
        };
        let observers = members.observers.iter().zip(&scene.observers);
        Self {
            dynamic: sight.kraft_version > 0,
            kraft_version: sight.kraft_version,
            leader: members.leader,
            epoch: members.epoch,
            high_watermark: members.high_watermark,
            majority: majority(scene.voters.len()),
            caught_up: scene.caught_up(),
            may_fail: scene.may_fail(),
            voters: voters.collect(),
            observers: observers.map(|(all, one)| QuorumRow::of(all, role(one))).collect(),
            findings: findings(sight),
        }
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }
}

fn findings(sight: &ControllersSight) -> Vec<String> {
    let scene = &sight.scene;
    let of = |voter: &QuorumMember| match scene.successor(voter) {
        Some(_) if voter.is_live() => {
            Some(format!("two controllers with id {} run: end one of them", voter.id))
        }
        Some(_) => Some(format!(
            "controller {0} runs with a new log dir, and its vote is that of the old one: topicmappr controllers \
             replace {0} {0}",
            voter.id
        )),
        None if voter.is_caught_up() => None,
        None if sight.kraft_version > 0 => Some(format!(
            "controller {0} has not caught up: start it, or replace it: topicmappr controllers replace {0} NEW",
            voter.id
        )),
        None => Some(format!("controller {} has not caught up: start it", voter.id)),
    };
    scene.voters.iter().filter_map(of).collect()
}

impl fmt::Display for ControllersView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.dynamic { "dynamic" } else { "static" };
        let leader = self.leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
        writeln!(
            f,
            "A {kind} quorum (kraft.version {}): {}, a majority is {}. Active: {leader}, epoch {}.",
            self.kraft_version,
            counted(self.voters.len(), "voter"),
            self.majority,
            self.epoch
        )?;
        match self.may_fail {
            Some(0) => writeln!(f, "No voter may fail: the cluster would lose its controllers.")?,
            Some(count) => writeln!(f, "{} may fail.", counted(count, "voter"))?,
            None => writeln!(f, "Too few voters have caught up: {}.", self.caught_up)?,
        }
        if !self.dynamic {
            writeln!(
                f,
                "Its voters come from controller.quorum.voters. Kafka 4.1 and later make it dynamic:\n  \
                 kafka-features.sh --bootstrap-server HOST:PORT upgrade --feature kraft.version=1"
            )?;
        }
        let columns = ["id", "state", "behind", "last fetch", "log dir"];
        for (name, members) in [("Voters", &self.voters), ("Observers", &self.observers)] {
            if !members.is_empty() {
                heading(f, name)?;
                Table::write(f, columns, members.iter().map(QuorumRow::row))?;
            }
        }
        // Names of hosts are long: a column would break them.
        let mut known = self.voters.iter().filter(|voter| !voter.endpoints.is_empty()).peekable();
        if known.peek().is_some() {
            heading(f, "Listeners")?;
        }
        known.try_for_each(|voter| writeln!(f, "  {}  {}", voter.id, joined(&voter.endpoints)))?;
        if !self.findings.is_empty() {
            heading(f, "Findings")?;
            self.findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        }
        Ok(())
    }
}
