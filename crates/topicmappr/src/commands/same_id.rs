//! `replace --same-id`: a lost broker comes back under its id with an empty disk. Guarded like its own start
//! (`broker init`), its pod freed, its copies paced, its leadership given back.

use crate::error::Error;
use crate::executing::{Observer, Places, Signal, Signals, refuse_below_ingest_of};
use crate::flags::{ConsentArgs, Servers, Source, duration, rate};
use crate::live;
use crate::returning::{CatchUp, Ended};
use crate::session::Session;
use crate::source::Note;
use crate::status::Status;
use crate::views::{Erasures, Next, PodPlan, SameIdPlan};
use ::kubernetes::fate::{Fate, Pin, Return};
use ::kubernetes::{Kubernetes, Name, NodeLoss};
use execute::Pace;
use kafka::{Client, Standing, Unsettled};
use mapper::{BrokerId, would_erase};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a cluster is given to tell one story, and between two questions.
const SETTLES: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
/// How long a broker that counts as live may take to answer.
const ANSWERS: Duration = Duration::from_secs(5);

/// The flags of `replace --same-id`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Under the same id")]
pub(super) struct SameIdArgs {
    /// The broker comes back under its own id, with an empty disk: this waits for it, paces what it copies, and elects it
    #[arg(long, conflicts_with_all = ["with"], requires = "broker")]
    pub(super) same_id: bool,
    /// With --same-id: bytes per second into the broker, and out of each other; none: as fast as the machines can
    #[arg(long, value_name = "RATE|none", value_parser = pace)]
    throttle: Option<Pace>,
    #[command(flatten)]
    consent: ConsentArgs,
    /// With --same-id: how long the broker may take to be registered
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    timeout: Duration,
    /// With --same-id: file of what is set in the cluster [default: topicmappr-CLUSTER_ID.ledger here]
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
}

fn pace(text: &str) -> Result<Pace, String> {
    match text.trim() {
        "none" => Ok(Pace::Unthrottled),
        text => rate(text).map(Pace::BytesPerSecond),
    }
}

/// What is known before anything is done.
struct Known {
    live: bool,
    partitions: usize,
    cluster_id: String,
}

pub(super) fn run(
    args: &SameIdArgs,
    broker: BrokerId,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let Some(pace) = args.throttle else {
        let message = "replace --same-id needs --throttle RATE, or --throttle none";
        return Err(Error::Flags(message.to_owned()));
    };
    session.needs_consent(args.consent)?;
    let (bootstrap, properties) = session.global.source.brokers()?;
    let talk = session.global.talk.clone();
    let known = live::wait_for(&talk, async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let known = known(&client, broker).await?;
        if let Pace::BytesPerSecond(rate) = pace {
            let seen = Observer::default().see(&client, &BTreeSet::new()).await?;
            refuse_below_ingest_of(&client, &seen, broker, rate, session).await?;
        }
        Ok(known)
    })?;
    let back = if known.live { None } else { pod_of(broker, &bootstrap, session)? };
    let rate = match pace {
        Pace::BytesPerSecond(rate) => Some(rate),
        Pace::Unthrottled | Pace::Auto => None,
    };
    let plan = SameIdPlan {
        broker,
        registered: known.live,
        partitions: known.partitions,
        rate_bytes_per_second: rate,
        pod: back.as_ref().map(PodPlan::of),
    };
    if args.consent.dry_run {
        session.show(&plan)?;
        let nothing = known.live && known.partitions == 0;
        return Ok(if nothing { Status::Done } else { Status::Findings });
    }
    session.event(&plan)?;
    session.agrees(args.consent, "Go on? Type yes:", "yes")?;
    let beside = Path::new("journal");
    let places = Places::of(beside, Some(beside), args.state_file.as_deref(), &known.cluster_id);
    let asked = CatchUp { broker, rate, ledger: places.ledger, patience: args.timeout };
    live::wait_for(&talk, async {
        let client = live::client(&bootstrap, properties.as_deref()).await?.0;
        let access = session.global.kubernetes.access(session.environment);
        let mut signals = Signals::listen()?;
        let free = async || match &back {
            Some(back) => free(back, &Kubernetes::connect(&access).await?).await,
            None => Ok(()),
        };
        let ended = asked.run(&client, free, &mut signals, session).await?;
        tell(ended, args, session)
    })
}

