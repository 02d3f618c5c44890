//! `replace --same-id`: a lost broker comes back under its id with an empty disk. The command checks the start like
//! `broker init`, frees the pod, throttles the copies, and elects the broker again.

use crate::error::{Beyond, Error};
use crate::live::flags::{ClaimArgs, ConsentArgs};
use crate::live::views::{Next, PodPlan, SameIdPlan};
use crate::session::Session;
use ::kubernetes::fate::{Fate, NotLost};
use console::units::{duration, rate};
use execute::Pace;
use health::would_erase;
use kafka::{Client, Standing, Unsettled};
use mapper::BrokerId;
use operate::Status;
use operate::cluster::{Servers, Source};
use operate::erasures::Erasures;
use operate::events::Note;
use operate::execution::{Alone, Observer, Places, Signal, Signals, refuse_below_ingest_of};
use operate::live;
use operate::runtime;
use operate::same_id::{Account, CatchUp, CatchUpEnd, Freeing};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long brokers may disagree about a death, and the pause between two questions.
const SETTLES: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
/// How long a broker that counts as live may take to answer.
const ANSWERS: Duration = Duration::from_secs(5);

/// The flags of `replace --same-id`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Under the same id")]
pub(super) struct SameIdArgs {
    /// Bring back a broker under its own id with an empty disk
    ///
    /// The command waits for the broker, throttles what it copies, and then elects it as leader again.
    #[arg(long, conflicts_with_all = ["with"], requires = "broker")]
    pub(super) same_id: bool,
    /// Limit the copies of --same-id to this rate (bytes per second)
    ///
    /// The rate limits what goes into the broker, and what each other broker sends. none: no throttle.
    #[arg(long, value_name = "RATE|none", value_parser = pace)]
    throttle: Option<Pace>,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Wait this long until the broker is registered (--same-id)
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    timeout: Duration,
    /// Count a node as lost after this silence (--same-id)
    ///
    /// The time runs from the last change of its Ready condition to the API server's own time.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    lost_for: Duration,
    #[command(flatten)]
    claim: ClaimArgs,
    /// Keep the ledger of the cluster in this file (--same-id)
    ///
    /// Default: topicmappr-CLUSTER_ID.ledger in the current folder.
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
}

fn pace(text: &str) -> Result<Pace, String> {
    match text.trim() {
        "none" => Ok(Pace::Unthrottled),
        text => rate(text).map(Pace::BytesPerSecond),
    }
}

/// The state before any change.
struct BrokerBefore {
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
        return Err(Error::flags(message));
    };
    session.needs_consent(args.consent)?;
    let (bootstrap, properties) = session.global.source.brokers()?;
    let talk = session.global.talk.clone();
    let known = talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let known = known(&client, broker).await?;
        if let Pace::BytesPerSecond(rate) = pace {
            let seen = Observer::default().see(&client, &BTreeSet::new()).await?;
            refuse_below_ingest_of(&client, &seen, broker, rate, &mut session.context()?).await?;
        }
        Ok(known)
    })?;
    let found = if known.live { None } else { pod_of(args, broker, &bootstrap, session)? };
    let (freeing, not_lost) = found.unzip();
    let not_lost = not_lost.flatten();
    let rate = match pace {
        Pace::BytesPerSecond(rate) => Some(rate),
        Pace::Unthrottled | Pace::Auto => None,
    };
    let plan = SameIdPlan {
        broker,
        registered: known.live,
        partitions: known.partitions,
        rate_bytes_per_second: rate,
        pod: freeing.as_ref().map(|freeing| PodPlan::of(&freeing.back, not_lost.as_ref())),
    };
    if args.consent.dry_run {
        session.show(&plan)?;
        let nothing = known.live && known.partitions == 0;
        return Ok(if nothing { Status::Done } else { Status::Findings });
    }
    session.event(&plan)?;
    if let Some(why) = not_lost {
        return Err(Error::NotLost { broker, why: why.to_string() });
    }
    session.agrees(args.consent, "Go on? Type yes:", "yes")?;
    let beside = Path::new("journal");
    let places = Places::of(beside, Some(beside), args.state_file.as_deref(), &known.cluster_id);
    let asked = CatchUp { broker, rate, ledger: places.ledger, patience: args.timeout };
    talk.wait_for(async {
        let client = live::client(&bootstrap, properties.as_deref()).await?.0;
        let free = freeing.as_ref().filter(|freeing| !freeing.back.steps.is_empty());
        let pods = free.map(|freeing| freeing.back.pod.namespace.as_str());
        let account = Account::open(&asked.ledger)?;
        let claim = args.claim.by();
        let terms = (&claim, Some(asked.ledger.as_path()), pods);
        let mut alone =
            Alone::take(&client, &known.cluster_id, terms, &mut session.context()?).await?;
        let ended = go_on(&asked, &client, account, (&mut alone, free), session).await;
        alone.leave().await;
        tell(ended?, args, session)
    })
}

