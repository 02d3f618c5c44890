//! `roll`: restarts the pods of StatefulSets one by one or in batches, so that no partition falls below its min ISR.

use crate::error::{Beyond, Error};
use crate::live::flags::ConsentArgs;
use crate::live::views::{Next as NextCommand, RollPlan, RollSummary};
use crate::session::Session;
use ::kubernetes::brokers::Rules;
use ::kubernetes::lease::lease_name;
use ::kubernetes::{Kubernetes, Name};
use console::units::duration;
use execute::roll::{MaxParallel, RollMemory, RollTerms, batches, next};
use jiff::Timestamp;
use mapper::counted;
use mapper::maps::Target;
use operate::Status;
use operate::cluster::{Servers, Source, ZooKeeperPlace};
use operate::execution::{Signal, Signals};
use operate::live;
use operate::roll::{Roll, RollEnd, RollPods, Rolled, Sight, Sights, Ways};
use operate::stores::{lease_of, take_lease};
use std::collections::BTreeMap;
use std::time::Duration;
use zookeeper::ZooKeeperAddress;

/// The flags of `roll`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// StatefulSets of brokers or controllers [default: those of the maps]
    ///
    /// Their updateStrategy must be OnDelete. With --zookeeper alone, they are StatefulSets of ZooKeeper servers.
    #[arg(value_name = "[NAMESPACE/]STATEFULSET")]
    sets: Vec<String>,
    /// Restart every pod, not only pods of an older revision
    #[arg(long)]
    all: bool,
    /// Restart only pods created before this time (--all) [default: now]
    ///
    /// To continue a roll that ended early, give the time at which it began.
    #[arg(long, value_name = "TIME", requires = "all")]
    since: Option<Timestamp>,
    /// Continue although some partitions become unavailable during a restart
    ///
    /// These are partitions without a replica to spare.
    #[arg(long)]
    allow_unavailable: bool,
    /// Delete pods instead of evicting them
    ///
    /// A deletion ignores the PodDisruptionBudget.
    #[arg(long)]
    delete: bool,
    /// Restart up to this many pods of a rack together
    ///
    /// No partition falls below its min ISR while all of them are away. auto: at most a tenth of the brokers. No other
    /// broker then takes over more partitions than a broker leads on average. Each PodDisruptionBudget must allow as
    /// many pods.
    #[arg(long, value_name = "N|auto", value_parser = max_parallel, default_value = "1")]
    max_parallel: MaxParallel,
    /// Wait this long for a pod to be ready and in sync
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    pod_timeout: Duration,
    /// Trust a younger pod only if its broker was seen down
    ///
    /// Before that, the cluster may still report the old broker as live. The time must be longer than
    /// broker.session.timeout.ms.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    settle: Duration,
    /// Set the address of the ZooKeeper server in a pod
    ///
    /// It is needed if its address in --zookeeper does not begin with the pod's name.
    #[arg(long, value_name = "POD=HOST:PORT", value_parser = server)]
    server: Vec<(String, String)>,
    /// Claim the cluster with this Lease
    ///
    /// Default: mappr-cluster-HASH in the namespace of the first StatefulSet. Give all commands that change a cluster
    /// the same Lease. Two different Leases do not exclude each other.
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = lease_name)]
    lease: Option<Name>,
    #[command(flatten)]
    consent: ConsentArgs,
}

fn server(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((pod, address)) if !pod.is_empty() && address.contains(':') => {
            Ok((pod.to_owned(), address.to_owned()))
        }
        _ => Err("expected POD=HOST:PORT".to_owned()),
    }
}

