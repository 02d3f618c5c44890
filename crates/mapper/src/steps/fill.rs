//! Puts moves into steps, in their order: each step takes every move that fits into it.
//!
//! A move waits at a broker that has no time for it in this step. It also waits at a broker without room, until
//! something leaves that broker. So no broker is asked again before its answer can change.

use super::cut::Waves;
use super::disks::UsedStorage;
use super::is_optional;
use super::ready::ReadyQueue;
use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::BrokerId;
use crate::no_plan::NoPlan;
use crate::plan::{Move, Stage};
use crate::request::PlanTerms;
use crate::snapshot::{Leader, Partition};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The steps of all moves.
pub(super) struct FilledSteps {
    pub(super) steps: Vec<Vec<usize>>,
    /// For each move whether it was dropped: it had no room, and was optional.
    pub(super) dropped: Vec<bool>,
}

/// Moves on their way into steps.
pub(super) struct Schedule<'a> {
    cluster: &'a DenseCluster<'a>,
    moves: &'a [Move],
    partitions: &'a [Option<&'a Partition>],
    waves: &'a [Waves],
    /// The moves by their rank.
    order: &'a [usize],
    max_bytes: Option<u64>,
    max_moves: Option<u32>,
    disks: UsedStorage<'a>,
    /// For each move its next submission.
    next: Vec<u32>,
    dropped: Vec<bool>,
    /// The moves that may go into the step.
    ready: ReadyQueue,
    /// For each broker the ranks that wait for its time, and whether the first of them is already in `ready`.
    line: Vec<(BinaryHeap<Reverse<usize>>, bool)>,
    /// For each broker the ranks that wait for room on it.
    short: Vec<Vec<usize>>,
    /// For each broker its number of moves in the step.
    busy: Vec<u32>,
    step_bytes: u64,
}

/// Why a move is not in the step.
enum Waits {
    /// The step already copies enough bytes.
    NextStep,
    /// This broker already has enough moves in the step.
    Time(BrokerIx),
    /// This broker has no room for both copies.
    Room(BrokerIx),
}

