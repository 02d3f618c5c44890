//! Which rules clash, and what would make a plan possible.

use local::words::{counted, listed, ranges, uncordon};
use mapper::{Bytes, Clash, ClashRule, RackRule, Ratio, Remedy};
use std::fmt;

/// The rules behind a refusal, and the remedies.
pub(super) fn write(clash: &Clash, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !clash.rules.is_empty() {
        f.write_str(match (clash.minimal, clash.rules.len()) {
            (true, 1) => "  The rule that prevents a plan:\n",
            (true, _) => "  Rules that clash; without any one of them there is a plan:\n",
            (false, _) => {
                "  Rules that clash; fewer may be enough (the cluster is too large to test it):\n"
            }
        })?;
        clash.rules.iter().try_for_each(|one| writeln!(f, "    {}", rule(one)))?;
    }
    if !clash.remedies.is_empty() {
        writeln!(f, "  Any one of these makes a plan possible (each was tried):")?;
        clash.remedies.iter().try_for_each(|one| writeln!(f, "    {}", remedy(one)))?;
    }
    if clash.untried > 0 {
        let attempts = counted(clash.untried, "attempt");
        writeln!(f, "  Skipped because of the size of the cluster: {attempts} at other remedies.")?;
    }
    Ok(())
}

fn rule(rule: &ClashRule) -> String {
    match rule {
        ClashRule::Racks { spread: RackRule::Spread } => {
            "racks: replicas on as many racks as possible, as evenly as possible".to_owned()
        }
        ClashRule::Racks { spread: RackRule::AtLeast(racks) } => {
            format!("racks: replicas on at least {racks} racks (--min-rack-ids {racks})")
        }
        ClashRule::Hosts => "hosts: replicas of one rack on different hosts".to_owned(),
        ClashRule::Storage { headroom } => {
            let filled = Ratio::from_ppm(1_000_000_u32.saturating_sub(headroom.ppm()));
            format!("storage: no broker filled beyond {} of its storage", percent(filled))
        }
        ClashRule::Lost { brokers } => format!("lost: no replica on {}", ranges(brokers)),
        ClashRule::Cordoned { brokers } => {
            format!("cordons: no new replica on {} (cordoned.log.dirs)", ranges(brokers))
        }
        ClashRule::Allowed => "brokers: only those that are allowed for the topics".to_owned(),
        ClashRule::Drained { brokers } => format!("drain: no replica on {}", ranges(brokers)),
        ClashRule::Replication => "replication: the requested factor".to_owned(),
        ClashRule::FixRacks => {
            "--fix-racks: partitions that broke the rack rule are repaired".to_owned()
        }
        ClashRule::Forced => "--force-rebuild: everything in scope is placed again".to_owned(),
        ClashRule::Pairs => "--sub-affinity: one incoming broker for each outgoing one".to_owned(),
        ClashRule::Limits => "limits: --max-bytes-moved, --max-moves".to_owned(),
    }
}

fn remedy(remedy: &Remedy) -> String {
    match remedy {
        Remedy::BringBack { brokers } => format!("bring {} back, with the data", listed(brokers)),
        Remedy::Uncordon { brokers } => {
            format!("end the cordon of {}: {}", listed(brokers), uncordon(brokers))
        }
        Remedy::MoreStorage { broker, rack, bytes } => match rack {
            Some(rack) => format!("{bytes} more storage on {broker} (rack {rack})"),
            None => format!("{bytes} more storage on {broker}"),
        },
        Remedy::MoreBrokers { brokers, rack, new_rack, storage } => {
            more_brokers(*brokers, rack.as_deref().map(|rack| (rack, *new_rack)), *storage)
        }
        Remedy::Allow { brokers } => format!("allow {} for these topics", ranges(brokers)),
        Remedy::KeepUndrained { brokers } => format!("leave {} out of --drain", ranges(brokers)),
        Remedy::Headroom { ratio } => format!("--storage-headroom {}", percent(*ratio)),
        Remedy::MinRackIds { racks } => format!("--min-rack-ids {racks}"),
        Remedy::Replication { replication } => {
            format!("--replication {replication} (if a map sets it: in the map)")
        }
        Remedy::Limits { max_bytes_moved, max_moves } => {
            let bytes = max_bytes_moved.map(|bytes| format!("--max-bytes-moved {}", bytes.0));
            let moves = max_moves.map(|moves| format!("--max-moves {moves}"));
            bytes.into_iter().chain(moves).collect::<Vec<_>>().join(" ")
        }
        Remedy::Incoming { broker } => format!("--with {broker}"),
        Remedy::ByCount => "--placement count".to_owned(),
        Remedy::WithoutFixRacks => "without --fix-racks".to_owned(),
        Remedy::WithoutForce => "without --force-rebuild".to_owned(),
        Remedy::WithoutPairs => "without --sub-affinity".to_owned(),
    }
}

fn more_brokers(count: u32, rack: Option<(&str, bool)>, storage: Option<Bytes>) -> String {
    let mut text = match count {
        1 => "one more broker".to_owned(),
        count => format!("{count} more brokers"),
    };
    if let Some(storage) = storage {
        text += &format!(" of {storage}{}", if count == 1 { "" } else { " each" });
    }
    match rack {
        Some((_, true)) => text + " in a new rack",
        Some((rack, false)) => format!("{text} in rack {rack}"),
        None => text,
    }
}

/// A share in percent, as the flags take it.
fn percent(ratio: Ratio) -> String {
    let ppm = ratio.ppm();
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_its_flag_takes_it() {
        assert_eq!(percent(Ratio::from_percent(10)), "10%");
        assert_eq!(percent(Ratio::from_ppm(5_000)), "0.5%");
        assert_eq!(percent(Ratio::ZERO), "0%");
    }
}