fn max_parallel(text: &str) -> Result<MaxParallel, String> {
    match text.parse() {
        Ok(pods) if pods > 0 => Ok(MaxParallel::Pods(pods)),
        _ if text == "auto" => Ok(MaxParallel::Auto),
        _ => Err("expected auto, or a number of pods that is at least 1".to_owned()),
    }
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let source = args.source(session)?;
    let named = args.named(&source, session)?;
    session.needs_consent(args.consent)?;
    let since = args.all.then(|| args.since.unwrap_or_else(Timestamp::now));
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let flags = &session.global.kubernetes;
        let access = flags.access(session.environment);
        let kubernetes = Kubernetes::connect(&access).await?;
        let rules = flags.rules();
        let set = |name: &String| Name::parsed(name, kubernetes.namespace());
        let sets: Vec<Name> = named.iter().map(set).collect();
        let place = sets.first().map(|set| set.namespace.clone()).unwrap_or_default();
        let seconds = since.map(|since| u64::try_from(since.as_second()).unwrap_or_default());
        let pods = RollPods { kubernetes: &kubernetes, sets, since: seconds };
        let (mut sights, cluster) = args.sights(&source, pods, &rules, session).await?;
        let sight = sights.look().await?;
        refuse_other_strategies(&sight)?;
        let plan = args.plan(&sight);
        if args.consent.dry_run {
            session.show(&plan)?;
            return Ok(if plan.has_findings() { Status::Findings } else { Status::Done });
        }
        let lead = match plan.is_empty() {
            // The last pod may still be starting. Waiting for it needs no lock.
            true => None,
            false => {
                if let execute::roll::NextRestart::Unavailable(partitions) = args.next(&sight) {
                    return Err(operate::Error::WouldBeUnavailable { partitions }.into());
                }
                session.event(&plan)?;
                let question = format!("Restart {}? Type yes:", counted(sight.left(), "pod"));
                session.agrees(args.consent, &question, "yes")?;
                let lease = args.lease.clone().unwrap_or_else(|| lease_of(&place, &cluster));
                Some(take_lease(&access, lease).await.map_err(lease_rights)?)
            }
        };
        let mut roll = Roll::of(sights, args.ways());
        let mut signals = Signals::listen()?;
        let rolled = match lead {
            Some(lead) => lead.during(roll.run(&mut signals, session)).await?,
            None => roll.run(&mut signals, session).await?,
        };
        session.result(&RollSummary::of(&rolled, &plan))?;
        args.status(&rolled, since, session)
    })
}

impl Args {
    fn source(&self, session: &Session<'_, '_>) -> Result<Servers, Error> {
        let servers = match session.global.source.source()? {
            Source::Live(servers) => servers,
            Source::File(_) => {
                return Err(Error::flags(
                    "roll works on a live cluster: name it with --bootstrap-server HOST:PORT, or the ZooKeeper servers \
                     that it restarts with --zookeeper"
                        .to_owned(),
                ));
            }
        };
        match servers {
            Servers::Kafka { .. } if !self.server.is_empty() => Err(Error::flags(
                "--server is about ZooKeeper servers: name them with --zookeeper, without --bootstrap-server"
                    .to_owned(),
            )),
            servers => Ok(servers),
        }
    }

