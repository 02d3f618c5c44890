//! `broker init`: gives the broker in this pod its id and rack, and refuses a start that would erase the last copy of
//! a partition.

use super::gate::{self, Question};
use super::volume::Volume;
use crate::error::{Beyond, Error};
use crate::live::views::{Accepted, BrokerSettings, SettingsFormat};
use crate::session::Session;
use ::kubernetes::brokers::{BrokerPod, Rules, brokers};
use ::kubernetes::{Kubernetes, Name};
use console::units::duration;
use mapper::BrokerId;
use operate::Status;
use operate::cluster::{Servers, Source};
use operate::erasures::Erasures;
use operate::events::Note;
use operate::files::OutFile;
use operate::runtime;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The pauses between two questions to Kubernetes: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(15);

/// The flags of `broker init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read the broker's log dirs (log.dirs) at these mount paths
    #[arg(long, value_name = "DIR,...", value_delimiter = ',', required = true)]
    log_dirs: Vec<PathBuf>,
    /// Set the broker's pod
    ///
    /// Default: POD_NAMESPACE/POD_NAME, else --namespace and HOSTNAME.
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pod: Option<String>,
    /// Choose the form: server.properties lines, env file or shell exports
    #[arg(long, value_enum, value_name = "FORM", default_value = "properties")]
    format: SettingsFormat,
    /// Write the settings to this file [default: stdout]
    #[arg(long, value_name = "FILE")]
    out_file: Option<PathBuf>,
    /// Wait at most this long for Kubernetes and Kafka (10m)
    ///
    /// Default: for ever.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Use an empty disk without asking Kafka: the cluster is new
    #[arg(long)]
    bootstrap_new_cluster: bool,
    /// Ignore --bootstrap-new-cluster if this file exists
    ///
    /// It is a key of the ConfigMap in which `broker ready --in-use-configmap` notes that the cluster is in use.
    #[arg(long, value_name = "FILE", requires = "bootstrap_new_cluster")]
    in_use_file: Option<PathBuf>,
    /// Start with an empty disk even if this erases last copies
    #[arg(long)]
    accept_data_loss: bool,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    session.global.talk.log();
    let out = args.out_file.as_deref().map(OutFile::at).transpose()?;
    let servers = args.servers(session)?;
    let volume = Volume::read(&args.log_dirs)?;
    let began = Instant::now();
    let pod = args.own_pod(session, began)?;
    let id = identity(&volume, &pod)?;
    if let Some(servers) = servers.filter(|_| !volume.empty.is_empty()) {
        let patience = args.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        args.guard(
            &Question { broker: id, volume: &volume, servers: &servers, patience },
            session,
        )?;
    }
    if pod.rack.is_none() {
        session.say(&rackless(&pod))?;
    }
    let settings = BrokerSettings { id, rack: pod.rack.as_deref(), format: args.format };
    match out {
        Some(out) => {
            let text = settings.to_string();
            out.stage(|file| file.write_all(text.as_bytes()))?.publish()?;
        }
        None => session.show(&settings)?,
    }
    Ok(Status::Done)
}

impl Args {
    /// The servers to ask before an empty disk is used. Required at every start, so that the first start shows that
    /// they are missing.
    fn servers(&self, session: &Session<'_, '_>) -> Result<Option<Servers>, Error> {
        if self.bootstrap_new_cluster && !self.is_in_use()? {
            return Ok(None);
        }
        match session.global.source.source_if_any()? {
            Some(Source::Live(servers @ Servers::Kafka { .. })) => Ok(Some(servers)),
            _ => Err(Error::flags(
                "broker init needs --bootstrap-server, to ask Kafka before an empty disk is used; only the first \
                 start of a new cluster does without, by --bootstrap-new-cluster"
                    .to_owned(),
            )),
        }
    }

    /// Whether a broker of the cluster holds a partition, as far as the file of `--in-use-file` says.
    fn is_in_use(&self) -> Result<bool, Error> {
        let Some(path) = &self.in_use_file else { return Ok(false) };
        path.try_exists().map_err(|error| {
            local::Error::flag("--in-use-file", path.display().to_string(), error.to_string())
                .into()
        })
    }

