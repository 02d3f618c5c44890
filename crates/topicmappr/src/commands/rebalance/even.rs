//! What `rebalance` and `scale` share: which topics and brokers, and how load is evened.

use crate::commands::scope::{PlanScope, in_scope};
use crate::error::Error;
use crate::facts::Facts;
use crate::flags::{
    BrokerList, LoadArgs, PlanningArgs, RatesArgs, SolverArgs, StepArgs, TopicArgs, holders,
};
use crate::load_folder::{self, LoadInUse};
use crate::planning::{self, Outputs, Planned};
use crate::session::Session;
use console::units::{mebibytes, price, share, size};
use console::{NamedValue, one_of};
use local::Status;
use local::maps::Maps;
use mapper::maps::{MapFinding, Unmapped};
use mapper::{
    Assignment, Balance, BalanceGoal, Bytes, Engine, Measure, Mends, Plan, PlanTerms, RackRule,
    Ratio, Snapshot, joined,
};
use std::collections::BTreeSet;
use std::path::Path;

/// The flags of evening.
#[derive(Debug, clap::Args)]
pub(crate) struct EvenArgs {
    #[command(flatten)]
    topics: TopicArgs,
    /// Allow these brokers: ids, ranges or names of maps
    ///
    /// A range is 1001..1006. -1 means the brokers that hold the topics now, -2 means all live brokers.
    #[arg(long, value_name = "ID,...", allow_hyphen_values = true)]
    brokers: Option<BrokerList>,
    /// Add these brokers as receivers of replicas
    ///
    /// They are added to those of --brokers. Without --brokers, they are added to the brokers that hold the topics.
    #[arg(long, value_name = "ID,...")]
    add: Option<BrokerList>,
    /// Empty these brokers in the same plan
    #[arg(long, value_name = "ID,...")]
    drain: Option<BrokerList>,
    /// Accept this deviation from a broker's share; 0: as even as possible
    ///
    /// The ratio counts on top of the smallest deviation that can be reached.
    #[arg(long, value_name = "RATIO", default_value = "0.005", value_parser = share)]
    tolerance: Ratio,
    /// Choose what to even, the most important first
    #[arg(
        long,
        value_name = "WHAT,...",
        value_parser = one_of(&GOALS),
        value_delimiter = ',',
        default_value = "storage"
    )]
    balance: Vec<BalanceGoal>,
    /// Choose what even storage means
    #[arg(
        long,
        value_name = "BY",
        value_parser = one_of(&MEASURES),
        default_value = "percent-used"
    )]
    by: Measure,
    /// Move at most this many of a broker's largest partitions for balance
    #[arg(long, value_name = "N")]
    partition_limit: Option<u32>,
    /// Move no partition below this size for balance, in MiB
    #[arg(long, value_name = "MIB", value_parser = mebibytes)]
    partition_size_threshold: Option<Bytes>,
    /// Keep moves for balance inside their rack
    #[arg(long)]
    locality_scoped: bool,
    /// Copy at most this many bytes, repairs included
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes_moved: Option<Bytes>,
    /// Copy at most this many replicas, repairs included
    #[arg(long, value_name = "N")]
    max_moves: Option<u64>,
    /// Spread the replicas of a partition over this many racks
    ///
    /// 0 means as many racks as possible.
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_rack_ids: u32,
    /// Move partitions that broke the rack rule before
    #[arg(long)]
    fix_racks: bool,
    /// Even the preferred leaders of every partition in scope
    ///
    /// Without it, only partitions that change get new preferred leaders.
    #[arg(long)]
    optimize_leadership: bool,
    /// Prefer leaders in this rack, where producers and consumers are
    ///
    /// The goal leaders-zone is added to --balance, unless it is there. No replica moves for it.
    #[arg(long, value_name = "RACK")]
    leaders_zone: Option<String>,
    /// Show what bytes between zones cost, at this price a GB
    ///
    /// A GB is 10^9 bytes. The price is in any currency.
    #[arg(long, value_name = "PRICE", value_parser = price, requires = "leaders_zone")]
    zone_price: Option<Ratio>,
    #[command(flatten)]
    rates: RatesArgs,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    steps: StepArgs,
    #[command(flatten)]
    solver: SolverArgs,
    #[command(flatten)]
    planning: PlanningArgs,
}

