//! `leaders --elect`: elects the first replica of each partition, by preferred elections. No data moves. It skips
//! partitions that are being reassigned.

use crate::commands::leaders;
use crate::error::Error;
use crate::live::flags::ConsentArgs;
use crate::live::views::{Elected, ElectionsView};
use crate::session::Session;
use execute::{Elections, preferred};
use kafka::Client;
use kafka::admin::NoAnswer;
use mapper::scope::Scope;
use mapper::{PartitionId, Plan, TopicPartition};
use operate::Status;
use operate::events::Note;
use operate::execution::{Observer, read_plan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// How many leaders are elected in one request.
const BATCH: usize = 500;
/// The most checks for the new leaders of a request.
const LOOKS: usize = 10;
/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(500);

/// The flags of `leaders`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    plan: leaders::Args,
    #[command(flatten)]
    election: ElectionArgs,
}

/// The flags of elections.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Elections")]
struct ElectionArgs {
    /// Elect the first replica of each partition; plan nothing
    ///
    /// It concerns the partitions that another replica leads.
    #[arg(long, conflicts_with_all = ["brokers", "by", "per_topic", "evacuate", "out_file", "out_path"])]
    elect: bool,
    /// Elect only the partitions of this plan
    ///
    /// The command skips partitions that do not have the plan's replicas.
    #[arg(long, value_name = "FILE", requires = "elect")]
    plan: Option<PathBuf>,
    /// Run the elections without asking for consent
    #[arg(long, requires = "elect")]
    yes: bool,
    /// Show what would be elected, and change nothing
    ///
    /// The exit code is 5 if there is something to elect.
    #[arg(long, requires = "elect")]
    dry_run: bool,
}

impl ElectionArgs {
    const fn consent(&self) -> ConsentArgs {
        ConsentArgs { yes: self.yes, dry_run: self.dry_run }
    }
}

/// Which partitions it is about.
struct ElectionScope {
    topics: BTreeSet<String>,
    /// With a plan: only its partitions that have the plan's lists.
    planned: Option<BTreeSet<(String, PartitionId)>>,
}

impl ElectionScope {
    fn holds(&self, topic: &str, partition: PartitionId) -> bool {
        let planned = |planned: &BTreeSet<_>| planned.contains(&(topic.to_owned(), partition));
        self.topics.contains(topic) && self.planned.as_ref().is_none_or(planned)
    }
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    if !args.election.elect {
        return leaders::run(&args.plan, session);
    }
    let (bootstrap, properties) = session.global.source.brokers()?;
    let scope = args.plan.topics.scope(Some(".*"))?;
    let plan = args.election.plan.as_deref().map(read_plan).transpose()?;
    session.needs_consent(args.election.consent())?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        if let Some((plan, _)) = &plan {
            refuse_other_cluster(plan, &client)?;
        }
        let seen = Observer::default().see(&client, &BTreeSet::new()).await?;
        let about = about(&scope, plan.as_ref().map(|(plan, _)| plan), &seen, session)?;
        let found = preferred(&seen, |topic, partition| about.holds(topic, partition));
        session.event(&ElectionsView::of(&found))?;
        match (found.ready.is_empty(), found.obstacles.is_empty()) {
            (true, true) => return Ok(Status::Done),
            (true, false) if !args.election.dry_run => return Ok(Status::Partly),
            _ => {}
        }
        if args.election.dry_run {
            return Ok(Status::Findings);
        }
        session.agrees(args.election.consent(), "Elect them? Type yes:", "yes")?;
        elect(&client, &about, &found, session).await
    })
}

fn refuse_other_cluster(plan: &Plan, client: &Client) -> Result<(), Error> {
    match (&plan.cluster_id, &client.cluster().id) {
        (Some(meant), Some(found)) if meant != found => {
            Err(local::Error::OtherCluster { plan: meant.clone(), found: found.clone() }.into())
        }
        _ => Ok(()),
    }
}

fn about(
    scope: &Scope,
    plan: Option<&Plan>,
    seen: &execute::Seen,
    session: &mut Session<'_, '_>,
) -> Result<ElectionScope, Error> {
    let names: Vec<&str> = seen.topics.keys().map(String::as_str).collect();
    let topics = scope.select(&names)?.into_iter().map(str::to_owned).collect();
    let Some(plan) = plan else { return Ok(ElectionScope { topics, planned: None }) };
    let mut planned = BTreeSet::new();
    let mut elsewhere = 0_usize;
    for change in &plan.moves {
        let topic = seen.topics.get(&*change.topic);
        let partition = topic.and_then(|topic| topic.partition(change.partition));
        match partition {
            Some(partition) if partition.replicas == change.to => {
                planned.insert((change.topic.to_string(), change.partition));
            }
            _ => elsewhere += 1,
        }
    }
    if elsewhere > 0 {
        let text = format!("{elsewhere} partitions of the plan do not have its replicas: left out");
        session.say(&Note::new(text))?;
    }
    Ok(ElectionScope { topics, planned: Some(planned) })
}

/// Elects in batches, and checks for reassignments before each.
async fn elect(
    client: &Client,
    about: &ElectionScope,
    found: &Elections,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let wanted: Vec<&TopicPartition> = found.ready.keys().collect();
    let mut refused: BTreeMap<TopicPartition, String> = BTreeMap::new();
    for some in wanted.chunks(BATCH) {
        let running = client.reassignments().await?;
        let still = some.iter().filter(|of| !running.contains_key(**of));
        let batch: BTreeSet<TopicPartition> = still.map(|of| (*of).clone()).collect();
        match client.elect_preferred(&batch).await {
            Ok(answers) => {
                refused.extend(answers.into_iter().map(|(of, no)| (of, no.to_string())));
            }
            Err(NoAnswer::NotMade(error)) => return Err(error.into()),
            // The leaders are read below.
            Err(NoAnswer::Unknown(error)) => session.say(&Note::new(error.to_string()))?,
        }
    }
    let elected = led(client, about, found, refused).await?;
    session.result(&elected)?;
    Ok(if elected.is_whole() { Status::Done } else { Status::Partly })
}

/// Brokers learn of new leaders a moment later.
async fn led(
    client: &Client,
    about: &ElectionScope,
    found: &Elections,
    refused: BTreeMap<TopicPartition, String>,
) -> Result<Elected, Error> {
    let mut observer = Observer::default();
    let mut looks = 0;
    loop {
        let seen = observer.see(client, &BTreeSet::new()).await?;
        let now = preferred(&seen, |topic, partition| about.holds(topic, partition));
        let waits = now.ready.keys().any(|of| !refused.contains_key(of));
        looks += 1;
        if !waits || looks == LOOKS {
            return Ok(Elected::of(found, &now, &refused));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
