//! `keep`: looks at a cluster again and again, proposes plans by a policy, and carries out those that the policy or an
//! operator allows. One at a time, each by `execute` with a throttle.

mod canary;
mod carry_out;
mod certificates;
mod ended;
mod outlook;
mod page;
pub(super) mod policy_file;
mod proposals;
pub(super) mod webhook;

use crate::commands::scope::PlanScope;
use crate::error::Error;
use crate::facts::Facts;
use crate::live::views::KeepView;
use crate::load_folder::KnownHistory;
use crate::session::Session;
use canary::SlowClientsArgs;
use console::units::seconds;
use execute::keep::{
    BegunPlan, ClusterFaults, KeepLook, KeepNotes, KeepPolicy, Need, Proposal, ProposalState, keep,
};
use health::ailments;
use local::files;
use local::maps::Maps;
use mapper::Snapshot;
use metrics::Event;
use operate::Status;
use operate::cluster::ClusterAccess;
use operate::events::Note;
use operate::execution::{end_by_signals, journal_of, read_plan};
use operate::keep::{KeepRecord, ReadAnswers, StoredRecord, announce, answered, answers, show};
use operate::keep_page::{KeepPage, ShownLook};
use operate::record_place::RecordPlace;
use operate::{exported, runtime};
use page::PageArgs;
use proposals::Planning;
use std::borrow::Cow;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use webhook::{WebhookArgs, approval};

/// The flags of `keep`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read what is allowed from this YAML file
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Record what was seen, proposed and done
    #[arg(long, value_name = "FILE|configmap:NS/NAME|state-topic")]
    notes: RecordPlace,
    /// Keep plans, journal and ledger here
    ///
    /// The folder must outlive the process.
    #[arg(long, value_name = "DIR", default_value = ".")]
    work_dir: PathBuf,
    /// Expect sizes from the records in this folder, for filling disks
    ///
    /// snapshot --load-folder writes them, each hour.
    #[arg(long, value_name = "DIR")]
    load_folder: Option<PathBuf>,
    /// Look again after this time; without it, look once
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    every: Option<Duration>,
    #[command(flatten)]
    canary: SlowClientsArgs,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
    /// Show what would be done, and change nothing
    ///
    /// The exit code is 5 if something would be proposed or done.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    session.global.source.brokers()?;
    args.webhook.check()?;
    args.canary.open()?;
    let mut policy = args.policy()?;
    let every = args.every.filter(|_| !args.dry_run);
    if every.is_some() {
        // An execution handles signals. After it, they end this process again.
        end_by_signals()?;
    }
    let page = args.page.serve(&args.notes, args.canary.url(), session)?;
    let mut kept = BetweenLooks { history: KnownHistory::default(), page };
    loop {
        let looked = args.look_and_act(&policy, &mut kept, session);
        let Some(pause) = every else { return looked.map(|it| it.status) };
        match looked {
            Ok(LookEnd { status: status @ (Status::Interrupted | Status::Terminated), .. }) => {
                return Ok(status);
            }
            // The next look sees at once whether the need is gone.
            Ok(LookEnd { status: Status::Done, acts: true, .. }) => {}
            Ok(end) => args.pause(pause, end.read, &kept, session)?,
            Err(error) => {
                // Nothing has begun, or its journal says how far it is. The next look sees what is so.
                exported::look_failed();
                kept.page.iter().for_each(|page| page.failed(error.to_string()));
                session.say(&Note::new(format!("this look failed: {error}")))?;
                args.pause(pause, None, &kept, session)?;
            }
        }
        match args.policy() {
            Ok(changed) => policy = changed,
            Err(error) => {
                session.say(&Note::new(format!("the policy stays as it was: {error}")))?
            }
        }
    }
}

/// What stays from look to look.
struct BetweenLooks {
    history: KnownHistory,
    /// The page, if it is served.
    page: Option<Arc<KeepPage>>,
}

/// How a look ended.
struct LookEnd {
    status: Status,
    /// Whether a plan was carried out.
    acts: bool,
    /// What operators had said, if that is as before.
    read: Option<ReadAnswers>,
}

/// The record of the last look, and what operators have said since.
struct Before {
    place: StoredRecord,
    record: KeepRecord,
    read: ReadAnswers,
}

impl Args {
    fn policy(&self) -> Result<KeepPolicy, Error> {
        let policy = policy_file::read(&self.policy)?;
        match policy.looks_ahead_days().is_some() && self.load_folder.is_none() {
            true => Err(Error::flags("the policy fillingDisk needs --load-folder DIR")),
            false => Ok(policy),
        }
    }

