//! The voters of a dynamic KRaft quorum (KIP-853): which vote to give or take next.
//!
//! In: the quorum as its leader reports it ([`QuorumScene`]), and the operator's [`VotersGoal`]. Out:
//! [`NextVoterChange`]. Each call reads from the quorum what is left to do, so a new run continues after one that was
//! killed. Decides by its arguments alone.
//!
//! After every change, a majority of the voters has caught up. A replacement takes the old vote only when the new voter
//! has caught up, too.

mod words;

use crate::roll::CAUGHT_UP_MS;
use mapper::{BrokerId, DirectoryId};
use std::collections::BTreeSet;

/// A replica of the metadata, as the leader reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumMember {
    /// Its `node.id`.
    pub id: BrokerId,
    /// Its log dir; a static quorum reports none.
    pub directory: Option<DirectoryId>,
    /// The time since it last had all records, in milliseconds, if known.
    pub behind_ms: Option<u64>,
    /// The time since it last fetched, in milliseconds, if known.
    pub silent_ms: Option<u64>,
}

impl QuorumMember {
    /// Whether it runs: it has fetched a moment ago.
    pub fn is_live(&self) -> bool {
        self.silent_ms.is_some_and(|ms| ms <= CAUGHT_UP_MS)
    }

    /// Whether it runs and has caught up with the leader.
    pub fn is_caught_up(&self) -> bool {
        self.is_live() && self.behind_ms.is_some_and(|ms| ms <= CAUGHT_UP_MS)
    }
}

/// A quorum at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuorumScene {
    /// The active controller.
    pub leader: Option<BrokerId>,
    /// The replicas with a vote, each id once.
    pub voters: Vec<QuorumMember>,
    /// Nodes that follow without a vote. An id may occur twice: with the log dir that it lost, and with its new one.
    pub observers: Vec<QuorumMember>,
    /// The registered brokers.
    pub brokers: BTreeSet<BrokerId>,
    /// Controllers whose listeners are known: they can get a vote.
    pub reachable: BTreeSet<BrokerId>,
}

/// The least number of voters that decides.
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

impl QuorumScene {
    /// The voters that run and have caught up.
    pub fn caught_up(&self) -> usize {
        self.voters.iter().filter(|voter| voter.is_caught_up()).count()
    }

    /// How many more of the voters may fail. `None`: too few have caught up already.
    pub fn may_fail(&self) -> Option<usize> {
        self.caught_up().checked_sub(majority(self.voters.len()))
    }

    /// The voter with this id.
    pub fn voter(&self, id: BrokerId) -> Option<&QuorumMember> {
        self.voters.iter().find(|voter| voter.id == id)
    }

    /// The follower without a vote that has this id; one that runs goes first.
    pub fn observer(&self, id: BrokerId) -> Option<&QuorumMember> {
        let of_id = |member: &&QuorumMember| member.id == id;
        let mut live = self.observers.iter().filter(|member| member.is_live());
        live.find(of_id).or_else(|| self.observers.iter().find(of_id))
    }

    /// A running follower with the id of this voter and another log dir: the voter lost its disk, or both run.
    pub fn successor(&self, voter: &QuorumMember) -> Option<&QuorumMember> {
        let other = self.observer(voter.id)?;
        (other.is_live() && other.directory != voter.directory).then_some(other)
    }

    /// The quorum after a change, as it would be if nothing else happened.
    #[must_use]
    pub fn after(&self, change: &VoterChange) -> Self {
        let mut scene = self.clone();
        let is = |member: &QuorumMember, key: &VoterKey| {
            member.id == key.id && member.directory.as_ref() == Some(&key.directory)
        };
        match change {
            VoterChange::Add(key) => {
                let (added, others) = scene.observers.into_iter().partition(|one| is(one, key));
                scene.observers = others;
                let added: Vec<QuorumMember> = added;
                scene.voters.extend(added.into_iter().take(1));
            }
            VoterChange::Remove(key) => {
                let (removed, others) = scene.voters.into_iter().partition(|one| is(one, key));
                scene.voters = others;
                let removed: Vec<QuorumMember> = removed;
                scene.observers.extend(removed);
                scene.leader = scene.leader.filter(|leader| *leader != key.id);
            }
        }
        scene
    }
}

