//! `--throttle auto`: the daemon throttles the moves of this execution, and the execution announces each move before
//! it begins.
//!
//! A move begins only under these conditions:
//!
//! - The daemon that leads knew of the move before the last look.
//! - That look shows rates and lists that throttle the move.
//! - Three seconds have passed since the first such look.
//! - The same daemon has just confirmed again that it leads.
//!
//! Announced moves stay throttled, whether the daemon then lives or dies. If the operator gave a rate, the
//! announcement contains it. The daemon takes it as an override for the brokers of these moves.

use super::rest::SPREAD;
use super::{Execution, Look};
use crate::daemons::Daemons;
use crate::error::Error;
use crate::events::{Note, RunContext};
use execute::{Round, Seen, is_paced};
use mapper::{BrokerId, Bytes, Move, PartitionId, Rate, Replicas, TopicPartition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long after the daemon's answer a move may begin.
pub const BEGUN_WITHIN: Duration = Duration::from_secs(2);
/// After this time without an answer, announcements may have lapsed. It is half the time for which the daemon keeps
/// them.
const SILENCE: Duration = Duration::from_secs(60);

/// An execution's announcement of the moves that it will begin next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The format version: [`Self::VERSION`].
    pub version: u32,
    /// The id of the cluster.
    pub cluster_id: String,
    /// All moves that may begin next.
    pub moves: Vec<AnnouncedMove>,
    /// The operator's rate for the execution; absent: the daemon decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<AnnouncedPace>,
}

impl Announcement {
    /// The format version.
    pub const VERSION: u32 = 1;
}

/// An override for the brokers of the announced moves; it ends with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnouncedPace {
    /// The rate into each broker, and out of each broker.
    pub rate_bytes_per_second: Rate,
    /// The brokers that send or receive replicas.
    pub brokers: BTreeSet<BrokerId>,
}

/// The daemon's answer to an [`AnnouncedPace`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredPace {
    /// Brokers that keep another override, which an operator has set on the daemon.
    pub kept: Vec<OnBroker>,
    /// Brokers that get a higher rate: at the announced rate, new replicas would never catch up.
    pub raised: Vec<OnBroker>,
}

/// One broker's rate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OnBroker {
    /// The broker.
    pub broker: BrokerId,
    /// The rate.
    pub rate_bytes_per_second: Rate,
}

/// An announced move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnouncedMove {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// Its replicas after the move.
    pub replicas: Replicas,
}

/// The daemon's answer.
#[derive(Debug, Deserialize)]
struct Answer {
    lead: String,
    pace: Option<AnsweredPace>,
}

/// The flags of the daemons' URL, and of its authorities.
const FLAGS: (&str, &str) = ("--autothrottle", "--autothrottle-ca");

/// The daemons, as this execution knows them.
pub struct Pacer {
    daemons: Daemons,
    /// The operator's rate; `None`: the daemon decides.
    rate: Option<Rate>,
    known: Option<Known>,
    /// The last reported reason why the daemon throttles no new move.
    told: Option<String>,
    /// The last reported answer to the rate.
    told_of_rate: Option<AnsweredPace>,
}

impl std::fmt::Debug for Pacer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pacer").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// The moves that the daemon has confirmed.
#[derive(Debug)]
struct Known {
    /// The identity of the leading daemon, which includes since when it leads.
    lead: String,
    at: Instant,
    /// The announced moves, and since when a look shows each one throttled.
    moves: BTreeMap<TopicPartition, Option<Instant>>,
}

impl Pacer {
    /// Prepares the connection to the daemon.
    pub fn new(url: &str, token_file: Option<&Path>, ca: Option<&Path>) -> Result<Self, Error> {
        let daemons = Daemons::at(FLAGS, url, "v1/announce", token_file, ca)?;
        Ok(Self { daemons, rate: None, known: None, told: None, told_of_rate: None })
    }

    /// Requests this rate, as an override for the brokers of each move.
    pub fn at(self, rate: Option<Rate>) -> Self {
        Self { rate, ..self }
    }

    /// The URL for messages.
    fn url(&self) -> &str {
        self.daemons.shown()
    }

    /// The moves that may begin if a look from now on shows them throttled.
    pub(super) fn ripe(&self) -> BTreeSet<TopicPartition> {
        let Some(known) = &self.known else { return BTreeSet::new() };
        let ripe = |(of, paced): (&TopicPartition, &Option<Instant>)| {
            paced.is_some_and(|since| since.elapsed() >= SPREAD).then(|| of.clone())
        };
        known.moves.iter().filter_map(ripe).collect()
    }