    fn look_and_act(
        &self,
        policy: &KeepPolicy,
        kept: &mut BetweenLooks,
        session: &mut Session<'_, '_>,
    ) -> Result<LookEnd, Error> {
        let plan = self.plan();
        if journal_of(&plan, None).exists() && !self.dry_run {
            let status = self.go_on(&plan, policy, session)?;
            return Ok(LookEnd { status, acts: true, read: None });
        }
        let began = Instant::now();
        let (mut facts, maps) = session.facts_with_maps()?;
        if policy.nodes_leave {
            cordon_nodes(&mut facts)?;
        }
        let Before { place, record: before, read } = self.before(session)?;
        let cluster_id = facts.snapshot.cluster_id().unwrap_or_default().to_owned();
        self.refuse_another(&before, &cluster_id)?;
        let before = KeepRecord { notes: self.without_unbegun(before.notes), ..before };
        let later = self.later(&facts.snapshot, policy, &mut kept.history, session)?;
        let clusters = (&facts.snapshot, later.as_ref());
        let mut look = self.look(&facts, clusters.1, &maps, &before, policy)?;
        look.needs.extend(self.certificates(policy, session)?);
        look.faults.slow = self.canary.slow(session)?;
        let (proposals, mut notes) = keep(&look, &before.notes, &read.answers, policy);
        notes.cluster_id = cluster_id;
        exported::looked(&proposals, began.elapsed());
        if let Some(page) = &kept.page {
            let look = ShownLook::of(clusters, policy, (&proposals, &notes), &read.answers);
            self.show(page, look, &proposals, clusters);
        }
        session.event(&KeepView { proposals: &proposals, dry_run: self.dry_run })?;
        let status = if proposals.is_empty() { Status::Done } else { Status::Findings };
        let found = |read| Ok(LookEnd { status, acts: false, read: Some(read) });
        if self.dry_run {
            return found(read);
        }
        let begins = proposals.iter().find(|it| it.state == ProposalState::Begins).cloned();
        let record = KeepRecord { notes, proposals };
        let access = session.access_to(&self.notes)?;
        // Record it before the start, so that an interrupted plan does not begin again. Nothing that can fail comes between:
        // a plan that is noted and does not begin would count against the policy.
        session.global.talk.wait_for(async {
            show(&self.notes, &record.proposals, &read, &access).await?;
            place.write(&record, &access).await?;
            for proposal in news(&before.proposals, &record.proposals) {
                self.tell(&access, &record.notes.cluster_id, proposal).await;
            }
            Ok(())
        })?;
        let Some(proposal) = begins else { return found(read) };
        // Only a run that has recorded its plan replaces the last one. Another run may still execute that.
        files::rename(&self.proposed(&proposal.need), &plan)?;
        let status = self.begin(&plan, &proposal, policy, session)?;
        Ok(LookEnd { status, acts: true, read: None })
    }

    /// Tells operators about a proposal: by an Event, and by the webhook if they have to do something, or a plan begins.
    async fn tell(&self, access: &ClusterAccess, cluster_id: &str, proposal: &Proposal) {
        let (reason, mut text) = (reason(&proposal.state), proposal.to_string());
        announce(&self.notes, access, reason, &text).await;
        let plan = proposal.plan.as_ref().map(|plan| plan.plan_id.as_str());
        match &proposal.state {
            ProposalState::Young { .. } | ProposalState::Held { .. } => return,
            ProposalState::ForApproval => {
                text.push('\n');
                text.push_str(&approval(plan.unwrap_or_default(), &self.notes, access));
            }
            ProposalState::ByHand { .. } | ProposalState::Begins => {}
        }
        let tags = tags(cluster_id, plan);
        self.webhook.tell(Event { title: reason.to_owned(), text, tags }).await;
    }