const GOALS: [NamedValue<BalanceGoal>; 8] = [
    ("storage", BalanceGoal::Storage, "Storage used, in proportion to each broker's storage"),
    ("replicas", BalanceGoal::Replicas, "The same number of replicas on each broker"),
    ("leaders", BalanceGoal::Leaders, "The same number of partitions led by each broker"),
    ("topics", BalanceGoal::Topics, "The same number of replicas of each topic on each broker"),
    (
        "network",
        BalanceGoal::Network,
        "Traffic expected, in proportion to each broker's network; needs --rates",
    ),
    (
        "cpu",
        BalanceGoal::Cpu,
        "CPU expected, in proportion to each broker's CPU; needs metrics fetch",
    ),
    (
        "leaders-zone",
        BalanceGoal::LeadersZone,
        "Leaders in the rack of --leaders-zone, among a partition's replicas",
    ),
    ("disks", BalanceGoal::Disks, "Storage used on the volumes of each broker"),
];

const MEASURES: [NamedValue<Measure>; 2] = [
    ("percent-used", Measure::PercentUsed, "The same share of each broker's storage"),
    ("bytes-free", Measure::BytesFree, "The same free bytes on each broker"),
];

/// The flags resolved against a cluster.
pub(crate) struct EvenRequest {
    pub(crate) facts: Facts,
    pub(crate) terms: PlanTerms,
    pub(crate) balance: Balance,
    findings: Vec<MapFinding>,
    unmapped: Vec<Unmapped>,
    outputs: Outputs,
}

impl EvenArgs {
    pub(crate) fn ask(&self, session: &mut Session<'_, '_>) -> Result<EvenRequest, Error> {
        let outputs = Outputs::find(&self.planning)?;
        let (facts, maps) = session.measured_facts(self.rates.rates)?;
        let facts = self.with_recorded_load(facts, session)?;
        let PlanScope { assignments, findings, unmapped } = self.scoped(&facts.snapshot, &maps)?;
        // Patterns that mean nothing are the caller's mistake, not the planner's "no".
        mapper::assign(&facts.snapshot, &assignments)?;
        let terms = PlanTerms {
            assignments,
            mends: Mends::Everything,
            racks: RackRule::at_least(self.min_rack_ids),
            fix_racks: self.fix_racks,
            storage_headroom: self.planning.storage_headroom,
            pacing: self.steps.pacing(),
            ignore_cordons: self.planning.ignore_cordons,
        };
        let balance = self.balance(&facts.snapshot, &maps)?;
        Ok(EvenRequest { facts, terms, balance, findings, unmapped, outputs })
    }

    /// Has the plan checked and written.
    pub(crate) fn finish(
        &self,
        plan: Result<Plan, Error>,
        asked: EvenRequest,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let EvenRequest { facts, findings, unmapped, outputs, .. } = asked;
        let plan = plan.map_err(|error| planning::with_lost(error, &facts))?;
        let planned = Planned { plan, placement: None, findings, unmapped };
        planning::finish(planned, facts, &self.planning, outputs, session)
    }

    /// The facts with the rates of recorded load, if a flag names its folder.
    fn with_recorded_load(
        &self,
        facts: Facts,
        session: &mut Session<'_, '_>,
    ) -> Result<Facts, Error> {
        let Some(folder) = &self.load.load_folder else { return Ok(facts) };
        let facts = match self.load.as_of {
            Some(days) => in_days(facts, folder, days)?,
            None => facts,
        };
        let (facts, notes) = LoadInUse::rate(facts, folder, self.load.load)?;
        if !session.global.talk.logs.quiet {
            notes.iter().try_for_each(|note| session.say(note))?;
        }
        Ok(facts)
    }