    /// Announces the moves that may begin next. `seen` is the look after the last announcement. An error says why no
    /// move may begin now.
    async fn announce(
        &mut self,
        cluster_id: &str,
        moves: &[&Move],
        seen: &Seen,
    ) -> Result<(Instant, Option<AnsweredPace>), Unpaced> {
        let before = self.known.take();
        let at = Instant::now();
        let Answer { lead, pace } = self.ask(cluster_id, moves).await.map_err(Unpaced::Refused)?;
        let before = before.filter(|known| known.lead == lead && known.at.elapsed() < SILENCE);
        let same = before.is_some();
        let then = before.map(|known| known.moves).unwrap_or_default();
        let now = Instant::now();
        let standing = |change: &&Move| {
            let since = then.get(&change.of()).copied();
            let paced = since.is_some() && is_paced(seen, change);
            (change.of(), if paced { since.flatten().or(Some(now)) } else { None })
        };
        let moves = moves.iter().map(standing).collect();
        self.known = Some(Known { lead, at, moves });
        match same {
            true => Ok((at, pace)),
            false => Err(Unpaced::New),
        }
    }

    /// Checks that the daemon answers, and that it leads in this cluster.
    pub async fn is_there(&mut self, cluster_id: &str) -> Result<(), Error> {
        match self.ask(cluster_id, &[]).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(Error::NoDaemon { url: self.url().to_owned(), problem }),
        }
    }

    async fn ask(&mut self, cluster_id: &str, moves: &[&Move]) -> Result<Answer, String> {
        let one = |change: &&Move| AnnouncedMove {
            topic: change.topic.to_string(),
            partition: change.partition,
            replicas: change.to.clone(),
        };
        let announcement = Announcement {
            version: Announcement::VERSION,
            cluster_id: cluster_id.to_owned(),
            moves: moves.iter().map(one).collect(),
            pace: self.rate.map(|rate_bytes_per_second| AnnouncedPace {
                rate_bytes_per_second,
                brokers: moves
                    .iter()
                    .flat_map(|change| change.from.iter().chain(&change.to))
                    .copied()
                    .collect(),
            }),
        };
        let body = serde_json::to_vec(&announcement).map_err(|error| error.to_string())?;
        let answer = self.daemons.post(&body).await?;
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|error| format!("no answer of an autothrottle: {error}"))?;
        match (self.rate, &answer.pace) {
            // A daemon that does not know operator rates would choose a rate itself.
            (Some(_), None) => Err("it does not take the rate".to_owned()),
            _ => Ok(answer),
        }
    }

    /// Whether this differs from the last report: why the daemon throttles no new move, or (`None`) that it does.
    fn is_news(&mut self, problem: Option<&str>) -> bool {
        let news = self.told.as_deref() != problem;
        self.told = problem.map(str::to_owned);
        news
    }

    /// The daemon's answer to the rate in words, if it is new.
    fn news_of_rate(&mut self, pace: Option<AnsweredPace>) -> Option<String> {
        let (rate, pace) = (self.rate?, pace?);
        if self.told_of_rate.as_ref() == Some(&pace) {
            return None;
        }
        let first = self.told_of_rate.is_none();
        let whole = first.then(|| {
            format!(
                "autothrottle takes {} per second as an override of what is moved",
                Bytes(rate.0)
            )
        });
        let kept = pace.kept.iter().map(|OnBroker { broker, rate_bytes_per_second: rate }| {
            format!("broker {broker} keeps its own override, {} per second", Bytes(rate.0))
        });
        let raised = pace.raised.iter().map(|OnBroker { broker, rate_bytes_per_second: rate }| {
            let rate = Bytes(rate.0);
            format!(
                "broker {broker} gets {rate} per second: below, new replicas would never catch up"
            )
        });
        let words: Vec<String> = whole.into_iter().chain(kept).chain(raised).collect();
        self.told_of_rate = Some(pace);
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl Execution<'_> {
    /// Announces the next moves to the daemon, if one throttles. Returns until when they may begin. If the daemon
    /// does not confirm, none begins.
    pub(super) async fn announce(
        &mut self,
        look: &Look,
        round: &mut Round,
        context: &mut RunContext<'_>,
    ) -> Result<Option<Instant>, Error> {
        let (plan, cluster_id) = (self.task.plan, self.task.cluster_id);
        let Some(pacer) = self.pacer.as_mut().filter(|_| !round.to_announce.is_empty()) else {
            return Ok(None);
        };
        let moves: Vec<&Move> =
            round.to_announce.iter().filter_map(|index| plan.moves.get(*index)).collect();
        match pacer.announce(cluster_id, &moves, &look.seen).await {
            Ok((at, pace)) => {
                if pacer.is_news(None) {
                    context.note(&Note::new("autothrottle answers, and leads"))?;
                }
                if let Some(words) = pacer.news_of_rate(pace) {
                    context.note(&Note::new(words))?;
                }
                Ok(Some(at + BEGUN_WITHIN))
            }
            Err(Unpaced::New) => {
                round.submit_nothing();
                Ok(None)
            }
            Err(Unpaced::Refused(problem)) => {
                round.submit_nothing();
                if pacer.is_news(Some(&problem)) {
                    let url = pacer.url();
                    context.note(&Note::new(format!(
                        "autothrottle at {url} paces nothing new: {problem}; nothing new is begun, and what is in flight \
                         keeps its rates"
                    )))?;
                }
                Ok(None)
            }
        }
    }
}

/// Why no move may begin now.
#[derive(Debug)]
enum Unpaced {
    /// The leading daemon has just received its first announcement.
    New,
    /// The daemon refuses, or cannot be reached.
    Refused(String),
}
