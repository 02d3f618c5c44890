//! `replace`: every replica of one broker goes to one other, and nothing else moves.

use crate::error::Error;
use crate::flags::{PlanningArgs, StepArgs, TopicArgs, refuse_unknown};
use crate::planning::{self, Outputs, Planned};
use crate::session::Session;
use local::Status;
use mapper::{BrokerId, RackRule, Replace, Request, Snapshot, TopicSelection};

/// The flags of `replace`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Replace this broker, which may be lost already
    #[arg(long, value_name = "ID")]
    pub(crate) broker: Option<BrokerId>,
    /// Use this broker instead; auto: the empty broker of its rack
    #[arg(long, value_name = "ID|auto")]
    with: Option<String>,
    #[command(flatten)]
    topics: TopicArgs,
    #[command(flatten)]
    steps: StepArgs,
    #[command(flatten)]
    planning: PlanningArgs,
}

pub(crate) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let outputs = Outputs::find(&args.planning)?;
    let (facts, _) = session.facts_with_maps()?;
    let request = args.request(&facts.snapshot)?;
    let planned = Planned {
        plan: planning::plan(&facts.snapshot, &Request::Replace(request))
            .map_err(|error| planning::with_lost(error, &facts))?,
        placement: None,
        findings: Vec::new(),
        unmapped: Vec::new(),
    };
    planning::finish(planned, facts, &args.planning, outputs, session)
}

impl Args {
    fn request(&self, snapshot: &Snapshot) -> Result<Replace, Error> {
        let needs = |flag: &str| Error::flags(format!("replace needs {flag}"));
        let outgoing = self.broker.ok_or_else(|| needs("--broker ID"))?;
        let with = self.with.as_deref();
        let with = with.ok_or_else(|| needs("--with ID, or --with auto"))?;
        refuse_unknown(snapshot, [&outgoing])?;
        let incoming = if with == "auto" {
            mapper::incoming_for(snapshot, outgoing)?
        } else {
            incoming(with)?
        };
        refuse_unknown(snapshot, [&incoming])?;
        if incoming == outgoing {
            let message = format!("broker {outgoing} cannot replace itself");
            return Err(Error::flags(message));
        }
        let topics = self.topics(snapshot)?;
        let headroom = self.planning.storage_headroom;
        let mut request = Replace::new(topics, outgoing, incoming, RackRule::Spread, headroom);
        request.terms.pacing = self.steps.pacing();
        request.terms.ignore_cordons = self.planning.ignore_cordons;
        Ok(request)
    }

    fn topics(&self, snapshot: &Snapshot) -> Result<TopicSelection, Error> {
        let scope = self.topics.scope(Some(".*"))?;
        let names: Vec<&str> = snapshot.topics().iter().map(|topic| topic.name.as_str()).collect();
        if self.topics.chooses_all() || names.is_empty() {
            return Ok(TopicSelection::Rest);
        }
        scope.select(&names)?;
        Ok(TopicSelection::Matching(scope))
    }
}

fn incoming(with: &str) -> Result<BrokerId, Error> {
    with.parse()
        .map_err(|_| Error::from(local::Error::flag("--with", with, "write a broker id, or auto")))
}