    /// Waits for the next look; an answer of an operator ends the wait.
    fn pause(
        &self,
        pause: Duration,
        read: Option<ReadAnswers>,
        kept: &BetweenLooks,
        session: &Session<'_, '_>,
    ) -> Result<(), Error> {
        let access = session.access_to(&self.notes)?;
        session.global.talk.wait_for(async {
            let elsewhere = async {
                // What was said during the look counts, too.
                let read = match read {
                    Some(read) => Ok(read),
                    None => answers(&self.notes, &access).await,
                };
                match read {
                    Ok(read) => answered(&self.notes, &read, &access).await,
                    Err(_) => pending().await,
                }
            };
            let on_the_page = async {
                match &kept.page {
                    Some(page) => page.answered().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = elsewhere => {}
                () = on_the_page => {}
                () = sleep(pause) => {}
            }
            Ok(())
        })
    }

    /// The file of the plan that is carried out.
    fn plan(&self) -> PathBuf {
        self.work_dir.join("keep.json")
    }

    /// The file of the plan for a need.
    fn proposed(&self, need: &Need) -> PathBuf {
        proposals::path(&self.proposals(), need)
    }

    fn proposals(&self) -> PathBuf {
        self.work_dir.join("keep").join("proposed")
    }

    fn before(&self, session: &Session<'_, '_>) -> Result<Before, Error> {
        let access = session.access_to(&self.notes)?;
        session.global.talk.wait_for(async {
            let (place, record) = StoredRecord::open::<KeepRecord>(&self.notes, &access).await?;
            let read = answers(&self.notes, &access).await?;
            Ok(Before { place, record, read })
        })
    }

    /// What is to see of the cluster, with a plan for each need.
    fn look(
        &self,
        facts: &Facts,
        later: Option<&Snapshot>,
        maps: &Maps,
        before: &KeepRecord,
        policy: &KeepPolicy,
    ) -> Result<KeepLook, Error> {
        let at_seconds = runtime::now_seconds();
        let writes = !self.dry_run;
        let planning = Planning {
            facts,
            later,
            policy,
            scope: PlanScope::of_cluster(&facts.snapshot, maps)?,
            ended: ended::plans(&self.work_dir, &self.plan(), &before.notes, at_seconds, writes)?,
            folder: self.proposals(),
            writes,
        };
        let mut faults = ClusterFaults::of(&ailments(&facts.snapshot));
        // A missing fact may be the problem.
        let missing = facts.notes.iter();
        faults.other.extend(missing.map(|note| format!("not everything is told: {}", note.text)));
        Ok(KeepLook { at_seconds, needs: planning.seen()?, faults })
    }

    /// The notes without a plan that is still a proposal: after the note, this process ended before it began.
    fn without_unbegun(&self, notes: KeepNotes) -> KeepNotes {
        let mut open = notes.begun.iter().filter(|plan| plan.ended_seconds.is_none());
        let is_proposed = |plan: &&BegunPlan| {
            read_plan(&self.proposed(&plan.need)).is_ok_and(|(_, id)| id == plan.plan_id)
        };
        match open.find(is_proposed).map(|plan| plan.plan_id.clone()) {
            Some(id) => notes.without(&id),
            None => notes,
        }
    }

    fn refuse_another(&self, before: &KeepRecord, found: &str) -> Result<(), Error> {
        let state = &before.notes.cluster_id;
        if state.is_empty() || state == found {
            return Ok(());
        }
        let (place, state, found) = (self.notes.to_string(), state.clone(), found.to_owned());
        Err(operate::Error::OtherState { place, state, found }.into())
    }
}

/// Cordons the brokers on cordoned nodes, so that no plan gives them a replica.
fn cordon_nodes(facts: &mut Facts) -> Result<(), Error> {
    if facts.pods.is_none() {
        let why = "leavingBroker has nodes: true, and no pods are known: add --namespace NAMESPACE";
        return Err(Error::flags(why));
    }
    if let Cow::Owned(cordoned) = facts.snapshot.with_nodes_cordons() {
        facts.snapshot = cordoned;
    }
    Ok(())
}

/// The proposals whose state is another one than at the last look.
fn news<'p>(before: &[Proposal], now: &'p [Proposal]) -> Vec<&'p Proposal> {
    let same = |a: &ProposalState, b: &ProposalState| match (a, b) {
        (ProposalState::Young { .. }, ProposalState::Young { .. }) => true,
        (a, b) => a == b,
    };
    let known = |it: &&Proposal| {
        let last = before.iter().find(|other| other.need == it.need);
        last.is_some_and(|last| same(&last.state, &it.state))
    };
    now.iter().filter(|it| !known(it)).collect()
}

/// The tags of an event about a cluster, and about a plan for it.
fn tags(cluster_id: &str, plan_id: Option<&str>) -> Vec<String> {
    let plan = plan_id.map(|id| format!("plan:{}", id.trim_start_matches("sha256:")));
    [format!("cluster:{cluster_id}")].into_iter().chain(plan).collect()
}

/// The name of an Event.
fn reason(state: &ProposalState) -> &'static str {
    match state {
        ProposalState::Young { .. } => "NeedSeen",
        ProposalState::Held { .. } => "PlanHeld",
        ProposalState::ByHand { .. } => "NeedsOperator",
        ProposalState::ForApproval => "PlanProposed",
        ProposalState::Begins => "PlanBegins",
    }
}
