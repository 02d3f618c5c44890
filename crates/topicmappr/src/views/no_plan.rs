//! Why there is no plan, so that "why not 1004?" is answered at once.

use super::table::Table;
use local::words::ranges;
use mapper::{BrokerId, NoPlan, NoPlanStatus, Refusal};
use std::collections::BTreeMap;
use std::fmt;

/// What stands behind the sentence: each broker and the rule that refused it, grouped by reason.
pub(super) fn details(reason: &NoPlan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        NoPlan::NoBroker { seat, size_bytes, refusals, standing, .. } => {
            if let Some(size) = size_bytes {
                writeln!(f, "  {} takes {size} on a broker.", seat.of)?;
            }
            writeln!(f, "  Why not another broker:")?;
            f.write_str(&refused(refusals))?;
            match standing {
                NoPlanStatus::Infeasible => {
                    writeln!(
                        f,
                        "  Proven: no choice of brokers for what has to move keeps every rule."
                    )
                }
                NoPlanStatus::Unproven => Ok(()),
            }
        }
        NoPlan::TooFewBrokers { lost, .. } if !lost.is_empty() => {
            writeln!(f, "  Allowed, but lost: {}", ranges(lost))
        }
        NoPlan::NoPartner { candidates, .. } if !candidates.is_empty() => {
            let rows = candidates.iter().map(|(id, rack)| [id.to_string(), rack.clone()]);
            Table::write(f, ["new broker", "rack"], rows)
        }
        _ => Ok(()),
    }
}

fn refused(refusals: &BTreeMap<BrokerId, Refusal>) -> String {
    let mut groups: BTreeMap<String, Vec<BrokerId>> = BTreeMap::new();
    for (id, refusal) in refusals {
        groups.entry(refusal.to_string()).or_default().push(*id);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| a.1.cmp(&b.1));
    let mut table = Table::new(&["broker", "why not"]);
    for (why, ids) in groups {
        table.row([ranges(&ids), why]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_refused_for_one_reason_stand_in_one_line() {
        let ids = [1, 2, 3, 5].map(BrokerId);
        let mut refusals: BTreeMap<BrokerId, Refusal> = ids.map(|id| (id, Refusal::NotLive)).into();
        refusals.insert(BrokerId(2), Refusal::Holds);
        assert_eq!(
            refused(&refusals),
            "  broker   why not\n  1, 3, 5  it is not live\n  2        it already holds a replica of this partition\n"
        );
    }
}