/// The voters that the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VotersGoal {
    /// This controller has a vote.
    Add(BrokerId),
    /// This controller has no vote.
    Remove(BrokerId),
    /// The new one has a vote, the old one has none. With the same id: the controller has a vote with its new log dir.
    Replace {
        /// The controller that loses its vote.
        old: BrokerId,
        /// The controller that gets one.
        new: BrokerId,
    },
}

impl VotersGoal {
    /// The controller that gets a vote.
    pub fn candidate(self) -> Option<BrokerId> {
        match self {
            Self::Add(new) | Self::Replace { new, .. } => Some(new),
            Self::Remove(_) => None,
        }
    }
}

/// A voter by its id and its log dir, as Kafka tells voters apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VoterKey {
    /// Its `node.id`.
    pub id: BrokerId,
    /// Its log dir.
    pub directory: DirectoryId,
}

/// One change of the voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoterChange {
    /// Gives a vote.
    Add(VoterKey),
    /// Takes a vote.
    Remove(VoterKey),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextVoterChange {
    /// The voters are those that the operator wants.
    Done,
    /// Make this change.
    Make(VoterChange),
    /// Look again later.
    Wait(VoterHindrance),
    /// The goal is refused.
    Refuse(VotersRefusal),
}

/// Why a change waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoterHindrance {
    /// The quorum has no leader.
    NoLeader,
    /// The controller does not follow the quorum.
    NotFollowing(BrokerId),
    /// The controller has not caught up: the time since it had all records, and since it last fetched.
    Behind(BrokerId, Option<u64>, Option<u64>),
    /// The controller has not registered its listeners.
    NotRegistered(BrokerId),
    /// With this controller added or removed, so many would have caught up, and a majority is so many.
    NoMajority(BrokerId, usize, usize),
}

/// Why a goal is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VotersRefusal {
    /// The controller is the only voter.
    LastVoter(BrokerId),
    /// Without this controller, so many would have caught up, and a majority is so many.
    NoMajorityLeft(BrokerId, usize, usize),
    /// The controller to be replaced has no vote, and neither has the new one.
    NoVote(BrokerId),
    /// The id is that of a broker that is no controller.
    IsBroker(BrokerId),
    /// The voter has the first log dir; a running controller with its id has the second.
    OtherDirectory(BrokerId, Option<DirectoryId>, Option<DirectoryId>),
    /// Two controllers with this id run.
    Twice(BrokerId),
    /// A release before 3.9 has formatted the log dir: it has no id, and Kafka gives it no vote.
    NoDirectory(BrokerId),
}

impl VotersRefusal {
    /// Whether it may pass within seconds: a new leader has not heard of all members yet.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoMajorityLeft(..) | Self::OtherDirectory(..) | Self::Twice(_) => true,
            Self::LastVoter(_) | Self::NoVote(_) | Self::IsBroker(_) | Self::NoDirectory(_) => {
                false
            }
        }
    }
}

/// The changes that are left, in order. Whether each may be made now is up to [`next`].
///
/// # Errors
/// The goal is refused, whatever the members do.
pub fn changes(scene: &QuorumScene, goal: VotersGoal) -> Result<Vec<VoterChange>, VotersRefusal> {
    match goal {
        VotersGoal::Add(new) => match scene.voter(new) {
            Some(voter) => one_directory(scene, voter).map(|()| Vec::new()),
            None => Ok(vec![VoterChange::Add(candidate(scene, new)?)]),
        },
        VotersGoal::Remove(old) => match scene.voter(old) {
            None => Ok(Vec::new()),
            Some(_) if scene.voters.len() == 1 => Err(VotersRefusal::LastVoter(old)),
            Some(voter) => Ok(vec![VoterChange::Remove(key_of(voter)?)]),
        },
        VotersGoal::Replace { old, new } if old == new => of_same_id(scene, new),
        VotersGoal::Replace { old, new } => match (scene.voter(old), scene.voter(new)) {
            (None, Some(_)) => Ok(Vec::new()),
            (None, None) => Err(VotersRefusal::NoVote(old)),
            (Some(old), Some(new)) => {
                one_directory(scene, new)?;
                Ok(vec![VoterChange::Remove(key_of(old)?)])
            }
            (Some(old), None) => {
                let add = VoterChange::Add(candidate(scene, new)?);
                Ok(vec![add, VoterChange::Remove(key_of(old)?)])
            }
        },
    }
}

