//! Why one partition moves, or stays.

use super::{answer, known, percent};
use crate::views::heading;
use crate::views::report::LONG;
use crate::views::table::Table;
use local::words::{counted, listed, ranges};
use mapper::explain::{
    BrokerVerdict, Comes, Instead, LeaderChange, LeaveCause, Leaves, LogDirChange,
    PartitionExplained, RackCount, WhyItStays, Without,
};
use mapper::{BrokerId, WhyLeftOut, joined};
use std::collections::BTreeMap;
use std::fmt;

pub(super) fn write(one: &PartitionExplained, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", one.of)?;
    if let Some(map) = &one.map {
        write!(f, " of {map}")?;
    }
    write!(f, ", {} a replica: ", known(one.size_bytes))?;
    match (one.index, &one.stays) {
        (Some(index), _) => writeln!(f, "move {index}, in step {}", steps(&one.steps))?,
        (None, Some(stays)) => return write_stays(one, stays, f),
        (None, None) => writeln!(f)?,
    }
    let from = ["from".to_owned(), listed(&one.from), racks(&one.racks_before)];
    let via = one.via.iter().map(|via| ["via".to_owned(), listed(via), String::new()]);
    let to = ["to".to_owned(), listed(&one.to), racks(&one.racks_after)];
    let rows = [from].into_iter().chain(via).chain([to]);
    Table::write(f, ["", "replicas", "racks"], rows)?;
    heading(f, &format!("Why it moves: {}", one.reason.map_or("", |reason| reason.as_str())))?;
    for LogDirChange { broker, from, to } in &one.between_volumes {
        let from = from.as_deref().unwrap_or("another log dir");
        writeln!(f, "  {broker} copies it from {from} to {to}, which evens its volumes")?;
    }
    one.leaves.iter().try_for_each(|leaves| write_leaves(leaves, f))?;
    one.comes.iter().try_for_each(|comes| write_comes(comes, f))?;
    if let Some(leader) = &one.leader {
        write_leader(leader, f)?;
    }
    one.comes.iter().try_for_each(|comes| write_instead(comes, f))?;
    one.without.as_ref().map_or(Ok(()), |without| write_without(without, f))
}

fn steps(steps: &[usize]) -> String {
    let texts: Vec<String> = steps.iter().map(ToString::to_string).collect();
    texts.join(", then ")
}

fn write_stays(
    one: &PartitionExplained,
    stays: &WhyItStays,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    writeln!(f, "stays on {} ({})", listed(&one.from), racks(&one.racks_before))?;
    match stays {
        WhyItStays::OutOfScope => writeln!(f, "  The plan's request does not cover its topic."),
        WhyItStays::NothingWrong => {
            writeln!(f, "  Nothing about it is wrong, and nothing was gained by moving it.")
        }
        WhyItStays::LeftOut(why) => writeln!(f, "  {}", left_out(why)),
    }
}

fn left_out(why: &WhyLeftOut) -> String {
    match why {
        WhyLeftOut::NoLeader { heals } => {
            format!("It has no live leader until one of {} returns.", listed(heals))
        }
        WhyLeftOut::Reassigning { .. } => {
            "It is being reassigned; wait until that is done, then plan again.".to_owned()
        }
        WhyLeftOut::Diskless { config } => {
            format!("Its topic has {config}: its data is not in brokers' logs.")
        }
        WhyLeftOut::LostReplica { lost } => {
            format!("It has replicas on lost brokers {}; rebuild first.", listed(lost))
        }
        WhyLeftOut::NoOtherLeader { leader } => {
            format!("It is led by {leader}, and no other replica may lead.")
        }
    }
}

fn racks(counts: &[RackCount]) -> String {
    joined(counts.iter().map(|count| format!("{} x{}", count.rack, count.replicas)))
}

fn place(broker: BrokerId, rack: Option<&String>) -> String {
    rack.map_or_else(|| broker.to_string(), |rack| format!("{broker} ({rack})"))
}

fn write_leaves(leaves: &Leaves, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let broker = place(leaves.broker, leaves.rack.as_ref());
    writeln!(f, "  {broker} gives its replica up: {}", cause(&leaves.cause))
}

