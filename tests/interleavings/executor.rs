//! An execution: the order of its steps is that of `operate::execution`. What decides is the shipped code.

use crate::daemon::words;
use crate::process::{Lost, Process, SOON};
use crate::world::{Role, Wrote};
use execute::{
    Abandoned, Action, Aim, ExecutionHistory, ExecutionOutcome, ExecutionTerms, JournalEntry,
    Ledger, LedgerEntry, MoveState, Others, Pace, Seen, Settling, Stray, Task, next,
    records_what_stands,
};
use mapper::Plan;
use operate::execution::adopted;
use operate::ledger_records;

/// The pause after lists have changed, after another change, and without one.
const SPREAD: u64 = 3_000;
const AFTER_CHANGE: u64 = 250;
const PAUSE: u64 = 1_000;
/// The shortest time between two reads of the daemons' ledger for the owner of a value.
const OFTEN: u64 = 10_000;

pub struct Executor {
    process: Process,
    /// The machine whose file it has: a new one has a number once it leads.
    machine: usize,
    plan: Plan,
    plan_id: String,
    history: ExecutionHistory,
    ledger: Ledger,
    settling: Settling,
    abandoned: Abandoned,
    /// The daemons' ledger as it was read last, and when.
    met: Others,
    read: u64,
    asks: bool,
    term: u32,
    leaving: bool,
}

/// What a round has done.
#[derive(Default)]
struct Acted {
    changed: bool,
    lists_changed: bool,
    begun: bool,
    outcome: Option<ExecutionOutcome>,
}

pub async fn execution(process: Process, is_new: bool) {
    process.step("begins").await;
    let mut run = Executor::new(process, is_new);
    if run.runs().await.is_ok() {
        run.process.step("gives the lead back").await;
        let _ = run.mirrors();
        run.process.leaves();
    }
}

impl Executor {
    fn new(process: Process, is_new: bool) -> Self {
        let mut world = process.world();
        let machine = (!is_new).then(|| world.files.len() - 1);
        let plan = world.plan();
        let plan_id = format!("plan {}", world.plans);
        let ledger = machine.map(|machine| world.files[machine].clone()).unwrap_or_default();
        let history = ExecutionHistory::replay(world.journal.clone());
        drop(world);
        Self {
            process,
            machine: machine.unwrap_or(usize::MAX),
            plan,
            plan_id,
            history,
            ledger,
            settling: Settling::default(),
            abandoned: Abandoned::default(),
            met: Others::None,
            read: 0,
            asks: false,
            term: 0,
            leaving: false,
        }
    }

    async fn runs(&mut self) -> Result<(), Lost> {
        self.met = self.process.others().await;
        self.process.step("asks for the lead").await;
        if !self.process.takes_the_lead() {
            return Err(Lost);
        }
        self.term = self.process.world().store(Role::Executor).term;
        self.takes_over().await?;
        if self.history.plan.is_some() {
            let pace = Pace::BytesPerSecond(self.process.world().pace);
            self.writes(vec![JournalEntry::Resumed { pace }]);
        }
        self.rounds().await
    }

    /// What another machine has left, first into our own file, then into our records.
    async fn takes_over(&mut self) -> Result<(), Lost> {
        self.process.step("reads the records of earlier executions").await;
        self.adopts()?;
        self.process.step("writes its records").await;
        self.mirrors()?;
        self.process.world().owner = Some(self.machine);
        Ok(())
    }

    fn adopts(&mut self) -> Result<(), Lost> {
        let mut world = self.process.world();
        if self.machine == usize::MAX {
            self.machine = world.files.len();
            world.files.push(Ledger::default());
        } else if self.machine + 1 < world.files.len() {
            // An execution of a later machine came first. What old files still list is not part of this test.
            return Err(Lost);
        }
        let there = ledger_records::lines(&world.store(Role::Executor).records).unwrap();
        let is_ours = world.owner == Some(self.machine);
        let lines = match is_ours {
            true => Vec::new(),
            false => adopted(&Ledger::replay(there), &self.ledger),
        };
        lines.into_iter().for_each(|line| self.ledger.apply(line));
        world.files[self.machine].clone_from(&self.ledger);
        Ok(())
    }

    async fn rounds(&mut self) -> Result<(), Lost> {
        loop {
            let seen = self.looks().await;
            let (plan, plan_id) = (self.plan.clone(), self.plan_id.clone());
            let task = self.task(&plan, &plan_id);
            let round = next(&task, &self.history, &self.ledger, &seen);
            if self.looks_again(&round) {
                continue;
            }
            let moves = round.course.count(|state| *state == MoveState::Moving) > 0;
            let acted = self.acts(round.actions, &seen).await?;
            if let Some(outcome) = acted.outcome {
                if outcome != ExecutionOutcome::HeldByOthers {
                    self.process.world().plan = None;
                }
                return Ok(());
            }
            self.process.rests(rest(&acted), false).await;
            if self.process.is_to_end() {
                let nothing = self.history.plan.is_none();
                if moves || acted.begun || self.leaving || nothing {
                    self.writes(vec![JournalEntry::Detached]);
                    return Ok(());
                }
                self.leaving = true;
                self.process.world().to_end.remove(&self.process.id);
                self.writes(vec![JournalEntry::GaveUp]);
            }
        }
    }

