//! `heal`: replaces one broker that has been lost for long, as an operator would: `rebuild`, then `execute` with a
//! throttle. Made for a CronJob. It leaves every unusual state to people, and begins at most one heal a day.

use crate::error::Error;
use crate::facts::with_storage;
use crate::live::cli::run_words;
use crate::live::flags::SourceArgs;
use crate::live::views::HealView;
use crate::session::Session;
use console::units::{duration, rate, size};
use execute::heal::{ClusterFaults, HealTerms, HealVerdict, Notes, heal};
use health::ailments;
use mapper::{Bytes, Rate};
use operate::Status;
use operate::events::Note;
use operate::execution::journal_of;
use operate::files::FileError;
use operate::heal::{StoredNotes, announce};
use operate::live;
use operate::record_place::RecordPlace;
use operate::runtime;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The flags of `heal`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Limit copies into and out of each broker: 20MB/s
    #[arg(long, value_name = "RATE", value_parser = rate)]
    throttle: Rate,
    /// Leave a broker with more data than this to people
    #[arg(long, value_name = "BYTES", value_parser = size)]
    max_bytes: Bytes,
    /// Act only after a broker was lost for this long
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30m")]
    lost_for: Duration,
    /// Wait at least this long between two heals
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
    every: Duration,
    /// Record since when brokers are lost, and the last heal
    #[arg(long, value_name = "FILE|configmap:NS/NAME")]
    notes: RecordPlace,
    /// Keep the plan, journal and ledger of a heal here
    ///
    /// The folder must outlive the process.
    #[arg(long, value_name = "DIR", default_value = ".")]
    work_dir: PathBuf,
    /// Show what would be done, and change nothing
    ///
    /// The exit code is 5 if a broker is lost.
    #[arg(long)]
    dry_run: bool,
}

/// The result of a look.
struct HealLook {
    verdict: HealVerdict,
    notes: Notes,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    let talk = session.global.talk.clone();
    let plan = args.work_dir.join("heal.json");
    if journal_of(&plan, None).exists() && !args.dry_run {
        return args.carry_out(&plan, true, session);
    }
    let access = session.global.kubernetes.access(session.environment);
    let (place, looked) = talk.wait_for(async {
        let (place, before) = StoredNotes::open(&args.notes, &access).await?;
        let client = live::client(&bootstrap, properties.as_deref()).await?.0;
        let looked = args.look(&client, before, &session.global.source).await?;
        Ok((place, looked))
    })?;
    let view = HealView { verdict: &looked.verdict, dry_run: args.dry_run };
    session.event(&view)?;
    if args.dry_run {
        let well = matches!(looked.verdict, HealVerdict::Well);
        return Ok(if well { Status::Done } else { Status::Findings });
    }
    let heals = matches!(looked.verdict, HealVerdict::Heal { .. });
    let next = args.work_dir.join("heal.next.json");
    let planned = match heals {
        true => run_words(&args.plans(&next, session), session),
        false => Ok(Status::Done),
    };
    let begins = heals && matches!(planned, Ok(Status::Done));
    let seen = looked.notes;
    // Record it before the start, so that an interrupted heal does not begin again.
    let notes = if begins { seen.clone().begun() } else { seen.clone() };
    talk.wait_for(async {
        place.write(&notes, &access).await?;
        if let Some((reason, note)) = news(&looked.verdict, &planned) {
            announce(&args.notes, &access, reason, &note).await;
        }
        Ok(())
    })?;
    match looked.verdict {
        HealVerdict::Well | HealVerdict::Wait { .. } => Ok(Status::Done),
        HealVerdict::Hands { .. } => Ok(Status::Findings),
        HealVerdict::Heal { .. } if !begins => planned,
        HealVerdict::Heal { .. } => {
            // Only a run that has recorded its heal replaces the plan. Another run may still execute the old one.
            fs::rename(&next, &plan)
                .map_err(|problem| FileError::Write { path: plan.clone(), problem })?;
            let ended = args.carry_out(&plan, false, session);
            if !matches!(ended, Ok(Status::Done)) && !journal_of(&plan, None).exists() {
                args.take_back(&notes, &seen, session)?;
            }
            ended
        }
    }
}

/// What an Event tells, and its name; a cluster that is well is no news.
fn news(verdict: &HealVerdict, planned: &Result<Status, Error>) -> Option<(&'static str, String)> {
    let said = verdict.to_string().trim().to_owned();
    let reason = match (verdict, planned) {
        (HealVerdict::Well, _) => return None,
        (HealVerdict::Wait { .. }, _) => "BrokerLost",
        (HealVerdict::Hands { .. }, _) => "LeftToPeople",
        (HealVerdict::Heal { .. }, Ok(Status::Done)) => "Healing",
        (HealVerdict::Heal { broker, .. }, Ok(status)) => {
            let code = status.code();
            let note = format!("planning for broker {broker} ended with exit code {code}");
            return Some(("LeftToPeople", note));
        }
        (HealVerdict::Heal { broker, .. }, Err(error)) => {
            return Some(("LeftToPeople", format!("no plan for broker {broker}: {error}")));
        }
    };
    Some((reason, said))
}

