use super::*;
use health::Ailment;
use mapper::snapshot::{Broker, Partition, Parts, Topic};
use mapper::{Assignment, BrokerId, PartitionId, PlaceBy, Snapshot, TopicSelection};
use proptest::prelude::*;

const NOW: u64 = 1_000_000;
const HOUR: u64 = 3_600;

fn need(text: &str) -> Need {
    text.parse().unwrap()
}

fn seen(text: &str, bytes: u64) -> SeenNeed {
    let plan = PlannedNeed {
        plan_id: format!("plan of {text}"),
        what: String::new(),
        bytes: Bytes(bytes),
        bound_bytes: None,
        seconds: bytes,
        warnings: BTreeSet::new(),
    };
    SeenNeed { need: need(text), plan: Ok(plan) }
}

fn look(at_seconds: u64, needs: Vec<SeenNeed>) -> KeepLook {
    KeepLook { at_seconds, needs, ..KeepLook::default() }
}

/// Everything is allowed after 30 minutes, and 1,000 bytes a day.
fn policy(mode: KeepMode) -> KeepPolicy {
    let terms = TriggerTerms { mode, for_seconds: 1800, rest_seconds: 0, max_bytes: None };
    let triggers = Trigger::ALL.into_iter().map(|trigger| (trigger, terms)).collect();
    KeepPolicy { triggers, bytes_per_day: Some(Bytes(1000)), ..KeepPolicy::default() }
}

/// Looks every 15 minutes with the same needs.
fn looks(count: u64, needs: &[SeenNeed], policy: &KeepPolicy) -> (Vec<Proposal>, KeepNotes) {
    let (mut proposals, mut notes) = (Vec::new(), KeepNotes::default());
    for at in 0..count {
        let look = look(NOW + at * 900, needs.to_vec());
        (proposals, notes) = keep(&look, &notes, &PlanAnswers::default(), policy);
    }
    (proposals, notes)
}

fn held(proposal: &Proposal) -> String {
    match &proposal.state {
        ProposalState::Held { why } => why.join("; "),
        state @ (ProposalState::Young { .. }
        | ProposalState::ByHand { .. }
        | ProposalState::ForApproval
        | ProposalState::Begins) => {
            panic!("{state:?}")
        }
    }
}

#[test]
fn a_need_begins_after_it_has_lasted_and_its_end_is_noted() {
    let needs = [seen("lost-broker 3", 10)];
    let (proposals, _) = looks(2, &needs, &policy(KeepMode::Act));
    let young = ProposalState::Young { lasted_seconds: 900, needed_seconds: 1800 };
    assert_eq!(proposals[0].state, young);
    let (proposals, notes) = looks(3, &needs, &policy(KeepMode::Act));
    assert_eq!(proposals[0].state, ProposalState::Begins);
    assert_eq!(notes.begun[0].plan_id, "plan of lost-broker 3");
    let (_, gone) = keep(
        &look(NOW + 2700, Vec::new()),
        &notes,
        &PlanAnswers::default(),
        &policy(KeepMode::Act),
    );
    assert_eq!(gone.since_seconds.len(), 0);
    assert_eq!(gone.clone().without("plan of lost-broker 3").begun, []);
}

#[test]
fn a_proposal_waits_for_the_approval_of_this_plan() {
    let needs = [seen("drift", 10)];
    let (proposals, notes) = looks(3, &needs, &policy(KeepMode::Propose));
    assert_eq!(proposals[0].state, ProposalState::ForApproval);
    let with = |id: &str| {
        let look = look(NOW + 2700, needs.to_vec());
        let answers = PlanAnswers { approved: [id.to_owned()].into(), ..PlanAnswers::default() };
        keep(&look, &notes, &answers, &policy(KeepMode::Propose)).0[0].state.clone()
    };
    assert_eq!(with("another plan"), ProposalState::ForApproval);
    assert_eq!(with("plan of drift"), ProposalState::Begins);
    let rejected =
        PlanAnswers { rejected: ["plan of drift".to_owned()].into(), ..PlanAnswers::default() };
    let look = look(NOW + 2700, needs.to_vec());
    let (proposals, _) = keep(&look, &notes, &rejected, &policy(KeepMode::Act));
    assert_eq!(held(&proposals[0]), "an operator has rejected the plan");
}

