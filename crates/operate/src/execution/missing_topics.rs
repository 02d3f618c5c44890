//! Whether topics that no listing contains exist: live brokers are asked for them by name.

use super::observe::PATIENCE;
use kafka::admin::Topics;
use kafka::{Client, Target};
use mapper::BrokerId;
use std::collections::BTreeSet;

/// The answers of live brokers about topics that no listing contains.
#[derive(Debug, Default)]
struct Missing {
    /// Topics that no broker has shown so far.
    topics: BTreeSet<String>,
    /// Topics that a broker refuses to describe.
    hidden: BTreeSet<String>,
    asked: usize,
    answered: usize,
}

/// The verdict: topics that do not exist, hidden topics, and topics that too few brokers answered for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Judged {
    gone: BTreeSet<String>,
    hidden: BTreeSet<String>,
    untold: BTreeSet<String>,
}

impl Missing {
    /// A broker that has just started may know no topic yet. So more than half of the live brokers have to answer.
    /// Then a single restarting broker decides nothing, and a silent broker does not block the execution.
    fn is_enough(&self) -> bool {
        self.answered * 2 > self.asked
    }

    /// A listing silently leaves out topics that we may not describe. So a topic that a broker refuses to describe is
    /// not gone.
    fn judged(&self) -> Judged {
        let others: BTreeSet<String> = &self.topics - &self.hidden;
        let hidden = &self.topics & &self.hidden;
        match self.is_enough() {
            true => Judged { gone: others, hidden, untold: BTreeSet::new() },
            false => Judged { gone: BTreeSet::new(), hidden, untold: others },
        }
    }
}

/// Returns the topics that do not exist, and why others are unknown. Topics that a listing left out, but that a
/// broker describes by name, are added to `topics`.
pub(super) async fn gone(
    client: &Client,
    surely: &BTreeSet<String>,
    live: &BTreeSet<BrokerId>,
    topics: &mut Topics,
) -> (BTreeSet<String>, Option<kafka::Error>) {
    let unlisted = surely.iter().filter(|name| !topics.contains_key(*name)).cloned().collect();
    let mut missing = Missing { topics: unlisted, asked: live.len(), ..Missing::default() };
    for id in live {
        if missing.topics.is_empty() || missing.is_enough() {
            break;
        }
        let told = client.topics_told_by(Target::Broker(*id), &missing.topics);
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(told)) => {
                missing.answered += 1;
                missing.topics.retain(|name| !told.found.contains_key(name));
                missing.hidden.extend(told.forbidden);
                topics.extend(told.found);
            }
            Ok(Err(error)) => tracing::debug!(broker = id.0, %error, "does not tell of topics"),
            Err(_) => tracing::debug!(broker = id.0, "does not answer"),
        }
    }
    let Judged { gone, hidden, untold } = missing.judged();
    let (asked, answered) = (missing.asked, missing.answered);
    let why = match (hidden.is_empty(), untold.is_empty()) {
        (false, _) => Some(client.hidden(hidden)),
        (true, false) => Some(kafka::Error::UntoldTopics { topics: untold, asked, answered }),
        (true, true) => None,
    };
    (gone, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_topic_is_gone_only_when_most_brokers_say_so_and_none_refuses_to_tell() {
        let judged = |hidden: &[&str], answered, asked| {
            let (topics, hidden) = (names(&["a", "b"]), names(hidden));
            Missing { topics, hidden, asked, answered }.judged()
        };
        let both = || names(&["a", "b"]);
        let gone = || Judged { gone: both(), ..Judged::default() };
        let untold = || Judged { untold: both(), ..Judged::default() };
        assert_eq!(judged(&[], 2, 3), gone());
        assert_eq!(judged(&[], 1, 1), gone());
        assert_eq!(judged(&[], 1, 3), untold(), "it may just have started");
        assert_eq!(judged(&[], 1, 2), untold());
        assert_eq!(judged(&[], 0, 3), untold());
        assert_eq!(judged(&[], 0, 0), untold(), "no broker is known to live");
        let hidden = Judged { gone: names(&["b"]), hidden: names(&["a"]), ..Judged::default() };
        assert_eq!(judged(&["a"], 2, 3), hidden);
        let shown_by_another = judged(&["c"], 2, 3);
        assert_eq!(shown_by_another, gone());
    }
}
