//! `controllers add`, `remove` and `replace`: change the voters, one vote at a time.

use crate::error::Error;
use crate::live::flags::{ClaimArgs, ConsentArgs};
use crate::live::views::{Next as NextCommand, VotersPlan, VotersSummary};
use crate::session::Session;
use ::kubernetes::Kubernetes;
use console::units::duration;
use execute::controllers::{NextVoterChange, VotersGoal};
use kafka::admin::ControllerEndpoint;
use operate::Status;
use operate::controllers::{Controllers, ControllersReach, VotersEnd, VotersRun, preview};
use operate::execution::{Alone, Signal, Signals};
use std::path::PathBuf;
use std::time::Duration;

/// The flags about the listeners of controllers.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListenerArgs {
    /// Set the new voter's listener (CONTROLLER://HOST:9093); repeatable
    ///
    /// Default: the listeners that it has registered. The other controllers know them.
    #[arg(long, value_name = "ENDPOINT", value_delimiter = ',')]
    endpoint: Vec<ControllerEndpoint>,
    /// Reach the controllers with these client properties [default: --kafka-config]
    #[arg(long, value_name = "FILE")]
    controller_config: Option<PathBuf>,
}

/// The flags of all changes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TermArgs {
    /// Wait at most this long for each change
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    timeout: Duration,
    #[command(flatten)]
    claim: ClaimArgs,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(super) fn run(
    goal: VotersGoal,
    listeners: Option<&ListenerArgs>,
    terms: &TermArgs,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let (bootstrap, properties) = super::brokers(session)?;
    session.needs_consent(terms.consent)?;
    session.global.talk.clone().wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let own = listeners.and_then(|flags| flags.controller_config.clone());
        let endpoints = listeners.map(|flags| flags.endpoint.clone()).unwrap_or_default();
        let reach = ControllersReach { properties: own.or(properties), endpoints };
        let controllers = Controllers::of(client, reach);
        let (sight, next) = preview(&controllers, goal).await?;
        let plan = VotersPlan::of(&sight, goal, &next)?;
        if terms.consent.dry_run || next == NextVoterChange::Done {
            session.show(&plan)?;
            let done = next == NextVoterChange::Done;
            return Ok(if done { Status::Done } else { Status::Findings });
        }
        session.event(&plan)?;
        session.agrees(terms.consent, "Change the voters of the quorum? Type yes:", "yes")?;
        let mut signals = Signals::listen()?;
        let client = controllers.client();
        let cluster = client.cluster().id.clone().unwrap_or_default();
        let pods = namespace_of_rolls(session).await?;
        let claim = (&terms.claim.by(), None, pods.as_deref());
        let mut alone = Alone::take(client, &cluster, claim, &mut session.context()?).await?;
        let mut run = VotersRun::of((&controllers, &mut alone), goal, terms.timeout);
        let changed = run.run(&mut signals, session).await;
        alone.leave().await;
        let changed = changed?;
        session.result(&VotersSummary::of(&changed))?;
        status(&changed.why, session)
    })
}

/// The namespace where rolls claim the cluster, if the operator named Kubernetes.
async fn namespace_of_rolls(session: &Session<'_, '_>) -> Result<Option<String>, Error> {
    let flags = &session.global.kubernetes;
    if !flags.is_named() {
        return Ok(None);
    }
    let kubernetes = Kubernetes::connect(&flags.access(session.environment)).await?;
    Ok(Some(kubernetes.namespace().to_owned()))
}

/// The exit status; after an early end it names the command that continues.
fn status(why: &VotersEnd, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let status = match why {
        VotersEnd::Done => return Ok(Status::Done),
        VotersEnd::Left(Signal::Interrupt) => Status::Interrupted,
        VotersEnd::Left(Signal::Terminate) => Status::Terminated,
        VotersEnd::Stuck(_) => Status::Partly,
    };
    let again = session.command_line();
    session.say(&NextCommand::again(&again, "--yes", "--yes"))?;
    Ok(status)
}