/// Kafka knows each id once among the voters, so the lost log dir goes first.
fn of_same_id(scene: &QuorumScene, id: BrokerId) -> Result<Vec<VoterChange>, VotersRefusal> {
    let Some(voter) = scene.voter(id) else {
        return Ok(vec![VoterChange::Add(candidate(scene, id)?)]);
    };
    match scene.successor(voter) {
        Some(_) if voter.is_live() => Err(VotersRefusal::Twice(id)),
        Some(new) => {
            let add = VoterChange::Add(key_of(new)?);
            Ok(vec![VoterChange::Remove(key_of(voter)?), add])
        }
        None => Ok(Vec::new()),
    }
}

/// Refuses to go on while the vote is that of a log dir which its controller has lost.
fn one_directory(scene: &QuorumScene, voter: &QuorumMember) -> Result<(), VotersRefusal> {
    match scene.successor(voter) {
        Some(_) if voter.is_live() => Err(VotersRefusal::Twice(voter.id)),
        Some(new) => {
            let (old, new) = (voter.directory.clone(), new.directory.clone());
            Err(VotersRefusal::OtherDirectory(voter.id, old, new))
        }
        None => Ok(()),
    }
}

fn key_of(member: &QuorumMember) -> Result<VoterKey, VotersRefusal> {
    let directory = member.directory.clone().ok_or(VotersRefusal::NoDirectory(member.id))?;
    Ok(VoterKey { id: member.id, directory })
}

/// The controller that gets a vote. One that is not there yet has no log dir: [`next`] waits for it.
fn candidate(scene: &QuorumScene, id: BrokerId) -> Result<VoterKey, VotersRefusal> {
    if scene.brokers.contains(&id) && !scene.reachable.contains(&id) {
        return Err(VotersRefusal::IsBroker(id));
    }
    let live = scene.observers.iter().filter(|one| one.id == id && one.is_live());
    if live.count() > 1 {
        return Err(VotersRefusal::Twice(id));
    }
    match scene.observer(id) {
        Some(member) => key_of(member),
        None => Ok(VoterKey { id, directory: DirectoryId(String::new()) }),
    }
}

/// What to do next for this goal.
pub fn next(scene: &QuorumScene, goal: VotersGoal) -> NextVoterChange {
    let left = match changes(scene, goal) {
        Ok(left) => left,
        Err(refusal) => return NextVoterChange::Refuse(refusal),
    };
    let Some(change) = left.into_iter().next() else {
        // The vote of a lost log dir is to be replaced, and the controller with its id does not run yet.
        return match goal.candidate().and_then(|id| scene.voter(id)) {
            Some(voter) if is_same_id(goal) && !voter.is_live() => {
                NextVoterChange::Wait(VoterHindrance::NotFollowing(voter.id))
            }
            _ => NextVoterChange::Done,
        };
    };
    if scene.leader.is_none() {
        return NextVoterChange::Wait(VoterHindrance::NoLeader);
    }
    if let Some(hindrance) = hindrance(scene, goal, &change) {
        return NextVoterChange::Wait(hindrance);
    }
    let after = scene.after(&change);
    let (left, needed) = (after.caught_up(), majority(after.voters.len()));
    match (change, goal) {
        (change, _) if left >= needed => NextVoterChange::Make(change),
        (VoterChange::Remove(key), VotersGoal::Remove(_)) => {
            NextVoterChange::Refuse(VotersRefusal::NoMajorityLeft(key.id, left, needed))
        }
        (VoterChange::Add(key) | VoterChange::Remove(key), _) => {
            NextVoterChange::Wait(VoterHindrance::NoMajority(key.id, left, needed))
        }
    }
}

/// What the controller that gets a vote lacks. A replacement takes the old vote only after it.
fn hindrance(
    scene: &QuorumScene,
    goal: VotersGoal,
    change: &VoterChange,
) -> Option<VoterHindrance> {
    let id = goal.candidate()?;
    let has_voted = scene.voter(id).filter(|_| !is_same_id(goal));
    let Some(member) = has_voted.or_else(|| scene.observer(id)) else {
        return Some(VoterHindrance::NotFollowing(id));
    };
    if !member.is_caught_up() {
        return Some(VoterHindrance::Behind(id, member.behind_ms, member.silent_ms));
    }
    let needs_address = matches!(change, VoterChange::Add(_)) || is_same_id(goal);
    (needs_address && !scene.reachable.contains(&id)).then_some(VoterHindrance::NotRegistered(id))
}

fn is_same_id(goal: VotersGoal) -> bool {
    matches!(goal, VotersGoal::Replace { old, new } if old == new)
}

#[cfg(test)]
mod tests;
