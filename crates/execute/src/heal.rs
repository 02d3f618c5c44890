//! Whether a cluster may be healed without an operator: one broker, lost for long, with little data, and nothing else
//! wrong.
//!
//! In: what is wrong now ([`ClusterFaults`]), the notes of earlier looks ([`Notes`]), the time, and the [`HealTerms`].
//! Out: a [`HealVerdict`] and the notes for the next look. In doubt the decision is left to operators.

use health::Ailment;
use mapper::{BrokerId, Bytes, joined};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is wrong with a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterFaults {
    /// Brokers that hold replicas and are not live, with the bytes on them.
    pub lost: BTreeMap<BrokerId, Bytes>,
    /// Everything else that is wrong, as text.
    pub trouble: BTreeSet<String>,
}

/// What one look has to remember for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The id of the cluster.
    #[serde(default)]
    pub cluster_id: String,
    /// When the last look was, in seconds since 1970; absent in notes of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at_seconds: Option<u64>,
    /// When each broker was first seen as lost, in seconds since 1970. Shifted when the clock is set.
    #[serde(default)]
    pub lost_since_seconds: BTreeMap<BrokerId, u64>,
    /// When the last heal was begun, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed_at_seconds: Option<u64>,
}

/// The operator's limits for a heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealTerms {
    /// How long a broker has to be lost before it is healed, in seconds.
    pub lost_for_seconds: u64,
    /// The most bytes that a heal may copy.
    pub max_bytes: Bytes,
    /// The least time between two heals, in seconds.
    pub every_seconds: u64,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum HealVerdict {
    /// No broker is lost.
    Well,
    /// The broker may come back by itself.
    Wait {
        /// The broker.
        broker: BrokerId,
        /// For how long it has been lost.
        lost_for_seconds: u64,
        /// How long it has to be lost before it is healed.
        needed_seconds: u64,
    },
    /// An operator has to look.
    Hands {
        /// Why.
        why: Vec<String>,
    },
    /// The broker's replicas go to other brokers now.
    Heal {
        /// The broker.
        broker: BrokerId,
        /// The bytes on it.
        bytes: Bytes,
    },
}

impl ClusterFaults {
    /// Sums up these ailments. The consequences of a lost broker are not counted as further trouble.
    pub fn of(ailments: &[Ailment]) -> Self {
        let mut found = Self::default();
        for ailment in ailments {
            match ailment {
                Ailment::Lost { broker, bytes, .. } | Ailment::Fenced { broker, bytes, .. } => {
                    found.lost.insert(*broker, *bytes);
                }
                Ailment::Offline { .. }
                | Ailment::UnderMinIsr { .. }
                | Ailment::FullDisk { .. }
                | Ailment::FailedLogDir { .. }
                | Ailment::Cordoned { .. }
                | Ailment::AtMinIsr { .. }
                | Ailment::UnderReplicated { .. }
                | Ailment::Moving { .. } => {}
            }
        }
        for ailment in ailments {
            found.trouble.extend(trouble(ailment, &found.lost));
        }
        found
    }
}

fn trouble(ailment: &Ailment, lost: &BTreeMap<BrokerId, Bytes>) -> Option<String> {
    let counted = |partitions: &BTreeSet<_>, one: &str, others: &str| {
        let count = partitions.len();
        format!("{} {}", mapper::counted(count, "partition"), mapper::plural(count, one, others))
    };
    match ailment {
        // Plans give a cordoned broker no replicas, so it is no trouble.
        Ailment::Lost { .. } | Ailment::Fenced { .. } | Ailment::Cordoned { .. } => None,
        Ailment::UnderMinIsr { partitions, missing }
        | Ailment::AtMinIsr { partitions, missing }
        | Ailment::UnderReplicated { partitions, missing } => {
            let lag = mapper::joined(missing.iter().filter(|id| !lost.contains_key(id)));
            let what = counted(partitions, "lacks", "lack");
            (!lag.is_empty()).then(|| format!("{what} replicas of live brokers: {lag}"))
        }
        Ailment::Offline { partitions, .. } => {
            Some(format!("{} no leader", counted(partitions, "has", "have")))
        }
        Ailment::FullDisk { broker, .. } => {
            Some(format!("the disk of broker {broker} is nearly full"))
        }
        Ailment::FailedLogDir { broker, .. } => {
            Some(format!("a log dir of broker {broker} has failed"))
        }
        Ailment::Moving { partitions, .. } => {
            Some(format!("{} being reassigned", counted(partitions, "is", "are")))
        }
    }
}

