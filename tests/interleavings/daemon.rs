//! A daemon: the order of its steps is that of `autothrottle`'s loop. What decides is the shipped code.

use crate::process::{Lost, Process, SOON};
use crate::world::Wrote;
use autothrottle::copies::copies;
use autothrottle::quiet::Quiet;
use autothrottle::wishes::{covered, holding, nothing};
use execute::{Action, Holding, Ledger, LedgerEntry, Seen, meets, reconcile};
use mapper::Rate;
use operate::ledger_records;
use std::time::Duration;
use throttle::{
    BrokerSeen, BrokerTraffic, PerDirection, ThrottleDecision, ThrottleInputs, ThrottleLimits,
    ThrottleMemory, decide,
};

/// The most times that configs are read back in a round.
const LOOKS: u32 = 6;
/// The pause of a new leader that finds a ledger, and the one between rounds.
const SETTLING: u64 = 5_000;
const INTERVAL: u64 = 30_000;
const MEGABYTE: u64 = 1_000_000;

pub struct Daemon {
    process: Process,
    ledger: Ledger,
    quiet: Quiet,
    memory: ThrottleMemory,
    /// The store has not answered the last write.
    unsure: bool,
}

/// Why a round ended before its end.
enum Failure {
    Lost,
    /// The store did not answer. The next round tries again.
    NoAnswer,
}

pub async fn daemon(process: Process) {
    let (ledger, quiet, memory) = Default::default();
    let mut daemon = Daemon { process, ledger, quiet, memory, unsure: false };
    loop {
        daemon.process.step("asks for the lead").await;
        if daemon.process.is_to_end() && !daemon.process.leads() {
            return;
        }
        if !daemon.process.takes_the_lead() {
            daemon.process.rests(SOON, false).await;
            continue;
        }
        (daemon.quiet, daemon.memory, daemon.unsure) = Default::default();
        let lines =
            ledger_records::lines(&daemon.process.world().store(daemon.process.role).records);
        daemon.ledger = Ledger::replay(lines.unwrap());
        if !daemon.ledger.is_empty() {
            daemon.process.rests(SETTLING, false).await;
        }
        if daemon.rounds().await.is_ok() {
            let _ = daemon.hands_over().await;
            daemon.process.step("gives the lead back").await;
            daemon.process.leaves();
            return;
        }
    }
}