    fn task<'p>(&self, plan: &'p Plan, plan_id: &'p str) -> Task<'p> {
        let world = self.process.world();
        let all = ExecutionTerms::new(Aim::CarryOut, Pace::BytesPerSecond(world.pace));
        let terms = ExecutionTerms { join: world.join, ..all };
        Task { plan, plan_id, cluster_id: "c", terms }
    }

    async fn looks(&mut self) -> Seen {
        let before = self.others().await;
        let mut seen = self.process.look().await;
        self.settling.mark(&self.plan, &self.history, &mut seen);
        self.abandoned.mark(&mut seen);
        seen.others = before.or(self.others().await);
        seen
    }

    async fn others(&mut self) -> Others {
        if self.asks {
            self.met = self.process.others().await;
            self.read = self.process.world().now;
        }
        self.met.clone()
    }

    fn looks_again(&mut self, round: &execute::Round) -> bool {
        if std::mem::take(&mut self.asks) {
            return false;
        }
        let others =
            |stray: &Stray| matches!(stray, Stray::UnknownOwner { .. } | Stray::OfAnother { .. });
        let is_due = self.process.world().now >= self.read + OFTEN;
        self.asks = records_what_stands(&round.actions, &self.ledger)
            || (is_due && round.strays.iter().any(others));
        self.asks
    }

    /// Whether this process leads. A lead that has ended is taken again, unless another process had it.
    fn may_act(&self) -> Result<bool, Lost> {
        if self.process.leads() {
            return Ok(true);
        }
        let mut world = self.process.world();
        let store = world.store(Role::Executor);
        match store.holder.is_none() && store.term == self.term {
            true => store.holder = Some(self.process.id),
            false => return Err(Lost),
        }
        Ok(false)
    }

    /// Journal, ledger, records, configs, moves.
    async fn acts(&mut self, actions: Vec<Action>, seen: &Seen) -> Result<Acted, Lost> {
        let mut acted = Acted::default();
        self.process.step("checks its lead").await;
        if !self.may_act()? {
            return Ok(acted);
        }
        self.process.writes(true);
        let (mut entries, mut lines, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = Vec::new();
        for action in actions {
            match action {
                Action::Write(entry) => entries.push(entry),
                Action::Account(line) => lines.push(line),
                Action::Set { setting, edit } => sets.push((setting, edit)),
                action => rest.push(action),
            }
        }
        acted.begun = entries.iter().any(|entry| matches!(entry, JournalEntry::Submitted { .. }));
        self.writes(entries);
        self.accounts(lines).await?;
        acted.changed = !sets.is_empty() || !rest.is_empty();
        acted.lists_changed = sets.iter().any(|(setting, _)| setting.key.is_list());
        let has_set = !sets.is_empty();
        self.process.sets(seen, sets).await;
        self.process.writes(false);
        if has_set && !rest.is_empty() {
            self.process.step("checks its lead again").await;
            if !self.may_act()? {
                return Ok(acted);
            }
        }
        for action in rest {
            match action {
                Action::Submit { moves } => self.submits(&moves).await,
                Action::Stop(outcome) => acted.outcome = Some(outcome),
                Action::Elect { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        Ok(acted)
    }

    fn writes(&mut self, entries: Vec<JournalEntry>) {
        self.process.world().journal.extend(entries.iter().cloned());
        entries.into_iter().for_each(|entry| self.history.apply(entry));
    }

    async fn accounts(&mut self, lines: Vec<LedgerEntry>) -> Result<(), Lost> {
        if lines.is_empty() {
            return Ok(());
        }
        self.process.step(&format!("writes into its file {}", words(&lines))).await;
        self.files(lines);
        self.process.step("writes its records").await;
        self.mirrors()
    }

    fn files(&mut self, lines: Vec<LedgerEntry>) {
        let mut ledger = self.ledger.clone();
        lines.into_iter().for_each(|line| ledger.apply(line));
        let mut world = self.process.world();
        world.files[self.machine].clone_from(&ledger);
        world.accounts(Role::Executor, &self.ledger, &ledger, &self.process.known);
        drop(world);
        self.ledger = ledger;
    }

    /// The store of an executor that does not answer delays no config: what was written counts as written.
    fn mirrors(&self) -> Result<(), Lost> {
        let records = ledger_records::records(&self.ledger);
        match self.process.world().write(Role::Executor, self.process.id, records) {
            Wrote::All | Wrote::NoAnswer => Ok(()),
            Wrote::Fenced => Err(Lost),
        }
    }

    async fn submits(&mut self, moves: &[usize]) {
        for index in moves {
            self.process.step("begins a move").await;
            let change = self.plan.moves[*index].clone();
            self.process.world().alter(&change.of(), &change.to);
        }
        // Sometimes it is killed, and the controller's answer is lost.
        self.process.step("hears the controller").await;
        self.writes(vec![JournalEntry::Begun { moves: moves.to_vec() }]);
    }
}

fn rest(acted: &Acted) -> u64 {
    match (acted.lists_changed, acted.changed) {
        (true, _) => SPREAD,
        (false, true) => AFTER_CHANGE.max(SOON / 2),
        (false, false) => PAUSE,
    }
}