impl HealTerms {
    /// The longest time between two looks that counts in full. After a longer gap nothing is known of the time between:
    /// the clock may have been set, or the broker may have been back.
    fn between_looks_seconds(&self) -> u64 {
        (self.lost_for_seconds / 2).max(1)
    }
}

impl Notes {
    /// The same notes, shifted so that the time since the last look is at least zero and at most what counts. Also how
    /// many seconds the clock is wrong by, if it is.
    fn by_the_clock(&self, now_seconds: u64, terms: &HealTerms) -> (Self, Option<Jump>) {
        let Some(looked) = self.looked_at_seconds else { return (self.clone(), None) };
        let counts = now_seconds.saturating_sub(looked).min(terms.between_looks_seconds());
        let as_if = looked.saturating_add(counts);
        let jump = match now_seconds.cmp(&as_if) {
            Ordering::Equal => return (self.clone(), None),
            Ordering::Greater => Jump { back: false, seconds: now_seconds - looked },
            Ordering::Less => Jump { back: true, seconds: looked - now_seconds },
        };
        let moved = |at: u64| match jump.back {
            false => at.saturating_add(now_seconds - as_if),
            true => at.saturating_sub(as_if - now_seconds),
        };
        let lost = self.lost_since_seconds.iter();
        let notes = Self {
            lost_since_seconds: lost.map(|(id, at)| (*id, moved(*at))).collect(),
            healed_at_seconds: self.healed_at_seconds.map(moved),
            ..self.clone()
        };
        (notes, Some(jump))
    }

    /// The same notes, with a heal that begins at this look. It counts as one heal, however it ends.
    pub fn begun(self) -> Self {
        Self { healed_at_seconds: self.looked_at_seconds, ..self }
    }

    /// The same notes, for a heal that recorded `begun` and then could not begin: the last heal is the one of `before`
    /// again. `None`: another run has recorded a heal since, so that nothing is ours.
    pub fn taken_back(self, begun: &Self, before: &Self) -> Option<Self> {
        let ours = self.cluster_id == begun.cluster_id
            && self.healed_at_seconds == begun.healed_at_seconds;
        ours.then_some(Self { healed_at_seconds: before.healed_at_seconds, ..self })
    }
}

/// A time since the last look that does not fit a run every few minutes.
#[derive(Debug, Clone, Copy)]
struct Jump {
    back: bool,
    seconds: u64,
}

/// What to do now, and what to note. No heal begins at a look whose time does not fit the notes: the next look decides.
/// The notes do not record a heal before it begins: [`Notes::begun`] does.
pub fn heal(
    found: &ClusterFaults,
    notes: &Notes,
    now_seconds: u64,
    terms: &HealTerms,
) -> (HealVerdict, Notes) {
    let (notes, jump) = notes.by_the_clock(now_seconds, terms);
    let since = |id: &BrokerId| notes.lost_since_seconds.get(id).copied().unwrap_or(now_seconds);
    let next = Notes {
        lost_since_seconds: found.lost.keys().map(|id| (*id, since(id))).collect(),
        looked_at_seconds: Some(now_seconds),
        ..notes.clone()
    };
    let verdict = match (judge(found, &next, now_seconds, terms), jump) {
        (HealVerdict::Heal { .. }, Some(Jump { back, seconds })) => {
            let (from, most) =
                (if back { "before" } else { "after" }, terms.between_looks_seconds());
            let why = format!(
                "this look is {seconds} s {from} the last one: the clock was set, or nobody looked for more than {most} s; \
                 the next look judges"
            );
            HealVerdict::Hands { why: vec![why] }
        }
        (verdict, _) => verdict,
    };
    (verdict, next)
}