fn cause(cause: &LeaveCause) -> String {
    match cause {
        LeaveCause::NotLive => "it is not live".to_owned(),
        LeaveCause::FailedLogDir => "the replica is in a failed log dir".to_owned(),
        LeaveCause::Leaving => "the plan empties it".to_owned(),
        LeaveCause::NotAllowed => "it is not among the brokers allowed for this topic".to_owned(),
        LeaveCause::OffMap { map } => format!("it is not one of {map}'s brokers"),
        LeaveCause::FewerReplicas { before, after } => {
            format!("{after} replicas are requested, {before} existed")
        }
        LeaveCause::CrowdedRack { held } => {
            format!("its rack had {held} replicas, another rack had fewer")
        }
        LeaveCause::Balance {
            used_ratio_before,
            used_ratio_after,
            replicas_before,
            replicas_after,
        } => {
            format!(
                "it held more than its share: {} -> {} of its storage, {replicas_before} -> {replicas_after} replicas",
                percent(*used_ratio_before),
                percent(*used_ratio_after)
            )
        }
        LeaveCause::Forced => "everything is placed again, or the list was requested".to_owned(),
    }
}

fn write_comes(comes: &Comes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let broker = place(comes.broker, comes.rack.as_ref());
    write!(f, "  {broker} gets a replica")?;
    match (comes.used_ratio_before, comes.used_ratio_after) {
        (Some(before), Some(after)) => {
            let (before, after) = (percent(Some(before)), percent(Some(after)));
            write!(f, ": {before} -> {after} of its storage used")?;
        }
        _ => write!(f, "; its storage is not known")?,
    }
    match comes.room_after_bytes {
        Some(room) => writeln!(f, ", {room} below its limit"),
        None => writeln!(f),
    }
}

fn write_leader(leader: &LeaderChange, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let LeaderChange { from, from_leads, to, to_leads } = leader;
    writeln!(
        f,
        "  preferred leader {from} -> {to}: {from} leads {} -> {}, {to} leads {} -> {}",
        from_leads[0], from_leads[1], to_leads[0], to_leads[1]
    )
}

fn write_instead(comes: &Comes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if comes.instead.is_empty() {
        return Ok(());
    }
    heading(f, &format!("Why not another broker than {}", comes.broker))?;
    let mut groups: BTreeMap<(bool, String), Vec<BrokerId>> = BTreeMap::new();
    for Instead { broker, verdict, .. } in &comes.instead {
        let admitted = matches!(verdict, BrokerVerdict::Admitted(_));
        groups.entry((!admitted, answer(verdict))).or_default().push(*broker);
    }
    let more = groups.len().saturating_sub(LONG);
    let groups = groups.into_iter().take(LONG);
    let rows = groups.map(|((_, answer), brokers)| [ranges(&brokers), answer]);
    Table::write(f, ["broker", "answer"], rows)?;
    if more > 0 {
        writeln!(f, "  and {more} more answers; --output json lists them all")?;
    }
    Ok(())
}

fn write_without(without: &Without, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    heading(f, "Without this move")?;
    writeln!(f, "  saved    {}", known(without.saved_bytes))?;
    if without.breaks.is_empty() {
        writeln!(f, "  breaks   no promise: the other moves are a plan without it")?;
    }
    for violation in without.breaks.iter().take(LONG) {
        writeln!(f, "  breaks   {violation}")?;
    }
    if without.breaks.len() > LONG {
        writeln!(f, "           and {} more", without.breaks.len() - LONG)?;
    }
    if !without.dependents.is_empty() {
        let waiting = joined(without.dependents.iter().take(LONG));
        let count = counted(without.dependents.len(), "move");
        writeln!(f, "  waiting  {count} that need its space: {waiting}")?;
    }
    if without.after.max_used_ratio.is_some() {
        let (with, without) = (&without.after, &without.after_without);
        writeln!(
            f,
            "  storage  fullest {} with it, {} without; emptiest {} with it, {} without",
            percent(with.max_used_ratio),
            percent(without.max_used_ratio),
            percent(with.min_used_ratio),
            percent(without.min_used_ratio)
        )?;
    }
    Ok(())
}
