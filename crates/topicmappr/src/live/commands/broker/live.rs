//! `broker live`: whether the broker, controller or ZooKeeper server in this pod lives. Exit code 0 or 1.
//!
//! After a crash, a broker recovers its logs before it opens its port, which may take hours. With `--starting`, a
//! running process counts as alive too.

use super::subject::{ProbeAddress, ProbedServer, SubjectArgs};
use crate::error::Error;
use crate::live::views::LiveView;
use crate::session::Session;
use operate::Status;
use operate::probes::{answers, runs};
use operate::runtime;

/// The flags of `broker live`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Count a running process as alive before its port is open
    ///
    /// A broker may recover its logs for hours.
    #[arg(long)]
    starting: bool,
    /// Find the process by this text in its command line
    ///
    /// Default: kafka.Kafka, or QuorumPeerMain with ZooKeeper.
    #[arg(long, value_name = "TEXT", requires = "starting")]
    process: Option<String>,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    session.global.talk.log();
    let ProbeAddress { address, .. } = args.subject.address(session)?;
    let (live, reason) = match runtime::wait(answers(&address))? {
        Ok(address) => (true, format!("{address} answers")),
        Err(why) if args.starting => args.by_process(&why)?,
        Err(why) => (false, why),
    };
    session.show(&LiveView { live, reason })?;
    Ok(if live { Status::Done } else { Status::NoPlan })
}

impl Args {
    fn by_process(&self, why: &str) -> Result<(bool, String), Error> {
        let usual = match self.subject.role() {
            ProbedServer::Broker | ProbedServer::Controller => "kafka.Kafka",
            ProbedServer::Zookeeper => "QuorumPeerMain",
        };
        let text = self.process.as_deref().unwrap_or(usual);
        Ok(match runs(text).map_err(operate::Error::Runtime)? {
            Some(id) => (true, format!("process {id} starts; {why}")),
            None => (false, format!("no process has {text} in its command line; {why}")),
        })
    }
}
