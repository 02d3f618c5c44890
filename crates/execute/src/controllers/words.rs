//! Changes of voters, and the reasons against them, as text.

use super::{VoterChange, VoterHindrance, VotersRefusal};
use mapper::DirectoryId;
use std::fmt;

impl fmt::Display for VoterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(key) => write!(f, "add controller {} ({})", key.id, key.directory),
            Self::Remove(key) => write!(f, "remove controller {} ({})", key.id, key.directory),
        }
    }
}

impl fmt::Display for VoterHindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader => f.write_str("the quorum has no leader"),
            Self::NotFollowing(id) => write!(f, "controller {id} does not follow the quorum yet"),
            Self::Behind(id, _, None) => {
                write!(f, "controller {id} has not fetched from the active controller")
            }
            Self::Behind(id, behind, Some(silent)) => match behind {
                Some(behind) if behind > silent => {
                    write!(f, "controller {id} is {behind} ms behind the active controller")
                }
                _ => write!(f, "controller {id} last fetched {silent} ms ago"),
            },
            Self::NotRegistered(id) => {
                write!(f, "controller {id} has not registered its listeners")
            }
            Self::NoMajority(id, left, needed) => write!(
                f,
                "with the change of controller {id}, {left} voters would have caught up, and a majority is {needed}"
            ),
        }
    }
}

impl fmt::Display for VotersRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastVoter(id) => write!(f, "controller {id} is the only voter"),
            Self::NoMajorityLeft(id, left, needed) => write!(
                f,
                "without controller {id}, {left} voters have caught up, and a majority is {needed}"
            ),
            Self::NoVote(id) => write!(f, "controller {id} has no vote, so nothing can replace it"),
            Self::IsBroker(id) => write!(f, "{id} is a broker, not a controller"),
            Self::OtherDirectory(id, old, new) => write!(
                f,
                "controller {id} votes with log dir {}, and runs with log dir {}",
                name(old.as_ref()),
                name(new.as_ref())
            ),
            Self::Twice(id) => write!(f, "two controllers with id {id} run"),
            Self::NoDirectory(id) => write!(f, "the log dir of controller {id} has no id"),
        }
    }
}

impl VotersRefusal {
    /// The operator's next step.
    pub fn hint(&self) -> String {
        match self {
            Self::LastVoter(_) => "add another controller first: topicmappr controllers add ID".to_owned(),
            Self::NoMajorityLeft(..) => {
                "start the voters that are down, or replace them: topicmappr controllers replace OLD NEW".to_owned()
            }
            Self::NoVote(_) => "topicmappr controllers status lists the voters; controllers add ID gives a vote".to_owned(),
            Self::IsBroker(_) => {
                "name the node.id of a controller; for a node with both roles, give its --endpoint".to_owned()
            }
            Self::OtherDirectory(id, ..) => {
                format!("replace the lost log dir first: topicmappr controllers replace {id} {id}")
            }
            Self::Twice(_) => "end one of them, and give it another node.id".to_owned(),
            Self::NoDirectory(_) => {
                "format the log dir again with Kafka 3.9 or later: kafka-storage.sh format --no-initial-controllers".to_owned()
            }
        }
    }
}

fn name(directory: Option<&DirectoryId>) -> String {
    directory.map_or_else(|| "without an id".to_owned(), ToString::to_string)
}