#[test]
fn a_plan_with_warnings_needs_an_approval_even_if_it_may_act() {
    let mut warned = seen("drift", 10);
    warned.plan.as_mut().unwrap().warnings.insert("few-racks".to_owned());
    let (proposals, _) = looks(3, &[warned], &policy(KeepMode::Act));
    assert_eq!(proposals[0].state, ProposalState::ForApproval);
}

#[test]
fn one_plan_begins_at_a_time_the_most_urgent_first() {
    let needs = [seen("imbalance storage", 10), seen("leaving-broker 4", 10)];
    let (proposals, notes) = looks(3, &needs, &policy(KeepMode::Act));
    assert_eq!(proposals[0].state, ProposalState::Begins);
    assert_eq!(held(&proposals[1]), "the plan for leaving-broker 4 begins");
    assert_eq!(notes.begun.len(), 1);
}

#[test]
fn evenness_is_restored_only_if_the_need_outlasts_the_copies() {
    let needs = [seen("imbalance storage", 2_000)];
    let mut policy = policy(KeepMode::Act);
    policy.bytes_per_day = None;
    let (proposals, _) = looks(3, &needs, &policy);
    let young = ProposalState::Young { lasted_seconds: 1800, needed_seconds: 2_000 };
    assert_eq!(proposals[0].state, young);
    assert_eq!(looks(4, &needs, &policy).0[0].state, ProposalState::Begins);
}

#[test]
fn each_limit_is_named() {
    let act = policy(KeepMode::Act);
    let why = |policy: &KeepPolicy| held(&looks(3, &[seen("drift", 900)], policy).0[0]);
    let terms = |change: &dyn Fn(&mut TriggerTerms)| {
        let mut policy = act.clone();
        policy.triggers.values_mut().for_each(change);
        policy
    };
    assert_eq!(
        why(&terms(&|terms| terms.max_bytes = Some(Bytes(800)))),
        "the plan copies 900 B: more than 800 B"
    );
    let less = KeepPolicy { bytes_per_day: Some(Bytes(899)), ..act.clone() };
    assert_eq!(why(&less), "the plan copies 900 B, after 0 B in 24 hours: 899 B are allowed");
    // NOW + 1800 is 14:16:40.
    let hours = |from: u64, until: u64| {
        let hours = Hours { from_seconds: from * HOUR, until_seconds: until * HOUR };
        KeepPolicy { hours: Some(hours), ..act.clone() }
    };
    assert_eq!(why(&hours(22, 6)), "plans are carried out at 22:00-06:00 UTC");
    let end = Hours { from_seconds: 0, until_seconds: 14 * HOUR + 1200 };
    let short = KeepPolicy { hours: Some(end), ..act.clone() };
    assert_eq!(why(&short), "the plan takes 900 s, and 200 s are left of 00:00-14:20 UTC");
    let rests = terms(&|terms| terms.rest_seconds = 2 * HOUR);
    let (_, notes) = looks(3, &[seen("drift", 10)], &rests);
    let later = look(NOW + 2700, vec![seen("drift", 10)]);
    let (proposals, _) = keep(&later, &notes, &PlanAnswers::default(), &rests);
    assert_eq!(held(&proposals[0]), "the last plan for drift ended 0 s ago: less than 7200 s");
    let mut moving = later;
    moving.faults.other.insert("1 partition is being reassigned".to_owned());
    let (proposals, _) = keep(&moving, &KeepNotes::default(), &PlanAnswers::default(), &act);
    assert_eq!(held(&proposals[0]), "1 partition is being reassigned");
}