/// Continues with the cluster claimed. The answer at the terminal may have taken minutes, so the state is read again
/// before anything is set.
async fn go_on(
    asked: &CatchUp,
    client: &Client,
    account: Account,
    (alone, free): (&mut Alone, Option<&Freeing>),
    session: &mut Session<'_, '_>,
) -> Result<CatchUpEnd, Error> {
    let mut signals = Signals::listen()?;
    if let Some(free) = free {
        free.is_justified(client).await?;
    }
    let mut context = session.context()?;
    Ok(asked.run(client, account, (alone, free), &mut signals, &mut context).await?)
}

/// Reads whether the broker is registered, and how much it has to copy. Refuses a start that would erase a last copy.
async fn known(client: &Client, broker: BrokerId) -> Result<BrokerBefore, Error> {
    let cluster_id = client.cluster().id.clone().unwrap_or_default();
    let moving = client.reassignments().await?;
    if !moving.is_empty() {
        return Err(Error::OtherTools { partitions: moving.into_keys().collect() });
    }
    match settled(client, broker).await? {
        Standing::Settled(snapshot) => {
            let erased = would_erase(&snapshot, broker, &BTreeSet::new());
            let erased = erased.map_err(|untold| {
                Error::from(operate::Error::Unproven { broker, problem: untold.to_string() })
            })?;
            if !erased.is_empty() {
                let empty = vec![PathBuf::from("its new disk")];
                return Err(Beyond::WouldErase(Box::new(Erasures { broker, empty, erased })).into());
            }
            let partitions = snapshot.topics().iter().map(|topic| topic.partitions.len()).sum();
            Ok(BrokerBefore { live: false, partitions, cluster_id })
        }
        Standing::Unsettled(Unsettled::Live(_)) => {
            let seen = Observer::default().see(client, &BTreeSet::new()).await?;
            let partitions = execute::catch_up::behind(&seen, broker).len();
            Ok(BrokerBefore { live: true, partitions, cluster_id })
        }
        Standing::Unsettled(other) => {
            Err(operate::Error::NoAnswer { waited: SETTLES, reason: other.to_string() }.into())
        }
    }
}

/// Waits until the cluster has noticed the death of a broker. Elections may still run, and brokers may still report
/// it as live, above all if the controller died with it. A broker that answers is live.
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

/// The commands that free its pod, and what forbids them now, if Kubernetes can be asked.
fn pod_of(
    args: &SameIdArgs,
    broker: BrokerId,
    bootstrap: &str,
    session: &mut Session<'_, '_>,
) -> Result<Option<(Freeing, Option<NotLost>)>, Error> {
    let servers =
        Servers::Kafka { bootstrap: bootstrap.to_owned(), properties: None, metrics: None };
    let maps = session.map_set()?;
    let Some(pods) = session.found_pods(&maps, Some(&Source::Live(servers)))? else {
        session.say(&Note::new(format!(
            "Kubernetes is not asked (--context, --namespace or --kubeconfig name it): start broker {broker} yourself"
        )))?;
        return Ok(None);
    };
    let search = pods.search().clone();
    let (fate, time) = runtime::wait(async {
        let fate = search.fate(broker).await?;
        Ok::<_, Error>((fate, search.connect().await?.server_time().await?))
    })??;
    let Fate::Returns(back) = fate else {
        return Err(Error::flags(format!(
            "no pod is broker {broker}: it does not come back under its id; replace --broker {broker} --with auto moves \
             its replicas to another"
        )));
    };
    let not_lost = back.not_lost(time, args.lost_for);
    Ok(Some((Freeing { broker, back, search, lost_for: args.lost_for }, not_lost)))
}

fn tell(
    ended: CatchUpEnd,
    args: &SameIdArgs,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let status = match ended {
        CatchUpEnd::Done(done) => {
            session.result(&done)?;
            return Ok(Status::Done);
        }
        CatchUpEnd::Left(Signal::Interrupt) => Status::Interrupted,
        CatchUpEnd::Left(Signal::Terminate) => Status::Terminated,
        CatchUpEnd::Absent => {
            let waited = args.timeout.as_secs();
            session.say(&Note::new(format!("the broker has not been registered in {waited} s")))?;
            Status::Partly
        }
    };
    session.say(&Note::new("the throttle stays for as long as replicas are copied"))?;
    session.say(&Next::again(&session.command_line(), "--yes", "--yes"))?;
    Ok(status)
}