    /// From the maps, unless the flags name brokers.
    fn scoped(&self, snapshot: &Snapshot, maps: &Maps) -> Result<PlanScope, Error> {
        if self.brokers.is_none() && (self.add.is_none() || !maps.written().is_empty()) {
            return self.scoped_by_maps(snapshot, maps);
        }
        let mut assignment = Assignment::new(self.topics.selection()?, BTreeSet::new());
        let holding = holders(in_scope(snapshot, &assignment)?);
        let of_maps = maps.brokers(snapshot);
        assignment.brokers = match &self.brokers {
            Some(list) => list.resolve(snapshot, &holding, &of_maps)?,
            None => holding.clone(),
        };
        if let Some(added) = &self.add {
            assignment.brokers.extend(added.resolve(snapshot, &holding, &of_maps)?);
        }
        Ok(PlanScope::of(assignment))
    }

    fn scoped_by_maps(&self, snapshot: &Snapshot, maps: &Maps) -> Result<PlanScope, Error> {
        if maps.written().is_empty() {
            let message = "name the brokers: --brokers IDS, --add IDS, or --maps FILE";
            return Err(Error::flags(message));
        }
        if self.add.is_some() {
            let message = "--add needs --brokers here: maps name their brokers, so add them there";
            return Err(Error::flags(message));
        }
        PlanScope::of_maps(&self.topics, snapshot, maps)
    }

    /// The goals, with that of the zone if a flag names it.
    fn goals(&self, snapshot: &Snapshot) -> Result<Vec<BalanceGoal>, Error> {
        let mut goals = self.balance.clone();
        let is_goal = goals.contains(&BalanceGoal::LeadersZone);
        let Some(zone) = &self.leaders_zone else {
            return match is_goal {
                true => Err(Error::flags("--balance leaders-zone needs --leaders-zone RACK")),
                false => Ok(goals),
            };
        };
        let live = snapshot.brokers().iter().filter(|broker| broker.live);
        let racks: BTreeSet<&str> = live.filter_map(|broker| broker.rack.as_deref()).collect();
        if !racks.contains(zone.as_str()) {
            let known = joined(racks);
            let message =
                format!("--leaders-zone {zone}: no live broker is in this rack; known: {known}");
            return Err(Error::flags(message));
        }
        if !is_goal {
            goals.push(BalanceGoal::LeadersZone);
        }
        Ok(goals)
    }

    fn balance(&self, snapshot: &Snapshot, maps: &Maps) -> Result<Balance, Error> {
        let drain = BrokerList::named(self.drain.as_ref(), snapshot, maps)?;
        let solver = self.solver.engine();
        if solver == Engine::Exact && self.balance != [BalanceGoal::Storage] {
            let message = "--solver exact searches for even storage only: leave it out, or leave out --balance";
            return Err(Error::flags(message));
        }
        Ok(Balance {
            goals: self.goals(snapshot)?,
            leaders_zone: self.leaders_zone.clone(),
            zone_price: self.zone_price,
            by: self.by,
            tolerance: self.tolerance,
            drain,
            partition_limit: self.partition_limit,
            partition_size_threshold: self.partition_size_threshold,
            locality_scoped: self.locality_scoped,
            max_bytes_moved: self.max_bytes_moved,
            max_moves: self.max_moves,
            optimize_leadership: self.optimize_leadership,
            solver,
        })
    }
}

/// The facts with the sizes that recorded load lets expect in so many days.
fn in_days(facts: Facts, folder: &Path, days: usize) -> Result<Facts, Error> {
    let history = load_folder::history(&facts.snapshot, folder)?;
    let then = history.forecast(&facts.snapshot).cluster_in(days);
    let snapshot = then.map_err(|problem| Error::OddNumbers { problem })?;
    Ok(Facts { snapshot, ..facts })
}