/// Whether it is there, and how much it has to copy; refuses to let it erase anything.
async fn known(client: &Client, broker: BrokerId) -> Result<Known, Error> {
    let cluster_id = client.cluster().id.clone().unwrap_or_default();
    let moving = client.reassignments().await?;
    if !moving.is_empty() {
        return Err(Error::OtherTools { partitions: moving.into_keys().collect() });
    }
    match settled(client, broker).await? {
        Standing::Settled(snapshot) => {
            let erased = would_erase(&snapshot, broker, &BTreeSet::new());
            let erased =
                erased.map_err(|untold| Error::Unproven { broker, problem: untold.to_string() })?;
            if !erased.is_empty() {
                let empty = vec![PathBuf::from("its new disk")];
                return Err(Error::WouldErase(Box::new(Erasures { broker, empty, erased })));
            }
            let partitions = snapshot.topics().iter().map(|topic| topic.partitions.len()).sum();
            Ok(Known { live: false, partitions, cluster_id })
        }
        Standing::Unsettled(Unsettled::Live(_)) => {
            let seen = Observer::default().see(client, &BTreeSet::new()).await?;
            let partitions = execute::catch_up::behind(&seen, broker).len();
            Ok(Known { live: true, partitions, cluster_id })
        }
        Standing::Unsettled(other) => {
            Err(Error::NoAnswer { waited: SETTLES, reason: other.to_string() })
        }
    }
}

/// A broker that died a moment ago leaves elections behind, and may itself still be counted as live: by whoever has not
/// heard of it yet, most of all where the controller died with it. It is live if it answers.
async fn settled(client: &Client, broker: BrokerId) -> Result<Standing, Error> {
    let began = Instant::now();
    loop {
        let told = match kafka::standing(client, broker).await? {
            Standing::Unsettled(Unsettled::Live(_)) => {
                match client.answers(broker, ANSWERS).await {
                    Ok(()) => return Ok(Standing::Unsettled(Unsettled::Live(broker))),
                    Err(error) => {
                        let problem = error.to_string();
                        Standing::Unsettled(Unsettled::Silent { broker, problem })
                    }
                }
            }
            told => told,
        };
        match told {
            Standing::Unsettled(why) if began.elapsed() < SETTLES => {
                tracing::info!(%why, "asking again");
                tokio::time::sleep(PAUSE).await;
            }
            told => return Ok(told),
        }
    }
}

/// Its pod, if Kubernetes is at hand.
fn pod_of(
    broker: BrokerId,
    bootstrap: &str,
    session: &mut Session<'_, '_>,
) -> Result<Option<Return>, Error> {
    let servers =
        Servers::Kafka { bootstrap: bootstrap.to_owned(), properties: None, metrics: None };
    let maps = session.map_set()?;
    let Some(pods) = session.pods(&maps, Some(&Source::Live(servers)))? else {
        session.say(&Note::new(format!(
            "Kubernetes is not asked (--context, --namespace or --kubeconfig name it): start broker {broker} yourself"
        )))?;
        return Ok(None);
    };
    match pods.fates(&[broker].into())?.pop() {
        Some((_, Fate::Returns(back))) => Ok(Some(back)),
        _ => Err(Error::Flags(format!(
            "no pod is broker {broker}: it does not come back under its id; replace --broker {broker} --with auto moves \
             its replicas to another"
        ))),
    }
}

/// Does what the commands say that are printed beforehand, in their order.
async fn free(back: &Return, kubernetes: &Kubernetes) -> Result<(), Error> {
    let mut pod_has_to_go = None;
    for pin in &back.pins {
        match pin {
            Pin::Node { loss: NodeLoss::Gone, .. } => pod_has_to_go = Some(true),
            Pin::Node { node, .. } => kubernetes.delete_node(node).await?,
            Pin::Volume { claim, .. } => {
                kubernetes.delete_claim(&Name::new(&back.pod.namespace, claim)).await?;
                pod_has_to_go.get_or_insert(false);
            }
            Pin::Scheduler { .. } => {}
        }
    }
    if let Some(force) = pod_has_to_go {
        kubernetes.delete_pod_named(&back.pod, force).await?;
    }
    Ok(())
}

fn tell(ended: Ended, args: &SameIdArgs, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let status = match ended {
        Ended::Done(done) => {
            session.result(&done)?;
            return Ok(Status::Done);
        }
        Ended::Left(Signal::Interrupt) => Status::Interrupted,
        Ended::Left(Signal::Terminate) => Status::Terminated,
        Ended::Absent => {
            let waited = args.timeout.as_secs();
            session.say(&Note::new(format!("the broker has not been registered in {waited} s")))?;
            Status::Partly
        }
    };
    session.say(&Note::new("the throttle stays for as long as replicas are copied"))?;
    session.say(&Next::again(&session.command_line(), "--yes", "--yes"))?;
    Ok(status)
}
