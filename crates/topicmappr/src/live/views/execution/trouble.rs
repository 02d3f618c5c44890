//! What is not as planned, partition by partition.

use execute::{MoveHindrance, MoveState, Round, WhyLeft};
use mapper::Plan;
use operate::words::listed;
use serde::Serialize;
use std::fmt;

/// Something that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct MoveTrouble {
    pub(super) partition: String,
    pub(super) what: String,
}

impl fmt::Display for MoveTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.partition, self.what)
    }
}

pub(super) fn troubles(plan: &Plan, round: &Round) -> Vec<MoveTrouble> {
    told(plan, round, |_| true)
}

/// What others have changed, deleted or are moving.
pub(super) fn by_others(plan: &Plan, round: &Round) -> Vec<MoveTrouble> {
    told(plan, round, |standing| {
        matches!(
            standing,
            MoveState::Left(_) | MoveState::Hindered(MoveHindrance::MovedByOthers { .. })
        )
    })
}

fn told(plan: &Plan, round: &Round, is_told: impl Fn(&MoveState) -> bool) -> Vec<MoveTrouble> {
    let all = plan.moves.iter().zip(&round.course.standings);
    let told = all.filter(|(_, standing)| is_told(standing)).filter_map(|(change, standing)| {
        let what = match standing {
            MoveState::Done | MoveState::Moving | MoveState::Ready => return None,
            MoveState::Hindered(hindrance) => hindered(hindrance),
            MoveState::Left(why) => left(why),
        };
        Some(MoveTrouble { partition: change.of().to_string(), what })
    });
    told.collect()
}

fn hindered(hindrance: &MoveHindrance) -> String {
    match hindrance {
        MoveHindrance::NoLeader { heals } => {
            format!("it has no leader; one of {} has to return", listed(heals))
        }
        MoveHindrance::DeadReplicas { brokers } => {
            format!("waits for {} to return", listed(brokers))
        }
        MoveHindrance::Untold => "whether its topic still exists is unknown".to_owned(),
        MoveHindrance::Cordoned { brokers, log_dir: None } => {
            format!("{} was cordoned since the plan was made", listed(brokers))
        }
        MoveHindrance::Cordoned { brokers, log_dir: Some(dir) } => {
            format!("log dir {dir} of {} was cordoned since the plan was made", listed(brokers))
        }
        MoveHindrance::NotItsTurn => "waits for its earlier step".to_owned(),
        MoveHindrance::MovedByOthers { target } => {
            format!("another tool is moving it to {}", listed(target))
        }
        MoveHindrance::NoRoom { broker, log_dir, missing_bytes } => {
            let dir = log_dir.as_ref().map(|dir| format!(" in {dir}")).unwrap_or_default();
            format!("{broker} lacks {missing_bytes} of room{dir}")
        }
        MoveHindrance::RoomNotFreed { broker } => {
            format!("an earlier step was to make room on {broker}, and has not")
        }
    }
}

fn left(why: &WhyLeft) -> String {
    match why {
        WhyLeft::Changed { found } => {
            format!("left out: it was changed since the plan was made, to {}", listed(found))
        }
        WhyLeft::Gone => "left out: it was deleted".to_owned(),
        WhyLeft::CancelledByOthers => {
            "left out: another tool cancelled it; --resume begins it again".to_owned()
        }
        WhyLeft::Refused { problem } => format!("left out: Kafka refuses it: {problem}"),
    }
}