    /// The sights that observe the pods, and the id of their cluster.
    async fn sights<'a>(
        &self,
        source: &Servers,
        pods: RollPods<'a>,
        rules: &Rules,
        session: &mut Session<'_, '_>,
    ) -> Result<(Sights<'a>, String), Error> {
        match source {
            Servers::Kafka { bootstrap, properties, .. } => {
                let client = session.client(bootstrap, properties.as_deref()).await?;
                let cluster = client.cluster().id.clone().unwrap_or_default();
                Ok((Sights::of_kafka(pods, client, rules).await?, cluster))
            }
            Servers::ZooKeeper(place) => {
                let (servers, cluster) = ensemble(place).await?;
                let named: BTreeMap<String, String> = self.server.iter().cloned().collect();
                Ok((Sights::of_zookeeper(pods, &servers, &named), cluster))
            }
        }
    }

    fn named(&self, source: &Servers, session: &Session<'_, '_>) -> Result<Vec<String>, Error> {
        if !self.sets.is_empty() {
            return Ok(self.sets.clone());
        }
        if let Servers::ZooKeeper(_) = source {
            return Err(Error::flags(
                "name the StatefulSet of the ZooKeeper servers: roll NAMESPACE/STATEFULSET --zookeeper ...; maps tell of \
                 brokers (--bootstrap-server)"
                    .to_owned(),
            ));
        }
        let maps = session.map_set()?;
        let sets = maps.maps().iter().filter_map(|map| match &map.target {
            Target::StatefulSet { namespace, name } => Some(Ok(format!("{namespace}/{name}"))),
            // A StatefulSet may have the pool's name, and is another one.
            Target::KafkaNodePool { namespace, name } => {
                let (namespace, pool) = (namespace.clone(), name.clone());
                Some(Err(Error::NodePool { map: map.name.to_string(), namespace, pool }))
            }
            Target::Ids(_)
            | Target::All
            | Target::NumberOf { .. }
            | Target::InstanceType { .. }
            | Target::NodeLabels { .. } => None,
        });
        let sets = sets.collect::<Result<Vec<String>, Error>>()?;
        if sets.is_empty() {
            return Err(Error::flags(
                "roll needs StatefulSets: name them, or give maps that do (--maps)".to_owned(),
            ));
        }
        Ok(sets)
    }

    fn ways(&self) -> Ways {
        let terms = RollTerms {
            allow_unavailable: self.allow_unavailable,
            settle_seconds: self.settle.as_secs(),
            max_parallel: self.max_parallel,
        };
        Ways { terms, delete: self.delete, pod_timeout: self.pod_timeout }
    }

    fn next(&self, sight: &Sight) -> execute::roll::NextRestart {
        next(&sight.scene, &RollMemory::default(), &self.ways().terms)
    }

    fn plan(&self, sight: &Sight) -> RollPlan {
        let in_batches = self.max_parallel != MaxParallel::Pods(1);
        let batches = in_batches.then(|| batches(&sight.scene, &self.ways().terms));
        RollPlan::of(sight, &self.next(sight), batches)
    }

    /// The exit status; after an early end it names the command that continues.
    fn status(
        &self,
        rolled: &Rolled,
        since: Option<Timestamp>,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let status = match &rolled.why {
            RollEnd::Done => return Ok(Status::Done),
            RollEnd::Left(Signal::Interrupt) => Status::Interrupted,
            RollEnd::Left(Signal::Terminate) => Status::Terminated,
            RollEnd::Moving(_) if rolled.restarted.is_empty() => Status::Held,
            RollEnd::Moving(_) | RollEnd::Stuck(_) => Status::Partly,
        };
        let mut again = session.command_line();
        if let Some(since) = since.filter(|_| self.since.is_none()) {
            again.push(format!("--since={since}"));
        }
        session.say(&NextCommand::again(&again, "--yes", "--yes"))?;
        Ok(status)
    }
}

/// The servers of an ensemble, and the id of the Kafka cluster whose metadata they keep: one roll of either at a time.
async fn ensemble(place: &ZooKeeperPlace) -> Result<(ZooKeeperAddress, String), Error> {
    let zookeeper = live::zookeeper(place).await?;
    let cluster = zookeeper.cluster_id().await?.ok_or_else(|| {
        local::Error::flag(
            "--zookeeper",
            place.connect.clone(),
            "no Kafka cluster has its id there (/cluster/id): is a chroot missing?",
        )
    })?;
    Ok((zookeeper.address().clone(), cluster))
}

/// Marks a missing right at the Lease: the manifest of rolls grants it, perhaps for another Lease.
fn lease_rights(error: operate::Error) -> Error {
    match error {
        operate::Error::LockRights(error) => Beyond::LeaseRights(error).into(),
        other => other.into(),
    }
}

/// A controller with another strategy restarts pods without looking at Kafka.
fn refuse_other_strategies(sight: &Sight) -> Result<(), Error> {
    match sight.sets.iter().find(|set| set.strategy != "OnDelete") {
        Some(set) => {
            Err(Error::NotOnDelete { set: set.name.to_string(), strategy: set.strategy.clone() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_pods_is_at_least_one() {
        assert_eq!(max_parallel("3"), Ok(MaxParallel::Pods(3)));
        assert_eq!(max_parallel("auto"), Ok(MaxParallel::Auto));
        for text in ["0", "-1", "all", ""] {
            assert!(max_parallel(text).is_err(), "{text}");
        }
    }
}
