//! `broker ready`: whether the broker, controller or ZooKeeper server in this pod is ready, in one sentence. Exit code 0
//! or 1, so that it can be a probe; or over HTTP, once a period, with probes that cost the broker nothing.

use super::in_use::InUseNote;
use super::subject::{FoundSubject, ProbeAddress, ProbedServer, SubjectArgs};
use crate::error::Error;
use crate::live::views::ReadyView;
use crate::session::Session;
use console::units::duration;
use health::readiness::{ReadinessReports, ReadinessTerms, ReadinessVerdict, readiness};
use operate::Status;
use operate::http_server::{ServerNames, host_name};
use operate::probes::{
    Forces, Latest, Memory, answers, ask_broker, ask_controller, ask_zookeeper, serve,
};
use operate::runtime;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A controller that is further behind has not caught up.
const MAX_BEHIND_MS: u64 = 10_000;

/// The flags of `broker ready`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Allow this many partitions to be out of sync
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_lag_partitions: usize,
    /// Save the last answer in this file
    ///
    /// --cached repeats it. The probe also repeats it while the controller is away.
    #[arg(long, value_name = "FILE")]
    cache_file: Option<PathBuf>,
    /// Contact no server; repeat what the cache file says
    #[arg(long, requires = "cache_file")]
    cached: bool,
    /// Trust the cache file for at most this long
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    max_age: Duration,
    /// Check repeatedly, and serve GET /ready and /live here
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "cached")]
    listen: Option<String>,
    /// Accept requests to --listen under this name too; repeatable
    ///
    /// localhost and IP addresses are always accepted.
    #[arg(long, value_name = "NAME", requires = "listen", value_delimiter = ',', value_parser = host_name)]
    listen_host: Vec<String>,
    /// Note in this ConfigMap that the cluster is in use
    ///
    /// It must exist. The note (key `since`) is added as soon as the broker hosts a partition.
    #[arg(long, value_name = "[NAMESPACE/]NAME", requires = "listen")]
    in_use_configmap: Option<String>,
    /// Check this often with --listen
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    every: Duration,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    session.global.talk.log();
    if args.cached {
        return args.repeat(session);
    }
    let ProbeAddress { address, properties } = args.subject.address(session)?;
    let in_use = args.in_use_configmap.as_deref().map(InUseNote::new);
    let asked = Asked { args, address: &address, properties: properties.as_deref(), in_use };
    runtime::wait(async {
        match &args.listen {
            None => {
                let view = ReadyView::of(&asked.look(session).await?.0);
                session.show(&view)?;
                Ok(if view.ready { Status::Done } else { Status::NoPlan })
            }
            Some(listen) => {
                let latest = Latest::every(args.every);
                let names = ServerNames::of("--listen-host", &args.listen_host);
                tokio::select! {
                    ended = serve(listen, names, latest.clone()) => ended?,
                    ended = asked.again_and_again(&latest, session) => ended?,
                }
                Ok(Status::Done)
            }
        }
    })?
}

impl Args {
    /// What the cache file says, if it is not too old.
    fn repeat(&self, session: &mut Session<'_, '_>) -> Result<Status, Error> {
        let subject = self.subject.named(session)?;
        let path = self.cache_file.as_deref().unwrap_or(Path::new(""));
        let view = match Memory::read(path, &subject)? {
            None => ReadyView::unknown(format!("{} has no entry for {subject}", path.display())),
            Some(memory) => {
                let age = runtime::now_seconds().saturating_sub(memory.checked_at_seconds);
                match age > self.max_age.as_secs() {
                    true => ReadyView::unknown(format!("the last look is {age} s old")),
                    false => ReadyView { ready: memory.ready, sentence: memory.sentence },
                }
            }
        };
        session.show(&view)?;
        Ok(if view.ready { Status::Done } else { Status::NoPlan })
    }

    fn terms(&self) -> ReadinessTerms {
        ReadinessTerms {
            max_lagging: self.max_lag_partitions,
            max_age_seconds: self.max_age.as_secs(),
            max_behind_ms: MAX_BEHIND_MS,
        }
    }
}

/// The server to ask.
struct Asked<'a> {
    args: &'a Args,
    address: &'a str,
    properties: Option<&'a Path>,
    in_use: Option<InUseNote<'a>>,
}

impl Asked<'_> {
    async fn look(
        &self,
        session: &mut Session<'_, '_>,
    ) -> Result<(ReadinessVerdict, FoundSubject), Error> {
        let subject = self.args.subject.found(session).await?;
        let told = match (self.args.subject.role(), subject.broker) {
            (ProbedServer::Zookeeper, _) => ask_zookeeper(self.address, self.properties).await?,
            (ProbedServer::Broker, Some(id)) => {
                ask_broker(self.address, self.properties, id).await?
            }
            (ProbedServer::Controller, Some(id)) => {
                ask_controller(self.address, self.properties, id).await?
            }
            (_, None) => ReadinessReports::Silent { why: "its id is unknown".to_owned() },
        };
        if let Some(note) = &self.in_use {
            note.after(&told, session).await;
        }
        let Forces { found, broken } = self.args.subject.forces(&subject, session).await;
        for problem in broken {
            tracing::warn!(problem, "forces nothing");
        }
        let named = self.args.subject.named_as(&subject);
        let before = self.args.cache_file.as_deref().map(|path| Memory::read(path, &named));
        let before = before.transpose()?.flatten().and_then(|memory| memory.confirmed);
        let now = runtime::now_seconds();
        let verdict = readiness(&told, before.as_ref(), &found, now, &self.args.terms());
        if let Some(force) = &verdict.forced {
            tracing::warn!(subject = named, %force, truth = verdict.reason, "ready by force");
        }
        if let Some(path) = &self.args.cache_file {
            Memory::of(&named, &verdict, before, now).write(path)?;
        }
        Ok((verdict, subject))
    }

    /// Announces by an Event when force begins, changes and ends.
    async fn announce(
        &self,
        verdict: &ReadinessVerdict,
        found: &FoundSubject,
        told: &mut Option<String>,
        session: &Session<'_, '_>,
    ) {
        let now = verdict.forced.as_ref().map(ToString::to_string);
        if now == *told {
            return;
        }
        let (reason, note) = match &now {
            Some(force) => ("ReadyByForce", format!("{force}; in truth: {}", verdict.reason)),
            None => ("ReadyByForceOver", verdict.to_string()),
        };
        self.args.subject.announce(found, session, reason, &note).await;
        *told = now;
    }

    /// Checks in a loop. A check that fails is reported, and does not end the probe of a healthy broker.
    async fn again_and_again(
        &self,
        latest: &Latest,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        let (mut last, mut forced) = (None, None);
        loop {
            let ready = match self.look(session).await {
                Ok((verdict, found)) => {
                    self.announce(&verdict, &found, &mut forced, session).await;
                    (verdict.ready, verdict.to_string())
                }
                Err(error) => (false, format!("not ready: {error}")),
            };
            let live = match answers(self.address).await {
                Ok(address) => (true, format!("live: {address} answers")),
                Err(why) => (false, format!("not live: {why}")),
            };
            if last.as_ref() != Some(&ready.0) {
                session.say(&operate::events::Note::new(ready.1.clone()))?;
                last = Some(ready.0);
            }
            latest.tell(ready, live);
            tokio::time::sleep(self.args.every).await;
        }
    }
}
