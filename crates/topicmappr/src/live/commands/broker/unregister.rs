//! `broker unregister`: removes a broker that is gone for good from KRaft.
//!
//! Kafka itself unregisters any broker. That breaks a live broker, and orphans the replicas of a broker that has
//! some. So the command requires that the broker is down, has no replica, and has no vote.

use crate::error::{Beyond, Error};
use crate::live::flags::ConsentArgs;
use crate::live::views::Unregister;
use crate::session::Session;
use kafka::admin::NoAnswer;
use kafka::{Client, Standing, Unsettled};
use mapper::BrokerId;
use operate::Status;
use std::collections::BTreeSet;
use std::time::Duration;

/// The wait for an answer of a broker that the cluster reports as dead.
const ANSWERS: Duration = Duration::from_secs(2);

/// The flags of `broker unregister`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The broker's id
    #[arg(value_name = "ID")]
    broker: BrokerId,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    session.needs_consent(args.consent)?;
    let (talk, broker) = (session.global.talk.clone(), args.broker);
    talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let fenced = may_go(&client, broker).await?;
        let said = |done| Unregister { broker, fenced, done };
        if args.consent.dry_run {
            session.show(&said(false))?;
            return Ok(Status::Findings);
        }
        session.say(&said(false))?;
        let question = format!("Unregister broker {broker}? Type yes:");
        session.agrees(args.consent, &question, "yes")?;
        // The broker may have come back during the question.
        may_go(&client, broker).await?;
        client.unregister_broker(broker).await.map_err(|answer| match answer {
            NoAnswer::NotMade(error) => Error::from(error),
            NoAnswer::Unknown(problem) => {
                let what = format!("unregistering broker {broker}");
                Error::Live(Beyond::Unanswered { what, problem: Box::new(problem) })
            }
        })?;
        session.show(&said(true))?;
        Ok(Status::Done)
    })
}

/// Refuses what Kafka should refuse. Returns whether the cluster lists the broker as fenced; before Kafka 4.0 it
/// lists none.
async fn may_go(client: &Client, broker: BrokerId) -> Result<bool, Error> {
    let refused = |why: String| Err(Error::NotUnregistered { broker, why });
    let Some(quorum) = client.quorum().await? else {
        let message = "in ZooKeeper mode a broker's registration ends with its session: there is nothing to unregister";
        return Err(Error::flags(message));
    };
    if quorum.voters.contains_key(&broker) {
        return refused("it has a vote in the controllers' quorum: remove the controller first (topicmappr controllers remove)".to_owned());
    }
    let held = match kafka::standing(client, broker).await? {
        Standing::Settled(snapshot) => snapshot,
        Standing::Unsettled(Unsettled::Live(_)) => {
            return refused("it is live: Kafka would break it; stop it first".to_owned());
        }
        Standing::Unsettled(other) => return refused(other.to_string()),
    };
    if let Some(address) = client.answers_unlisted(broker, ANSWERS).await {
        return refused(format!(
            "it answers at {address}, although the cluster does not count it as live; stop it first"
        ));
    }
    let topics: Vec<&str> = held.topics().iter().map(|topic| topic.name.as_str()).collect();
    if !topics.is_empty() {
        let replicas: usize = held.topics().iter().map(|topic| topic.partitions.len()).sum();
        return Err(Error::HoldsReplicas {
            broker,
            replicas,
            topics: topics.into_iter().map(str::to_owned).collect(),
        });
    }
    let moving = client.reassignments().await?;
    let to_it = moving.iter().filter(|(_, moving)| moving.replicas.contains(&broker));
    if let Some((of, _)) = to_it.into_iter().next() {
        return refused(format!("{of} is being reassigned to or from it"));
    }
    let known = client.describe_cluster().await?.brokers.clone();
    let fenced = known.get(&broker).is_some_and(|broker| !broker.live);
    let tells_fenced = known.values().any(|broker| !broker.live);
    if !fenced && tells_fenced {
        let known: BTreeSet<BrokerId> = known.into_keys().collect();
        return Err(Error::UnknownBrokers { unknown: vec![broker], known });
    }
    Ok(fenced)
}