impl Args {
    async fn look(
        &self,
        client: &kafka::Client,
        before: Notes,
        source: &SourceArgs,
    ) -> Result<HealLook, Error> {
        let captured = live::captured(client).await?;
        let cluster_id = client.cluster().id.clone().unwrap_or_default();
        if !before.cluster_id.is_empty() && before.cluster_id != cluster_id {
            return Err(operate::Error::OtherState {
                place: self.notes.to_string(),
                state: before.cluster_id,
                found: cluster_id,
            }
            .into());
        }
        let snapshot = with_storage(captured.snapshot, source)?;
        let mut found = ClusterFaults::of(&ailments(&snapshot));
        // A missing fact may be the problem.
        found.trouble.extend(
            captured.notices.iter().map(|notice| format!("not everything is told: {notice}")),
        );
        let now = runtime::now_seconds();
        let terms = HealTerms {
            lost_for_seconds: self.lost_for.as_secs(),
            max_bytes: self.max_bytes,
            every_seconds: self.every.as_secs(),
        };
        let (verdict, notes) = heal(&found, &before, now, &terms);
        Ok(HealLook { verdict, notes: Notes { cluster_id, ..notes } })
    }

    fn plans(&self, plan: &Path, session: &Session<'_, '_>) -> Vec<String> {
        let words = ["rebuild", "--topics", ".*", "--brokers", "-2", "--out-file"];
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.push(plan.display().to_string());
        words.extend(session.cluster_flags());
        words.extend(session.global.kubernetes.as_flags());
        let storage = session.global.source.broker_storage.as_ref();
        words.extend(storage.map(|storage| format!("--broker-storage={storage}")));
        words
    }

    /// Removes the record of a heal from the notes: the execution refused before it had a journal. Another run may have
    /// written notes in the meantime; they stay.
    fn take_back(
        &self,
        begun: &Notes,
        before: &Notes,
        session: &Session<'_, '_>,
    ) -> Result<(), Error> {
        let access = session.global.kubernetes.access(session.environment);
        session.global.talk.wait_for(async {
            let (place, found) = StoredNotes::open(&self.notes, &access).await?;
            match found.taken_back(begun, before) {
                Some(notes) => Ok(place.write(&notes, &access).await?),
                None => Ok(()),
            }
        })
    }

    /// Files of a heal that is over are removed: the next one begins anew.
    fn carry_out(
        &self,
        plan: &Path,
        resumes: bool,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let mut flags = vec![format!("--throttle={}B/s", self.throttle.0)];
        flags.extend(resumes.then(|| "--resume".to_owned()));
        let (status, done) = match run_words(&on_plan("execute", plan, flags, session), session) {
            // Copies that have not begun are no longer needed.
            Err(Error::Returned { brokers }) => {
                let ids = mapper::joined(brokers.keys());
                let back = format!("broker {ids} is back: the heal is cancelled");
                session.say(&Note::new(&back))?;
                let status = run_words(&on_plan("cancel", plan, Vec::new(), session), session)?;
                (status, ("HealCancelled", back))
            }
            ended => {
                (ended?, ("Healed", "the replicas of the lost broker are on others".to_owned()))
            }
        };
        let unfinished = |status: Status| {
            let code = status.code();
            let note = format!("it ended with exit code {code}; the next run goes on with it");
            ("HealUnfinished", note)
        };
        let (reason, note) = if status == Status::Done { done } else { unfinished(status) };
        let access = session.global.kubernetes.access(session.environment);
        let told = announce(&self.notes, &access, reason, &note);
        session.global.talk.clone().wait_for(async {
            told.await;
            Ok(())
        })?;
        if status == Status::Done {
            // Remove the journal first: the next heal replaces a plan that has no journal.
            for path in [journal_of(plan, None), plan.to_owned()] {
                // If the file stays, the next run finds a finished heal.
                let _ = fs::remove_file(path);
            }
        }
        Ok(status)
    }
}

/// A command line about the plan of a heal, in the same cluster.
fn on_plan(
    command: &str,
    plan: &Path,
    flags: Vec<String>,
    session: &Session<'_, '_>,
) -> Vec<String> {
    let mut words = vec![command.to_owned(), plan.display().to_string(), "--yes".to_owned()];
    words.extend(flags);
    words.extend(session.cluster_flags());
    words.extend(session.global.kubernetes.as_flags());
    words
}
