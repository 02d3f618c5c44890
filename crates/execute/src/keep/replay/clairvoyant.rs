//! What the same policy would copy if it knew what lasts.

use super::super::{ClusterFaults, KeepNotes, KeepPolicy, Trigger, TriggerTerms};
use super::{Course, Happening, ReplayError, ReplayState};
use mapper::{Assignment, Bytes, Rate, Snapshot};

/// How often a clairvoyant looks after each event, at most: more often than it has needs.
const CLAIRVOYANT_LOOKS: u64 = 40;
/// What calls for plans as sizes change. A clairvoyant does it at the end.
const LOADS: [Trigger; 3] = [Trigger::FullDisk, Trigger::FillingDisk, Trigger::Imbalance];

/// What the same policy would copy if it knew what lasts: it answers each loss, cordon, new broker and drift at once, but none that
/// ends by itself, and relieves and evens disks one time, at the end. No wait, no limit and no fault of the cluster holds it up.
///
/// # Errors
/// [`ReplayError`].
pub fn clairvoyant<C: Course>(
    start: &Snapshot,
    course: &C,
    (from_seconds, until_seconds): (u64, u64),
    policy: &KeepPolicy,
    scope: &dyn Fn(&Snapshot) -> Vec<Assignment>,
) -> Result<Bytes, ReplayError> {
    let at_once = |terms: &TriggerTerms| TriggerTerms {
        for_seconds: 0,
        rest_seconds: 0,
        max_bytes: None,
        ..*terms
    };
    let triggers = policy.triggers.iter().map(|(trigger, terms)| (*trigger, at_once(terms)));
    let at_the_end = KeepPolicy {
        triggers: triggers.collect(),
        throttle: Rate(u64::MAX),
        bytes_per_day: None,
        hours: None,
        ..policy.clone()
    };
    let mut meanwhile = at_the_end.clone();
    meanwhile.triggers.retain(|trigger, _| !LOADS.contains(trigger));
    let mut run = ReplayState::new(start, course, policy);
    for (at, happening) in lasting(course.happenings(from_seconds.saturating_sub(1), until_seconds))
    {
        run.happen(happening);
        run.answer(at, &meanwhile, scope)?;
    }
    run.answer(until_seconds, &at_the_end, scope)?;
    Ok(run.replayed.bytes)
}

/// Without losses and cordons that end, and without their ends.
pub(super) fn lasting(all: Vec<(u64, Happening)>) -> Vec<(u64, Happening)> {
    let ends = |of: &Happening| match of {
        Happening::Lost(id) => Some(Happening::Back(*id)),
        Happening::Cordoned(id) => Some(Happening::Uncordoned(*id)),
        Happening::Back(_)
        | Happening::Uncordoned(_)
        | Happening::Joined(_)
        | Happening::Grown(_)
        | Happening::Deleted(_) => None,
    };
    let is_among =
        |these: &[(u64, Happening)], what: &Happening| these.iter().any(|(_, it)| it == what);
    let lasts = |at: usize| {
        let (earlier, later) = (&all[..at], &all[at..]);
        let what = &all[at].1;
        let has_end = ends(what).is_some_and(|end| is_among(later, &end));
        let is_end = earlier.iter().any(|(_, it)| ends(it).as_ref() == Some(what));
        !has_end && !is_end
    };
    (0..all.len()).filter(|at| lasts(*at)).map(|at| all[at].clone()).collect()
}

impl<C: Course> ReplayState<'_, C> {
    /// Carries out one plan after the other, until nothing calls for one. A need for evenness has to last for a second.
    fn answer(
        &mut self,
        at: u64,
        policy: &KeepPolicy,
        scope: &dyn Fn(&Snapshot) -> Vec<Assignment>,
    ) -> Result<(), ReplayError> {
        (self.notes, self.ended) = (KeepNotes::default(), Vec::new());
        let mut idle = false;
        for now in at..at + CLAIRVOYANT_LOOKS {
            self.pass(now)?;
            self.look(now, policy, scope, |_| ClusterFaults::default())?;
            match self.flight.take() {
                Some(flight) => {
                    self.arrive(flight.plan, now)?;
                    idle = false;
                }
                None if idle => break,
                None => idle = true,
            }
        }
        Ok(())
    }
}
