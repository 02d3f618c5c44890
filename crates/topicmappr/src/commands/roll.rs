//! `roll`: restarts the pods of StatefulSets one by one, so that no partition gets under its min ISR.

use crate::error::Error;
use crate::executing::{Signal, Signals};
use crate::flags::{ConsentArgs, duration};
use crate::live;
use crate::locks::{self, Guard};
use crate::rolling::{Roll, Rolled, Sight, Sights, Ways, Why};
use crate::session::Session;
use crate::status::Status;
use crate::views::{Next as NextCommand, RollPlan, RollSummary};
use ::kubernetes::{Kubernetes, Name};
use execute::roll::{Memory, Terms, next};
use jiff::Timestamp;
use mapper::maps::Target;
use std::time::Duration;

/// A controller that is further behind has not caught up.
const MAX_BEHIND_MS: u64 = 10_000;

/// The flags of `roll`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// StatefulSets of brokers or controllers, with updateStrategy OnDelete [default: those that the maps name]
    #[arg(value_name = "[NAMESPACE/]STATEFULSET")]
    sets: Vec<String>,
    /// Restarts every pod, not only those whose revision is not the newest
    #[arg(long)]
    all: bool,
    /// With --all: pods that were made before this time [default: now]; goes on with a roll that ended early
    #[arg(long, value_name = "TIME", requires = "all")]
    since: Option<Timestamp>,
    /// Goes on although partitions with no replica to spare are unavailable while their broker restarts
    #[arg(long)]
    allow_unavailable: bool,
    /// Deletes pods instead of evicting them: the PodDisruptionBudget has no say
    #[arg(long)]
    delete: bool,
    /// How long one pod may take to be ready and in sync again
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    pod_timeout: Duration,
    /// A pod that is younger counts only if its broker was seen to be down before: longer than broker.session.timeout.ms
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    settle: Duration,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    let named = args.named(session)?;
    session.needs_consent(args.consent)?;
    let since = args.all.then(|| args.since.unwrap_or_else(Timestamp::now));
    let talk = session.global.talk.clone();
    live::wait_for(&talk, async {
        let flags = &session.global.kubernetes;
        let kubernetes = Kubernetes::connect(&flags.access(session.environment)).await?;
        let rules = flags.rules();
        let (client, notes) = live::client(&bootstrap, properties.as_deref()).await?;
        notes.iter().try_for_each(|note| session.say(note))?;
        let sets: Vec<Name> = named.iter().map(|name| in_namespace(name, &kubernetes)).collect();
        let place = sets.first().map(|set| set.namespace.clone()).unwrap_or_default();
        let seconds = since.map(|since| u64::try_from(since.as_second()).unwrap_or_default());
        let mut sights = Sights::of(&kubernetes, &client, sets, &rules, seconds).await?;
        let sight = sights.look().await?;
        refuse_other_strategies(&sight)?;
        if args.consent.dry_run {
            return args.rehearse(&sight, session);
        }
        let guard = match RollPlan::of(&sight, &args.next(&sight)).is_empty() {
            // The last pod may still be on its way: that is waited for, and needs no lock.
            true => None,
            false => {
                if let execute::roll::Next::Unavailable(partitions) = args.next(&sight) {
                    return Err(Error::WouldBeUnavailable { partitions });
                }
                args.agreed(&sight, session)?;
                let cluster = client.cluster().id.clone().unwrap_or_default();
                Some(Guard::take(&kubernetes, locks::lease_of(&place, &cluster)).await?)
            }
        };
        let mut roll = Roll::of(sights, args.ways());
        let mut signals = Signals::listen()?;
        let rolled = match guard {
            Some(guard) => guard.during(roll.run(&mut signals, session)).await?,
            None => roll.run(&mut signals, session).await?,
        };
        args.tell(&rolled, since, session)
    })
}

impl Args {
    fn named(&self, session: &Session<'_, '_>) -> Result<Vec<String>, Error> {
        if !self.sets.is_empty() {
            return Ok(self.sets.clone());
        }
        let maps = session.map_set()?;
        let sets = maps.maps().iter().filter_map(|map| match &map.target {
            Target::StatefulSet { namespace, name } => Some(format!("{namespace}/{name}")),
            Target::Ids(_)
            | Target::All
            | Target::InstanceType { .. }
            | Target::NodeLabels { .. } => None,
        });
        let sets: Vec<String> = sets.collect();
        if sets.is_empty() {
            return Err(Error::Flags(
                "roll needs StatefulSets: name them, or give maps that do (--maps)".to_owned(),
            ));
        }
        Ok(sets)
    }

    fn ways(&self) -> Ways {
        let terms = Terms {
            allow_unavailable: self.allow_unavailable,
            settle_seconds: self.settle.as_secs(),
            max_behind_ms: MAX_BEHIND_MS,
        };
        Ways { terms, delete: self.delete, pod_timeout: self.pod_timeout }
    }

    fn next(&self, sight: &Sight) -> execute::roll::Next {
        next(&sight.scene, &Memory::default(), &self.ways().terms)
    }

    fn rehearse(&self, sight: &Sight, session: &mut Session<'_, '_>) -> Result<Status, Error> {
        let plan = RollPlan::of(sight, &self.next(sight));
        session.show(&plan)?;
        Ok(if plan.has_findings() { Status::Findings } else { Status::Done })
    }

    fn agreed(&self, sight: &Sight, session: &mut Session<'_, '_>) -> Result<(), Error> {
        session.event(&RollPlan::of(sight, &self.next(sight)))?;
        let question = format!("Restart {} pod(s)? Type yes:", sight.left());
        session.agrees(self.consent, &question, "yes")
    }

    /// The last word, and the status.
    fn tell(
        &self,
        rolled: &Rolled,
        since: Option<Timestamp>,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        session.result(&RollSummary::of(rolled))?;
        let status = match &rolled.why {
            Why::Done => return Ok(Status::Done),
            Why::Left(Signal::Interrupt) => Status::Interrupted,
            Why::Left(Signal::Terminate) => Status::Terminated,
            Why::Moving(_) if rolled.restarted.is_empty() => Status::Held,
            Why::Moving(_) | Why::Stuck(_) => Status::Partly,
        };
        let mut again = session.command_line();
        if let Some(since) = since.filter(|_| self.since.is_none()) {
            again.push(format!("--since={since}"));
        }
        session.say(&NextCommand::again(&again, "--yes", "--yes"))?;
        Ok(status)
    }
}

fn in_namespace(name: &str, kubernetes: &Kubernetes) -> Name {
    match name.split_once('/') {
        Some((namespace, name)) => Name::new(namespace, name),
        None => Name::new(kubernetes.namespace(), name),
    }
}

/// Whoever restarts pods by himself does it without looking at Kafka.
fn refuse_other_strategies(sight: &Sight) -> Result<(), Error> {
    match sight.sets.iter().find(|set| set.strategy != "OnDelete") {
        Some(set) => {
            Err(Error::NotOnDelete { set: set.name.to_string(), strategy: set.strategy.clone() })
        }
        None => Ok(()),
    }
}