#[test]
fn a_clock_that_is_set_begins_no_plan() {
    let (needs, policy) = ([seen("lost-broker 3", 10)], policy(KeepMode::Act));
    let (_, notes) = looks(1, &needs, &policy);
    // The clock jumps an hour ahead: half of the needed time counts, but not at this look.
    let at = |seconds: u64, notes: &KeepNotes| {
        let (proposals, notes) =
            keep(&look(seconds, needs.to_vec()), notes, &PlanAnswers::default(), &policy);
        (proposals[0].state.clone(), notes)
    };
    let young = |lasted_seconds| ProposalState::Young { lasted_seconds, needed_seconds: 1800 };
    let ahead = NOW + HOUR;
    let (state, notes) = at(ahead, &notes);
    assert_eq!(state, young(900));
    let (state, notes) = at(ahead + 600, &notes);
    assert_eq!(state, young(1500));
    // The clock goes back to the true time: what was counted stays.
    let back = NOW + 1200;
    let (state, notes) = at(back, &notes);
    assert_eq!(state, young(1500));
    // It has lasted for long enough, and the clock jumps again: the next look begins the plan.
    let (state, notes) = at(back + 9_000, &notes);
    assert!(
        matches!(&state, ProposalState::Held { why } if why[0].contains("9000 s after")),
        "{state:?}"
    );
    assert_eq!(at(back + 9_060, &notes).0, ProposalState::Begins);
}

#[test]
fn everything_but_the_repair_waits_for_a_whole_cluster() {
    let of = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<BTreeSet<_>>();
    let lost = |id| Ailment::Lost { broker: BrokerId(id), replicas: 1, bytes: Bytes(10) };
    let at = |missing| Ailment::AtMinIsr { partitions: BTreeSet::new(), missing };
    let faults = ClusterFaults::of(&[lost(3), at(of(&[3]))]);
    assert_eq!(faults, ClusterFaults { lost: of(&[3]), ..ClusterFaults::default() });
    assert_eq!(faults.against(&need("lost-broker 3")), Vec::<String>::new());
    assert_eq!(faults.against(&need("drift")), ["lost: broker 3"]);
    let two = ClusterFaults::of(&[lost(3), lost(4)]);
    assert_eq!(two.against(&need("lost-broker 3")), ["more than one broker is lost: 3, 4"]);
    // A dead broker that holds nothing any more is no loss: its plan is done.
    let empty = Ailment::Fenced { broker: BrokerId(4), replicas: 0, bytes: Bytes(0) };
    assert_eq!(ClusterFaults::of(&[lost(3), empty]).lost, of(&[3]));
    let lags = ClusterFaults::of(&[lost(3), at(of(&[3, 4]))]);
    assert_eq!(lags.against(&need("lost-broker 3")).len(), 1);
    // Only the plan that makes room goes on.
    let full = ClusterFaults { full: of(&[1]), ..ClusterFaults::default() };
    assert_eq!(full.against(&need("full-disk 1")), Vec::<String>::new());
    for other in ["lost-broker 3", "filling-disk 2", "drift"] {
        assert_eq!(full.against(&need(other)), ["the disk of broker 1 is nearly full"]);
    }
}