impl Daemon {
    async fn rounds(&mut self) -> Result<(), Lost> {
        while !self.process.is_to_end() {
            match self.round().await {
                Err(Failure::Lost) => return Err(Lost),
                Err(Failure::NoAnswer) => self.process.rests(SOON, true).await,
                Ok(()) => self.process.rests(INTERVAL, true).await,
            }
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<(), Failure> {
        self.process.step("begins a round").await;
        if !self.process.leads() {
            return Err(Failure::Lost);
        }
        let mut seen = self.process.look().await;
        let now = Duration::from_millis(self.process.world().now);
        if self.quiet.would_settle(&seen, &self.ledger, now) {
            self.asks(&mut seen).await;
        }
        self.quiet.learn(&seen, &self.ledger, now);
        // A daemon that has lost its lead forgets them before it writes again.
        if self.process.leads() {
            self.process.world().remembers(self.quiet.originals());
        }
        let inputs = self.measures(&seen, now);
        let memory = std::mem::take(&mut self.memory);
        let (memory, decision) = decide(memory, &inputs, &ThrottleLimits::default());
        self.memory = memory;
        self.settles(&decision, &mut seen).await?;
        if meets(&self.ledger, &seen) {
            self.quiet.unsettle();
        }
        Ok(())
    }

    async fn settles(
        &mut self,
        decision: &ThrottleDecision,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let (mut looks, mut asked) = (0, false);
        loop {
            let terms = (&self.quiet, false);
            let Some(holding) = holding(decision, &self.ledger, seen, terms, asked) else {
                self.asks(seen).await;
                asked = true;
                continue;
            };
            looks += 1;
            if !self.acts(&holding, seen).await? || looks == LOOKS {
                return Ok(());
            }
            self.process.rests(SOON, false).await;
            self.process.reads_configs(seen).await;
            asked = false;
        }
    }

    async fn asks(&mut self, seen: &mut Seen) {
        let before = self.process.others().await;
        self.process.reads_configs(seen).await;
        seen.others = before.or(self.process.others().await);
    }

    /// The ledger first, then the configs. Returns whether any was set.
    async fn acts(&mut self, holding: &Holding, seen: &Seen) -> Result<bool, Failure> {
        let (mut lines, mut sets) = (Vec::new(), Vec::new());
        for action in holding.actions.iter().cloned() {
            match action {
                Action::Account(line) => lines.push(line),
                Action::Set { setting, edit } => sets.push((setting, edit)),
                other => panic!("{other:?}"),
            }
        }
        self.writes(lines).await?;
        if sets.is_empty() {
            return Ok(false);
        }
        self.process.step("confirms its lead").await;
        if !self.process.leads() {
            return Err(Failure::Lost);
        }
        self.process.writes(true);
        self.process.sets(seen, sets).await;
        self.process.writes(false);
        Ok(true)
    }

    async fn writes(&mut self, lines: Vec<LedgerEntry>) -> Result<(), Failure> {
        if lines.is_empty() && !self.unsure {
            return Ok(());
        }
        self.process.step(&format!("writes {}", words(&lines))).await;
        let mut ledger = self.ledger.clone();
        lines.into_iter().for_each(|line| ledger.apply(line));
        self.unsure = true;
        let Process { role, id, known, .. } = &self.process;
        let mut world = self.process.world();
        match world.write(*role, *id, ledger_records::records(&ledger)) {
            Wrote::Fenced => return Err(Failure::Lost),
            Wrote::NoAnswer => {
                world.accounts(*role, &self.ledger, &ledger, known);
                return Err(Failure::NoAnswer);
            }
            Wrote::All => world.accounts(*role, &self.ledger, &ledger, known),
        }
        drop(world);
        (self.ledger, self.unsure) = (ledger, false);
        Ok(())
    }

    /// Brokers with more or less traffic of clients, so that rates change.
    fn measures(&self, seen: &Seen, at: Duration) -> ThrottleInputs {
        let copies = copies(seen);
        let traffic = match copies.is_empty() {
            true => 0,
            false => 10 * self.process.world().choices.pick(3) as u64,
        };
        let broker = BrokerSeen {
            live: true,
            capacity: Some(PerDirection::both(Rate(100 * MEGABYTE))),
            traffic: Some(BrokerTraffic {
                total: PerDirection::both(Rate(traffic * MEGABYTE)),
                ..BrokerTraffic::default()
            }),
            ..BrokerSeen::default()
        };
        let brokers = seen.live.iter().map(|id| (*id, broker.clone())).collect();
        ThrottleInputs { at, brokers, copies, ..ThrottleInputs::default() }
    }

    /// The end of a daemon.
    async fn hands_over(&mut self) -> Result<(), Failure> {
        if self.ledger.is_empty() {
            return Ok(());
        }
        let mut seen = self.process.look().await;
        let copied = copies(&seen).into_iter().map(|copy| copy.of).collect();
        if !covered(&self.ledger, &seen, &copied).is_empty() {
            return Ok(());
        }
        loop {
            let holding = reconcile(&nothing(&self.ledger), &self.ledger, &seen);
            if !self.acts(&holding, &seen).await? {
                return Ok(());
            }
            self.process.rests(SOON, false).await;
            self.process.reads_configs(&mut seen).await;
        }
    }
}

pub fn words(lines: &[LedgerEntry]) -> String {
    let word = |line: &LedgerEntry| match line {
        LedgerEntry::Held { setting, before, ours, .. } => {
            let ours: Vec<String> = ours.iter().map(ToString::to_string).collect();
            format!("{setting}: {before:?} -> {}", ours.join(" "))
        }
        LedgerEntry::Released { setting } => format!("{setting} released"),
        other => format!("{other:?}"),
    };
    lines.iter().map(word).collect::<Vec<_>>().join("; ")
}
