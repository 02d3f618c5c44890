//! Chooses the preferred leaders of a plan that also moves data.

use super::even::even;
use super::free::FreeLeads;
use crate::dense::{BrokerIx, DenseCluster};
use crate::no_plan::NoPlan;
use crate::plan::{LeftOut, Reason, WhyLeftOut};
use crate::request::{BaseLists, LeaderEvacuation};
use crate::target::Targets;
use crate::work::{Work, log_size, why_left_out};
use smallvec::SmallVec;
use std::sync::Arc;

/// The partitions whose preferred leaders a plan may choose.
#[derive(Clone, Copy)]
pub(crate) struct LeadersToChoose<'r> {
    /// All partitions in scope, not only those whose leader is gone.
    pub(crate) all: bool,
    /// Each broker also takes over the leadership of the one that it replaces, so a lost leader needs no choice.
    pub(crate) as_paired: bool,
    /// The lists that the caller gives, which limit the scope.
    pub(crate) lists: &'r BaseLists<'r>,
    /// Brokers that must not lead some of the topics.
    pub(crate) evacuation: Option<&'r LeaderEvacuation>,
    /// Where leaders are wanted.
    pub(crate) zone: Option<WantedZone>,
}

/// The zone where the clients are, and leaders are wanted.
#[derive(Clone, Copy)]
pub(crate) struct WantedZone {
    /// An index into the cluster's racks.
    pub(crate) rack: usize,
    /// Whether it counts more than even leadership.
    pub(crate) is_first: bool,
}

/// Chooses the preferred leaders of partitions whose leader is gone or evacuated, and of all partitions in scope if the
/// request says so. A partition that an evacuated broker continues to lead is left out.
pub(crate) fn even_leaders(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    lead: LeadersToChoose<'_>,
    work: &mut Vec<Work>,
    left_out: &mut Vec<LeftOut>,
) -> Result<(), NoPlan> {
    let evacuated = Evacuated::of(cluster, lead.evacuation)?;
    work.sort_by_key(|item| item.partition);
    let (untouched, cannot) = untouched(cluster, targets, lead, &evacuated, work);
    for why in cannot {
        if !left_out.iter().any(|left| left.topic == why.topic && left.partition == why.partition) {
            left_out.push(why);
        }
    }
    let mut load = heads(cluster);
    let mut free = FreeLeads::new();
    let mut partitions = Vec::new();
    let mut add = |partition: usize, held: &[BrokerIx], head_is_free: bool| {
        let (Some(old), Some(first)) = (cluster.seats_of(partition).first(), held.first()) else {
            return;
        };
        load[*old as usize] -= 1;
        let topic = cluster.topic_of(partition);
        let must_go = evacuated.covers(topic, *first);
        let fit = held.iter().copied().filter(|broker| !evacuated.covers(topic, *broker));
        let mut fit: SmallVec<[BrokerIx; 4]> = fit.collect();
        let goes_home = lead.goes_home(cluster, *first, &mut fit);
        if must_go && fit.is_empty() {
            let why = WhyLeftOut::NoOtherLeader { leader: cluster.id(*first) };
            left_out.push(left_as_it_is(cluster, partition, why));
        }
        let is_free = lead.all || must_go || goes_home || (head_is_free && !lead.as_paired);
        if is_free && !fit.is_empty() {
            free.push(fit.into_iter(), Some(*old));
            load[free.leader(partitions.len()) as usize] += 1;
            partitions.push(partition);
        } else {
            load[*first as usize] += 1;
        }
    };
    let mut untouched = untouched.into_iter().peekable();
    for item in work.iter() {
        while let Some(index) = untouched.next_if(|index| *index < item.partition) {
            add(index, cluster.seats_of(index), true);
        }
        let held: SmallVec<[BrokerIx; 4]> = item.held().collect();
        add(item.partition, &held, item.head_is_free);
    }
    untouched.for_each(|index| add(index, cluster.seats_of(index), true));
    if let Some(zone) = lead.zone.filter(|zone| !zone.is_first) {
        free.prefer_not(|broker| cluster.rack[broker as usize] != zone.rack);
    }
    even(&mut load, &mut free);
    put_leaders_first(cluster, targets, work, &partitions, &free);
    Ok(())
}

/// Puts the chosen leaders first. Of the partitions without other work, only those whose leader changes become work.
fn put_leaders_first(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    work: &mut Vec<Work>,
    partitions: &[usize],
    free: &FreeLeads,
) {
    let (known, mut at) = (work.len(), 0);
    for (lead, partition) in partitions.iter().enumerate() {
        let leader = free.leader(lead);
        at += work[at..known].iter().take_while(|item| item.partition < *partition).count();
        if at < known && work[at].partition == *partition {
            work[at].lead_by(leader);
        } else if cluster.seats_of(*partition).first() != Some(&leader) {
            let target = targets.of_topic[cluster.topic_of(*partition)];
            let mut item = as_it_is(cluster, *partition, target.unwrap_or_default());
            item.lead_by(leader);
            work.push(item);
        }
    }
    work.sort_by_key(|item| item.partition);
}

