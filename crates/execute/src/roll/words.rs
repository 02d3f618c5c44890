//! The reasons for which a restart waits, as text.

use super::RestartHindrance;
use mapper::few;
use std::fmt;

const FEW: usize = 3;

impl fmt::Display for RestartHindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(pod) => write!(f, "pod {pod} does not exist"),
            Self::Terminating(pod) => write!(f, "pod {pod} is still ending"),
            Self::NotReady(pod) => write!(f, "pod {pod} is not ready"),
            Self::NotRegistered(pod, id) => {
                write!(f, "pod {pod} is ready, and broker {id} is not registered")
            }
            Self::Young(pod, seconds) => write!(
                f,
                "pod {pod} is {seconds} s old: the cluster may still tell of the broker before it"
            ),
            Self::Lagging(id, partitions) => {
                write!(f, "broker {id} is not in sync in {}", few(partitions, FEW))
            }
            Self::Behind(pod, Some(ms)) => write!(f, "pod {pod} is {ms} ms behind its quorum"),
            Self::Behind(pod, None) => write!(f, "pod {pod} has not been heard of in its quorum"),
            Self::UnderMinIsr(id, partitions) => {
                write!(
                    f,
                    "without broker {id}, too few replicas are in sync of {}",
                    few(partitions, FEW)
                )
            }
            Self::Leaderless(id, partitions) => {
                write!(
                    f,
                    "nobody leads {}, of which broker {id} has replicas",
                    few(partitions, FEW)
                )
            }
            Self::MinIsrUntold(id, topics) => {
                let topics = few(topics, FEW);
                write!(f, "min.insync.replicas is not told of {topics}, on broker {id}")
            }
            Self::NoMajority(pod, left, needed) => write!(
                f,
                "without pod {pod}, {left} of its quorum have caught up, and a majority is {needed}"
            ),
        }
    }
}