impl<'a> Schedule<'a> {
    pub(super) fn new(
        cluster: &'a DenseCluster<'a>,
        terms: &PlanTerms,
        moves: &'a [Move],
        partitions: &'a [Option<&'a Partition>],
        waves: &'a [Waves],
        order: &'a [usize],
    ) -> Self {
        let brokers = cluster.ids.len();
        Self {
            cluster,
            moves,
            partitions,
            waves,
            order,
            max_bytes: terms.pacing.max_bytes.map(|bytes| bytes.0),
            max_moves: terms.pacing.max_moves_per_broker,
            disks: UsedStorage::new(cluster, terms),
            next: vec![0; moves.len()],
            dropped: vec![false; moves.len()],
            ready: ReadyQueue::default(),
            line: vec![(BinaryHeap::new(), false); brokers],
            short: vec![Vec::new(); brokers],
            busy: vec![0; brokers],
            step_bytes: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<FilledSteps, NoPlan> {
        let waves = self.waves.iter().flatten().max().map_or(0, |last| *last as usize + 1);
        let mut todo: Vec<Vec<usize>> = vec![Vec::new(); waves];
        for (rank, index) in self.order.iter().enumerate() {
            todo[self.waves[*index][0] as usize].push(rank);
        }
        let mut steps = Vec::new();
        for wave in 0..waves {
            let mut ranks = std::mem::take(&mut todo[wave]);
            ranks.sort_unstable();
            let wanted = ranks.into_iter().filter(|rank| !self.dropped[self.order[*rank]]);
            self.ready.begin(wanted);
            while !self.ready.is_empty() {
                let mut step = self.step();
                if step.is_empty() {
                    break;
                }
                self.finish_step(&step, wave, &mut todo);
                for rank in &mut step {
                    *rank = self.order[*rank];
                }
                step.sort_unstable();
                steps.push(step);
            }
            self.drop_what_waits()?;
        }
        Ok(FilledSteps { steps, dropped: self.dropped })
    }

    /// The ranks of one step.
    fn step(&mut self) -> Vec<usize> {
        let mut step = Vec::new();
        while let Some((rank, home)) = self.ready.pop() {
            match self.take(rank) {
                Ok(()) => step.push(rank),
                Err(Waits::NextStep) => {
                    self.ready.push((rank, home));
                    break;
                }
                Err(Waits::Time(broker)) => self.line[broker as usize].0.push(Reverse(rank)),
                Err(Waits::Room(broker)) => self.short[broker as usize].push(rank),
            }
            if let Some(broker) = home {
                self.line[broker as usize].1 = false;
                self.call_next_of(broker);
            }
        }
        step
    }

    /// Moves the first rank in a broker's line to `ready`, if the broker has time.
    fn call_next_of(&mut self, broker: BrokerIx) {
        let at = broker as usize;
        let (line, called) = &mut self.line[at];
        let has_time = self.max_moves.is_none_or(|most| self.busy[at] < most);
        if has_time
            && !*called
            && let Some(Reverse(rank)) = line.pop()
        {
            *called = true;
            self.ready.push((rank, Some(broker)));
        }
    }

    fn stage(&self, index: usize) -> Option<Stage<'a>> {
        let moves: &'a [Move] = self.moves;
        moves[index].stage(self.next[index] as usize)
    }

    fn take(&mut self, rank: usize) -> Result<(), Waits> {
        let index = self.order[rank];
        let Some(stage) = self.stage(index) else { return Ok(()) };
        let copies = self.copies(index, stage);
        if copies.is_empty() {
            return Ok(());
        }
        let bytes = stage.bytes().unwrap_or_default().plus(stage.disk_bytes()).0;
        let too_much = |most: u64| self.step_bytes > 0 && self.step_bytes + bytes > most;
        if bytes > 0 && self.max_bytes.is_some_and(too_much) {
            return Err(Waits::NextStep);
        }
        let from_broker = self.max_moves.filter(|_| stage.added().next().is_some());
        let source = from_broker.and_then(|_| self.source(index, stage));
        let takers = || copies.iter().map(|(broker, _)| *broker);
        let partakers = || takers().chain(source.filter(|id| !takers().any(|taker| taker == *id)));
        if let Some(most) = self.max_moves
            && let Some(full) = partakers().find(|broker| self.busy[*broker as usize] >= most)
        {
            return Err(Waits::Time(full));
        }
        let change = stage.change;
        let lacks = |(broker, each): &&(BrokerIx, u64)| {
            *each > 0 && self.disks.lacks(self.cluster, change, *broker, *each).is_some()
        };
        if let Some((full, _)) = copies.iter().find(lacks) {
            return Err(Waits::Room(*full));
        }
        partakers().for_each(|broker| self.busy[broker as usize] += 1);
        for (broker, each) in &copies {
            self.disks.take(self.cluster, change, *broker, *each);
        }
        self.step_bytes += bytes;
        Ok(())
    }

    /// The brokers that a submission writes copies to, and the bytes that these come to hold: from another broker, or from
    /// another volume of the same.
    fn copies(&self, index: usize, stage: Stage<'_>) -> SmallVec<[(BrokerIx, u64); 4]> {
        let partition = self.partitions[index];
        let each = stage.change.held_bytes(partition).unwrap_or_default().0;
        let added = stage.added().map(|id| (id, each));
        let size = |id| partition.and_then(|known| known.size_on(id)).unwrap_or_default().0;
        let within = stage.between_volumes().map(|(id, _)| (id, size(id)));
        let known = |(id, bytes)| Some((self.cluster.index_of(id)?, bytes));
        added.chain(within).filter_map(known).collect()
    }

    /// The broker that sends the copies: the known leader while it is in the list, else the first that can lead.
    fn source(&self, index: usize, stage: Stage<'_>) -> Option<BrokerIx> {
        let partition = self.partitions[index]?;
        let told = match partition.leader() {
            Leader::Broker(id) => Some(id).filter(|id| stage.from.contains(id)),
            Leader::None | Leader::Unknown => None,
        };
        let serves =
            |id: &BrokerId| self.cluster.snapshot.is_live(*id) && !partition.offline().contains(id);
        let source = told.or_else(|| stage.from.iter().copied().find(serves))?;
        self.cluster.index_of(source)
    }

    /// Frees the space of the step's old copies. Moves that waited for that space become ready again.
    fn finish_step(&mut self, step: &[usize], wave: usize, todo: &mut [Vec<usize>]) {
        let mut freed = Vec::new();
        for rank in step {
            let index = self.order[*rank];
            if let Some(stage) = self.stage(index) {
                self.disks.free(self.cluster, self.partitions[index], stage, &mut freed);
            }
            self.next[index] += 1;
            match self.waves[index].get(self.next[index] as usize) {
                Some(same) if *same as usize == wave => self.ready.push((*rank, None)),
                Some(later) => todo[*later as usize].push(*rank),
                None => {}
            }
        }
        for broker in freed {
            let waiting = std::mem::take(&mut self.short[broker as usize]);
            waiting.into_iter().for_each(|rank| self.ready.push((rank, None)));
        }
        self.step_bytes = 0;
        if self.max_moves.is_some() {
            self.busy.fill(0);
            (0..).take(self.busy.len()).for_each(|broker| self.call_next_of(broker));
        }
    }

    /// Moves that still wait will never have room. For a repair that means no plan; an optional move is dropped.
    fn drop_what_waits(&mut self) -> Result<(), NoPlan> {
        let mut waiting: Vec<(usize, BrokerIx)> = Vec::new();
        for (broker, short) in (0..).zip(&mut self.short) {
            waiting.extend(short.drain(..).map(|rank| (rank, broker)));
        }
        waiting.sort_unstable();
        for (rank, broker) in waiting {
            let index = self.order[rank];
            let change = &self.moves[index];
            if !is_optional(change) || self.next[index] > 0 {
                let copies = self.stage(index).map(|stage| self.copies(index, stage));
                let each = copies.iter().flatten().find(|(copies, _)| *copies == broker);
                let each = each.map_or(0, |(_, bytes)| *bytes);
                let lack = self.disks.lacks(self.cluster, change, broker, each);
                return Err(NoPlan::NoRoomForBothCopies {
                    of: change.of(),
                    broker: self.cluster.id(broker),
                    missing_bytes: Bytes(lack.as_ref().map_or(0, |lack| lack.missing)),
                    log_dir: lack.and_then(|lack| lack.log_dir),
                });
            }
            self.dropped[index] = true;
        }
        Ok(())
    }
}