fn judge(found: &ClusterFaults, notes: &Notes, now_seconds: u64, terms: &HealTerms) -> HealVerdict {
    let Some((broker, bytes)) = found.lost.first_key_value() else {
        return HealVerdict::Well;
    };
    let since = notes.lost_since_seconds.get(broker).copied().unwrap_or(now_seconds);
    let lost_for_seconds = now_seconds.saturating_sub(since);
    let mut why: Vec<String> = found.trouble.iter().cloned().collect();
    if found.lost.len() > 1 {
        why.push(format!("more than one broker is lost: {}", joined(found.lost.keys())));
    }
    if *bytes > terms.max_bytes {
        why.push(format!("{bytes} are on broker {broker}: more than {}", terms.max_bytes));
    }
    let again = notes.healed_at_seconds.map(|last| now_seconds.saturating_sub(last));
    if let Some(ago) = again.filter(|ago| *ago < terms.every_seconds) {
        why.push(format!(
            "the last heal was begun {ago} s ago: less than {} s",
            terms.every_seconds
        ));
    }
    if !why.is_empty() {
        return HealVerdict::Hands { why };
    }
    match lost_for_seconds < terms.lost_for_seconds {
        true => HealVerdict::Wait {
            broker: *broker,
            lost_for_seconds,
            needed_seconds: terms.lost_for_seconds,
        },
        false => HealVerdict::Heal { broker: *broker, bytes: *bytes },
    }
}