impl LeadersToChoose<'_> {
    /// If a zone counts more than even leadership, leaves only its brokers to choose from, where there are any. Returns
    /// whether a broker outside it led so far.
    fn goes_home(
        &self,
        cluster: &DenseCluster<'_>,
        head: BrokerIx,
        fit: &mut SmallVec<[BrokerIx; 4]>,
    ) -> bool {
        let Some(zone) = self.zone.filter(|zone| zone.is_first) else { return false };
        let is_home = |broker: &BrokerIx| cluster.rack[*broker as usize] == zone.rack;
        if !fit.iter().any(is_home) {
            return false;
        }
        fit.retain(|broker| is_home(broker));
        !is_home(&head)
    }

    /// Whether a partition's leadership should come into the zone.
    fn calls_home(&self, cluster: &DenseCluster<'_>, seats: &[BrokerIx]) -> bool {
        let mut seats: SmallVec<[BrokerIx; 4]> = seats.iter().copied().collect();
        seats.first().copied().is_some_and(|head| self.goes_home(cluster, head, &mut seats))
    }
}

/// For each broker the number of partitions whose preferred leader it is.
fn heads(cluster: &DenseCluster<'_>) -> Vec<u64> {
    let mut load = vec![0_u64; cluster.ids.len()];
    for partition in 0..cluster.first_seat.len() - 1 {
        if let Some(head) = cluster.seats_of(partition).first() {
            load[*head as usize] += 1;
        }
    }
    load
}

fn left_as_it_is(cluster: &DenseCluster<'_>, index: usize, why: WhyLeftOut) -> LeftOut {
    let partition = cluster.partition(index);
    LeftOut {
        topic: Arc::from(cluster.snapshot.topics()[cluster.topic_of(index)].name.as_str()),
        partition: partition.id,
        replicas: partition.replicas.clone(),
        why,
    }
}

/// Healthy partitions in scope none of whose seats moves, ascending: all of them, or those that an evacuated broker leads.
/// And the partitions that should be among them and cannot.
fn untouched(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    lead: LeadersToChoose<'_>,
    evacuated: &Evacuated,
    work: &[Work],
) -> (Vec<usize>, Vec<LeftOut>) {
    let (mut untouched, mut left_out) = (Vec::new(), Vec::new());
    if !lead.all && evacuated.is_empty() && lead.zone.is_none() {
        return (untouched, left_out);
    }
    let mut touched = work.iter().map(|item| item.partition).peekable();
    for (topic, target) in targets.of_topic.iter().enumerate() {
        let Some(target) = *target else { continue };
        let allowed = &targets.all[target].allowed;
        for index in cluster.first_partition[topic]..cluster.first_partition[topic + 1] {
            while touched.next_if(|touched| *touched < index).is_some() {}
            if touched.peek() == Some(&index) {
                continue;
            }
            let seats = cluster.seats_of(index);
            let must_go = seats.first().is_some_and(|head| evacuated.covers(topic, *head));
            let wanted =
                must_go || (lead.all && seats.len() > 1) || lead.calls_home(cluster, seats);
            let healthy = seats.iter().all(|seat| allowed[*seat as usize]);
            let partition = cluster.partition(index);
            let covered = lead.lists.cover(&cluster.snapshot.topics()[topic].name, partition.id);
            if !wanted || !covered || !healthy {
                continue;
            }
            match why_left_out(cluster, index) {
                None => untouched.push(index),
                Some(why) if must_go => left_out.push(left_as_it_is(cluster, index, why)),
                Some(_) => {}
            }
        }
    }
    (untouched, left_out)
}

/// Work that moves no seat.
fn as_it_is(cluster: &DenseCluster<'_>, index: usize, target: usize) -> Work {
    let seats = cluster.seats_of(index);
    Work {
        partition: index,
        target,
        seats: seats.iter().map(|seat| Some(*seat)).collect(),
        replaces: seats.iter().map(|_| None).collect(),
        reason: Reason::Leader,
        size: log_size(cluster, cluster.partition(index)),
        offline: Box::default(),
        must_copy: 0,
        head_is_free: true,
    }
}

/// The brokers that must not lead, and the topics that they must not lead.
struct Evacuated {
    brokers: Vec<bool>,
    topics: Vec<bool>,
}

impl Evacuated {
    fn of(cluster: &DenseCluster<'_>, request: Option<&LeaderEvacuation>) -> Result<Self, NoPlan> {
        let topics = cluster.snapshot.topics();
        let mut evacuated =
            Self { brokers: vec![false; cluster.ids.len()], topics: vec![false; topics.len()] };
        let Some(request) = request else {
            return Ok(evacuated);
        };
        for broker in request.brokers.iter().filter_map(|id| cluster.index_of(*id)) {
            evacuated.brokers[broker as usize] = true;
        }
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let selected = request.topics.select(&names)?;
        evacuated.topics = names.iter().map(|name| selected.contains(name)).collect();
        Ok(evacuated)
    }

    fn is_empty(&self) -> bool {
        !self.brokers.contains(&true)
    }

    /// Whether the broker must not lead the topic.
    fn covers(&self, topic: usize, broker: BrokerIx) -> bool {
        self.topics[topic] && self.brokers[broker as usize]
    }
}