    /// Refuses a start that would erase a last copy, or reports an accepted loss.
    fn guard(&self, question: &Question<'_>, session: &mut Session<'_, '_>) -> Result<(), Error> {
        let empty = question.volume.empty.clone();
        let erased = gate::erased(question, session)?;
        if erased.is_empty() {
            return Ok(());
        }
        let erasures = Erasures { broker: question.broker, empty, erased };
        if self.accept_data_loss {
            return session.say(&Accepted(&erasures));
        }
        Err(Beyond::WouldErase(Box::new(erasures)).into())
    }

    /// The pod that this runs in. Asks until Kubernetes answers.
    fn own_pod(&self, session: &mut Session<'_, '_>, began: Instant) -> Result<BrokerPod, Error> {
        let access = session.global.kubernetes.access(session.environment);
        let rules = Rules { pods_are_chosen: true, ..session.global.kubernetes.rules() };
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = runtime::wait(async {
                let kubernetes = Kubernetes::connect(&access).await?;
                let name = self.pod_name(session, kubernetes.namespace())?;
                let inventory = kubernetes.pod(&name).await?;
                Ok::<_, Error>((name, inventory))
            })?;
            let error = match asked {
                Ok((name, inventory)) => {
                    let mut found = brokers(&inventory, &rules, &BTreeSet::new()).pods.into_iter();
                    return found.find(|pod| pod.name == name).ok_or_else(|| not_a_broker(&name));
                }
                Err(Error::Live(Beyond::Operate(operate::Error::Kubernetes(error))))
                    if may_pass(&error) =>
                {
                    error
                }
                Err(error) => return Err(error),
            };
            if self.timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
                return Err(operate::Error::Kubernetes(error).into());
            }
            session.say(&Note::new(format!("Kubernetes is asked again: {error}")))?;
            std::thread::sleep(pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn pod_name(&self, session: &Session<'_, '_>, namespace: &str) -> Result<Name, Error> {
        let variable = |name| session.environment.get(name).filter(|value| !value.is_empty());
        let namespace = variable("POD_NAMESPACE").unwrap_or(namespace);
        match (&self.pod, variable("POD_NAME").or_else(|| variable("HOSTNAME"))) {
            (Some(pod), _) => Ok(Name::parsed(pod, namespace)),
            (None, Some(name)) => Ok(Name::new(namespace, name)),
            (None, None) => Err(Error::flags(
                "nothing tells which pod this is: set --pod, or POD_NAME from the pod's metadata.name".to_owned(),
            )),
        }
    }
}

/// The id in meta.properties counts, because the replicas on the disk belong to that broker. Another pod has the
/// wrong disk.
fn identity(volume: &Volume, pod: &BrokerPod) -> Result<BrokerId, Error> {
    match (&volume.owner, &pod.identity) {
        (Some((owner, path)), Ok(found)) if *owner != found.id => Err(Error::OthersDisk {
            owner: *owner,
            path: path.clone(),
            pod: pod.name.to_string(),
            id: found.id,
            by: found.by.to_string(),
        }),
        (Some((owner, _)), _) => Ok(*owner),
        (None, Ok(found)) => Ok(found.id),
        (None, Err(problem)) => Err(operate::Error::NoIdentity {
            pod: pod.name.to_string(),
            problem: problem.to_string(),
        }
        .into()),
    }
}

fn may_pass(error: &::kubernetes::Error) -> bool {
    match error {
        ::kubernetes::Error::Unreachable { .. } => true,
        ::kubernetes::Error::Refused { code, .. } => *code >= 500 || *code == 429,
        _ => false,
    }
}

fn not_a_broker(name: &Name) -> Error {
    let problem = "it is not the pod of a broker".to_owned();
    operate::Error::NoIdentity { pod: name.to_string(), problem }.into()
}

fn rackless(pod: &BrokerPod) -> Note {
    let node = pod.node.as_deref().unwrap_or("of the pod");
    Note {
        text: format!("node {node} has no zone: the broker gets no rack"),
        hint: Some("label the node, or name its label with --rack-labels".to_owned()),
    }
}