impl fmt::Display for HealVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => writeln!(f, "No broker is lost."),
            Self::Wait { broker, lost_for_seconds, needed_seconds } => writeln!(
                f,
                "Broker {broker} has been lost for {lost_for_seconds} s; it is given {needed_seconds} s to come back."
            ),
            Self::Hands { why } => {
                writeln!(f, "A broker is lost, and this is not healed by itself:")?;
                why.iter().try_for_each(|why| writeln!(f, "  {why}"))
            }
            Self::Heal { broker, bytes } => {
                writeln!(f, "Broker {broker} is given up: {bytes} go to others.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: HealTerms =
        HealTerms { lost_for_seconds: 1800, max_bytes: Bytes(1000), every_seconds: 86_400 };
    const NOW: u64 = 1_000_000;

    fn lost(brokers: &[(u32, u64)]) -> ClusterFaults {
        let lost = brokers.iter().map(|(id, bytes)| (BrokerId(*id), Bytes(*bytes)));
        ClusterFaults { lost: lost.collect(), ..ClusterFaults::default() }
    }

    fn since(seconds: u64) -> Notes {
        Notes { lost_since_seconds: [(BrokerId(3), NOW - seconds)].into(), ..Notes::default() }
    }

    #[test]
    fn a_broker_is_given_time_to_come_back_and_its_return_is_noted() {
        let (verdict, notes) = heal(&lost(&[(3, 10)]), &Notes::default(), NOW, &TERMS);
        let wait = |lost_for_seconds| HealVerdict::Wait {
            broker: BrokerId(3),
            lost_for_seconds,
            needed_seconds: 1800,
        };
        assert_eq!(verdict, wait(0));
        let (verdict, notes) = heal(&lost(&[(3, 10)]), &notes, NOW + 900, &TERMS);
        assert_eq!(verdict, wait(900));
        assert_eq!(heal(&lost(&[(3, 10)]), &notes, NOW + 1799, &TERMS).0, wait(1799));
        let (verdict, well) = heal(&lost(&[]), &notes, NOW + 1000, &TERMS);
        assert_eq!((verdict, well.lost_since_seconds.len()), (HealVerdict::Well, 0));
        assert_eq!(heal(&lost(&[(3, 10)]), &well, NOW + 1800, &TERMS).0, wait(0), "it begins anew");
        let (verdict, healed) = heal(&lost(&[(3, 10)]), &notes, NOW + 1800, &TERMS);
        assert_eq!(verdict, HealVerdict::Heal { broker: BrokerId(3), bytes: Bytes(10) });
        assert_eq!(healed.healed_at_seconds, None, "nothing is begun by a look");
        assert_eq!(healed.begun().healed_at_seconds, Some(NOW + 1800));
    }

    #[test]
    fn a_heal_that_did_not_begin_takes_back_only_its_own_record() {
        let before = Notes { looked_at_seconds: Some(NOW), healed_at_seconds: Some(7), ..since(9) };
        let begun = before.clone().begun();
        assert_eq!(begun.clone().taken_back(&begun, &before), Some(before.clone()));
        // Another run looked in between: what it noted stays.
        let lost = [(BrokerId(3), 5), (BrokerId(4), NOW)].into();
        let looked_at_seconds = Some(NOW + 60);
        let looked = Notes { looked_at_seconds, lost_since_seconds: lost, ..begun.clone() };
        let back = looked.clone().taken_back(&begun, &before);
        assert_eq!(back, Some(Notes { healed_at_seconds: Some(7), ..looked.clone() }));
        // Another run heals: its record stays.
        let healed = looked.begun();
        assert_eq!(healed.taken_back(&begun, &before), None);
    }

    #[test]
    fn a_clock_that_is_set_begins_no_heal() {
        let found = lost(&[(3, 10)]);
        let (_, notes) = heal(&found, &Notes::default(), NOW, &TERMS);
        // The clock jumps an hour ahead: half of the needed time counts, but not at this look.
        let ahead = NOW + 3600;
        let (verdict, notes) = heal(&found, &notes, ahead, &TERMS);
        assert!(matches!(verdict, HealVerdict::Wait { lost_for_seconds: 900, .. }), "{verdict:?}");
        let (verdict, later) = heal(&found, &notes, ahead + 600, &TERMS);
        assert!(matches!(verdict, HealVerdict::Wait { lost_for_seconds: 1500, .. }), "{verdict:?}");
        // The clock goes back to the true time: what was counted stays.
        let back = NOW + 1200;
        let (verdict, notes) = heal(&found, &later, back, &TERMS);
        assert!(matches!(verdict, HealVerdict::Wait { lost_for_seconds: 1500, .. }), "{verdict:?}");
        // Lost for long enough, and the clock jumps again: the next look heals.
        let (verdict, notes) = heal(&found, &notes, back + 9000, &TERMS);
        assert!(matches!(&verdict, HealVerdict::Hands { why } if why[0].contains("9000 s after")));
        let (verdict, _) = heal(&found, &notes, back + 9060, &TERMS);
        assert!(matches!(verdict, HealVerdict::Heal { .. }), "{verdict:?}");
        // A clock that jumps a day ahead starts no second heal.
        let healed =
            Notes { healed_at_seconds: Some(NOW), looked_at_seconds: Some(NOW), ..since(9999) };
        let (verdict, _) = heal(&found, &healed, NOW + 90_000, &TERMS);
        assert!(matches!(verdict, HealVerdict::Hands { .. }), "{verdict:?}");
    }

    #[test]
    fn everything_unusual_is_left_to_people() {
        let why = |found: &ClusterFaults, notes: &Notes| {
            let (verdict, _) = heal(found, notes, NOW, &TERMS);
            let HealVerdict::Hands { why } = &verdict else { panic!("{verdict:?}") };
            why.join("; ")
        };
        let two = lost(&[(3, 10), (4, 10)]);
        assert_eq!(why(&two, &since(9999)), "more than one broker is lost: 3, 4");
        assert!(why(&lost(&[(3, 1001)]), &since(9999)).contains("on broker 3: more than"));
        let twice = Notes { healed_at_seconds: Some(NOW - 86_399), ..since(9999) };
        assert_eq!(
            why(&lost(&[(3, 10)]), &twice),
            "the last heal was begun 86399 s ago: less than 86400 s"
        );
        let trouble = ClusterFaults { trouble: ["a fire".to_owned()].into(), ..lost(&[(3, 10)]) };
        assert_eq!(why(&trouble, &since(9999)), "a fire");
    }

    #[test]
    fn what_a_lost_broker_brings_with_it_is_no_trouble_of_its_own() {
        let of = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<BTreeSet<_>>();
        let partitions = || BTreeSet::new();
        let gone = Ailment::Lost { broker: BrokerId(3), replicas: 1, bytes: Bytes(10) };
        let at = |missing| Ailment::AtMinIsr { partitions: partitions(), missing };
        assert_eq!(ClusterFaults::of(&[at(of(&[3])), gone.clone()]), lost(&[(3, 10)]));
        let found = ClusterFaults::of(&[gone.clone(), at(of(&[3, 4]))]);
        assert_eq!(found.trouble.len(), 1, "{found:?}");
        let offline = Ailment::Offline { partitions: partitions(), heals: of(&[3]) };
        assert_eq!(ClusterFaults::of(&[gone, offline]).trouble.len(), 1);
    }
}