/// What happens at one look: which needs are there, with the bytes of their plans, and whether the cluster is busy.
#[derive(Debug, Clone)]
struct Event {
    pause_seconds: u64,
    needs: Vec<(usize, u64)>,
    busy: bool,
    lost: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let needs = proptest::collection::vec((0..Trigger::ALL.len(), 1..600_u64), 0..4);
    let event = (60..600_u64, needs, proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    let event = event.prop_map(|(pause_seconds, needs, busy, lost)| Event {
        pause_seconds,
        needs,
        busy,
        lost,
    });
    proptest::collection::vec(event, 1..200)
}

proptest! {
    /// Whatever is seen: one plan at a time, in its hours, inside every limit, and only if nothing else happens.
    #[test]
    fn no_plan_begins_outside_the_policy(events in events(), from in 0..24_u64, long in 1..24_u64) {
        let hours = Hours { from_seconds: from * HOUR, until_seconds: (from + long) % 24 * HOUR };
        let terms = TriggerTerms {
            mode: KeepMode::Act,
            for_seconds: 1_200,
            rest_seconds: 1_000,
            max_bytes: Some(Bytes(500)),
        };
        let triggers = Trigger::ALL.into_iter().map(|trigger| (trigger, terms)).collect();
        let policy = KeepPolicy {
            triggers,
            bytes_per_day: Some(Bytes(2_000)),
            hours: Some(hours),
            ..KeepPolicy::default()
        };
        let (mut notes, mut now) = (KeepNotes::default(), NOW);
        let mut begun: Vec<(Trigger, u64, u64)> = Vec::new();
        for (round, event) in events.into_iter().enumerate() {
            now += event.pause_seconds;
            let mut needs: Vec<SeenNeed> = Vec::new();
            for (trigger, bytes) in &event.needs {
                let mut one = seen(Trigger::ALL[*trigger].name(), *bytes);
                if let Ok(plan) = &mut one.plan {
                    plan.plan_id = format!("{round}");
                }
                if needs.iter().all(|other| other.need != one.need) {
                    needs.push(one);
                }
            }
            let mut seen = look(now, needs);
            seen.faults.other.extend(event.busy.then(|| "busy".to_owned()));
            seen.faults.lost.extend(event.lost.then_some(BrokerId(7)));
            let (proposals, next) = keep(&seen, &notes, &PlanAnswers::default(), &policy);
            notes = next;
            let begins: Vec<&Proposal> =
                proposals.iter().filter(|it| it.state == ProposalState::Begins).collect();
            prop_assert!(begins.len() <= 1);
            let Some(proposal) = begins.first() else { continue };
            let plan = proposal.plan.as_ref().unwrap();
            prop_assert!(!event.busy);
            prop_assert!(!event.lost || proposal.need.trigger == Trigger::LostBroker);
            prop_assert!(plan.bytes.0 <= 500);
            prop_assert!(hours.left_seconds(now).is_some_and(|left| left >= plan.seconds));
            let trigger = proposal.need.trigger;
            let last = begun.iter().rfind(|(of, ..)| *of == trigger);
            prop_assert!(last.is_none_or(|(_, at, _)| now - at >= 1_000));
            begun.push((trigger, now, plan.bytes.0));
            let day = begun.iter().filter(|(_, at, _)| now - at < DAY_SECONDS);
            let day = day.map(|(.., bytes)| bytes);
            prop_assert!(day.sum::<u64>() <= 2_000);
        }
    }
}

#[test]
fn a_broker_that_was_lost_during_another_plan_is_replaced_at_the_next_look() {
    let policy = policy(KeepMode::Act);
    let (_, began) = looks(3, &[seen("drift", 10)], &policy);
    assert_eq!(began.begun.len(), 1);
    // The plan took a day, and no look was taken.
    let left = NOW + 86_400;
    let notes = began.with_lost(&[BrokerId(3)].into(), left, &policy);
    let faults = ClusterFaults { lost: [BrokerId(3)].into(), ..ClusterFaults::default() };
    let needs = vec![seen("drift", 10), seen("lost-broker 3", 10)];
    let look = KeepLook { faults, ..look(left + 20, needs) };
    let (proposals, _) = keep(&look, &notes, &PlanAnswers::default(), &policy);
    assert_eq!(proposals[0].state, ProposalState::Begins, "{proposals:?}");
    assert_eq!(held(&proposals[1]), "lost: broker 3");
}

#[test]
fn a_broker_is_lost_for_a_second_at_least() {
    let mut policy = policy(KeepMode::Act);
    assert_eq!(policy.replaces_lost_after_seconds(), Some(1800));
    policy.triggers.get_mut(&Trigger::LostBroker).unwrap().for_seconds = 0;
    assert_eq!(policy.replaces_lost_after_seconds(), Some(1), "execute takes no 0");
    policy.triggers.get_mut(&Trigger::LostBroker).unwrap().mode = KeepMode::Propose;
    assert_eq!(policy.replaces_lost_after_seconds(), None);
}

/// Two brokers of 100 bytes each, and what is used on them.
fn used(bytes: [u64; 2]) -> Snapshot {
    let broker = |(at, used): (u32, u64)| Broker {
        storage_total: Some(Bytes(100)),
        storage_free: Some(Bytes(100 - used)),
        ..Broker::new(BrokerId(at))
    };
    let brokers = (1..).zip(bytes).map(broker).collect();
    Snapshot::new(Parts { brokers, ..Parts::default() }).unwrap()
}

#[test]
fn a_disk_fills_if_it_is_only_expected_to_be_full() {
    let terms = policy(KeepMode::Act).triggers[&Trigger::FullDisk];
    let both = [Trigger::FullDisk, Trigger::FillingDisk].map(|trigger| (trigger, terms)).into();
    let policy = KeepPolicy { triggers: both, ..KeepPolicy::default() };
    let (now, then) = (used([90, 50]), used([95, 90]));
    let found = |later| -> Vec<String> {
        needs(&now, later, &[], &policy).unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(found(None), ["full-disk 1"]);
    assert_eq!(found(Some(&then)), ["full-disk 1", "filling-disk 2"]);
    // Its plan is one for that day, and that of a full disk is for today.
    let day = |text: &str| std::ptr::eq(need(text).seen_in(&now, Some(&then)), &then);
    assert_eq!(["full-disk 1", "filling-disk 2"].map(day), [false, true]);
    assert_eq!(policy.looks_ahead_days(), Some(7));
    assert_eq!(KeepPolicy::default().looks_ahead_days(), None);
    // Of a broker that tells only its size, the replicas tell what is free.
    let mut partition = Partition::new(PartitionId(0), [BrokerId(1)]);
    partition.size = Some(Bytes(90));
    let topics =
        vec![Topic { name: "t".to_owned(), partitions: vec![partition], ..Topic::default() }];
    let brokers = vec![Broker { storage_total: Some(Bytes(100)), ..Broker::new(BrokerId(1)) }];
    let told = Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap();
    let found = needs(&told, None, &[], &policy).unwrap();
    assert_eq!(found, [need("full-disk 1")]);
}

/// One partition of this size on broker 1, of two.
fn sized(bytes: u64) -> Snapshot {
    let broker = |id| Broker {
        storage_total: Some(Bytes(1 << 40)),
        storage_free: Some(Bytes(1 << 39)),
        ..Broker::new(BrokerId(id))
    };
    let mut partition = Partition::new(PartitionId(0), [BrokerId(1)]);
    partition.size = Some(Bytes(bytes));
    let topics =
        vec![Topic { name: "t".to_owned(), partitions: vec![partition], ..Topic::default() }];
    let brokers = [1, 2].map(broker).into();
    Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
}

#[test]
fn a_proposed_plan_stays_while_clients_write_and_becomes_another_if_it_copies_a_tenth_more() {
    const GB: u64 = 1_000_000_000;
    let policy = policy(KeepMode::Propose);
    let made_of = |bytes| {
        let all = Assignment::new(TopicSelection::Rest, [BrokerId(2)].into());
        let request = need("drift").request(vec![all], PlaceBy::Storage, &policy);
        mapper::plan(&sized(bytes), &request)
    };
    let proposed = made_of(10 * GB).unwrap();
    let stays = |bytes: u64| {
        let new = || made_of(bytes);
        let plan = need("drift").plan(Some(proposed.clone()), &sized(bytes), &policy, new);
        let (plan, is_new) = plan.unwrap().unwrap();
        assert_eq!(plan == proposed, !is_new);
        !is_new
    };
    assert_eq!([10 * GB, 11 * GB, 9 * GB, 11 * GB + 1].map(stays), [true, true, true, false]);
}

#[test]
fn certificates_are_told_and_never_acted_on() {
    let why = "SSL of brokers 1-3: CN=kafka expires on 2026-12-05, in 8 days".to_owned();
    let told = SeenNeed { need: need("certificates"), plan: Err(why.clone()) };
    let mut all = policy(KeepMode::Act);
    let look = KeepLook {
        faults: ClusterFaults { lost: [BrokerId(3)].into(), ..ClusterFaults::default() },
        ..look(NOW, vec![told])
    };
    let keep =
        |policy: &KeepPolicy| keep(&look, &KeepNotes::default(), &PlanAnswers::default(), policy).0;
    assert_eq!(keep(&all)[0].state, ProposalState::ByHand { why: vec![why] });
    let found = needs(&sized(1), None, &[], &all).unwrap();
    assert!(!found.contains(&need("certificates")), "no snapshot has them");
    all.triggers.remove(&Trigger::Certificates);
    assert_eq!(keep(&all), []);
}
