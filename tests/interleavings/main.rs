//! An executor and a daemon over one store, in a simulated cluster. A seed decides in which order their transitions happen,
//! and what else does: kills at any transition, leads that end, requests that are lost or not answered, an operator who sets
//! rates, and reassignments of other tools. The decisions, the ledger and its records are the shipped code's.
//!
//! The laws:
//! * at the end, every config has the value that the operator set last; a list has its entries, in any order
//! * at no moment is a value of one role recorded by the other as an original
//! * no list loses an entry of a copy that the other role paces
//! * at no moment does a config have a value that neither a ledger lists nor the operator has set
//!
//! Left out: two writes of one list that cross. A list is written whole, so here it is written only as the look has shown it.
//! An executor's store answers, or has done what it does not confirm. Old lines in the file of an earlier machine are gone.
//!
//! Every build tries [`USUAL`] interleavings; `MAPPR_INTERLEAVINGS` sets another number. A failure prints its seed, and the
//! trace of its transitions; `MAPPR_INTERLEAVINGS=457..458` repeats seed 457.

mod choices;
mod daemon;
mod executor;
mod process;
mod world;

use choices::Choices;
use process::Process;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use world::{Law, Role, World};

const USUAL: u64 = 1_500;
/// How many transitions happen before everything is driven to quiet.
const BUSY: usize = 160;
/// After so many more, everything must be over.
const LONGEST: usize = 6_000;
/// A process that could go on waits no longer than this: requests time out.
const PATIENCE: u64 = 1_000;
/// How long a transition may take, in milliseconds.
const TAKES: [u64; 3] = [10, 50, 300];

struct Actor {
    role: Role,
    id: u32,
    future: Pin<Box<dyn Future<Output = ()>>>,
    ready_since: u64,
}

/// One interleaving.
struct Interleaving {
    world: Rc<RefCell<World>>,
    actors: Vec<Actor>,
    next_id: u32,
    turn: usize,
}

impl Interleaving {
    fn new(choices: Choices) -> Self {
        let world = Rc::new(RefCell::new(World::new(choices)));
        Self { world, actors: Vec::new(), next_id: 1, turn: 0 }
    }

    fn pick(&self, count: usize) -> usize {
        self.world.borrow_mut().choices.pick(count)
    }

    fn starts(&mut self, role: Role) {
        let id = self.next_id;
        self.next_id += 1;
        let process = Process::new(role, id, self.world.clone());
        let future: Pin<Box<dyn Future<Output = ()>>> = match role {
            Role::Daemon => Box::pin(daemon::daemon(process)),
            // A file has one process. After a lead was lost, that may still be the old one.
            Role::Executor => {
                let is_new = self.lives(role) > 0 || self.pick(4) == 3;
                Box::pin(executor::execution(process, is_new))
            }
        };
        self.actors.push(Actor { role, id, future, ready_since: self.world.borrow().now });
        self.world.borrow_mut().tell(|| format!("{role:?} {id} starts"));
        self.polls(self.actors.len() - 1);
    }

    fn lives(&self, role: Role) -> usize {
        self.actors.iter().filter(|actor| actor.role == role).count()
    }

    fn leads(&self, role: Role) -> bool {
        let holder = self.world.borrow_mut().store(role).holder;
        self.actors.iter().any(|actor| Some(actor.id) == holder)
    }

    fn polls(&mut self, index: usize) {
        let actor = &mut self.actors[index];
        self.world.borrow_mut().rests.remove(&actor.id);
        let ended = actor.future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let mut world = self.world.borrow_mut();
        actor.ready_since = world.rests.get(&actor.id).map_or(world.now, |(until, _)| *until);
        if ended {
            let (role, id) = (actor.role, actor.id);
            world.tell(|| format!("{role:?} {id} has ended"));
            drop(world);
            self.actors.remove(index);
        }
    }

    /// One transition of one process, or time passes until one can go on.
    fn steps(&mut self) {
        let mut world = self.world.borrow_mut();
        if self.actors.is_empty() {
            world.now += PATIENCE;
            return;
        }
        world.now += TAKES[world.choices.pick(TAKES.len())];
        let until = |actor: &Actor| world.rests.get(&actor.id).map_or(0, |(until, _)| *until);
        let first = self.actors.iter().map(until).min().unwrap_or_default();
        let now = world.now.max(first);
        let ready: Vec<usize> =
            (0..self.actors.len()).filter(|index| until(&self.actors[*index]) <= now).collect();
        let late = ready.iter().copied().find(|i| self.actors[*i].ready_since + PATIENCE < now);
        let skip = match late {
            Some(_) => 0,
            None => world.choices.pick(ready.len()),
        };
        world.now = now;
        drop(world);
        self.turn += 1;
        self.polls(late.unwrap_or_else(|| ready[(self.turn + skip) % ready.len()]));
    }

    fn kills(&mut self, index: usize) {
        let Actor { role, id, .. } = self.actors.remove(index);
        let mut world = self.world.borrow_mut();
        world.tell(|| format!("{role:?} {id} is killed"));
        world.rests.remove(&id);
        if world.store(role).holder == Some(id) {
            world.store(role).writes = false;
        }
    }

    /// The lead of a role ends: its process is dead, or has slept for too long.
    fn lead_ends(&mut self, role: Role) {
        let mut world = self.world.borrow_mut();
        let (holder, writes) = (world.store(role).holder, world.store(role).writes);
        let Some(holder) = holder.filter(|_| !writes) else { return };
        world.tell(|| format!("the lead of {role:?} {holder} ends"));
        // A request is not on its way for longer than that.
        world.arrives(holder);
        world.store(role).holder = None;
    }

    fn role(&self) -> Role {
        if self.pick(2) == 0 { Role::Daemon } else { Role::Executor }
    }

    fn happens(&mut self) {
        match self.pick(48) {
            1 => self.world.borrow_mut().operator_acts(),
            2 if !self.actors.is_empty() => self.kills(self.pick(self.actors.len())),
            3 => self.lead_ends(self.role()),
            4 | 5 => {
                let role = self.role();
                if self.lives(role) < 2 && !(role == Role::Executor && self.leads(role)) {
                    self.starts(role);
                }
            }
            6 => self.world.borrow_mut().others_act(),
            7..=10 => drop(self.world.borrow_mut().progresses()),
            11 if !self.actors.is_empty() => {
                let id = self.actors[self.pick(self.actors.len())].id;
                self.world.borrow_mut().to_end.insert(id);
            }
            12 => self.world.borrow_mut().other_pace(),
            _ => self.steps(),
        }
        self.world.borrow_mut().every_value_has_an_owner();
    }

    /// No faults any more: successors finish what was left, both roles end in order.
    fn calms_down(&mut self) {
        for turn in 0..LONGEST {
            if self.is_broken() {
                return;
            }
            for role in [Role::Executor, Role::Daemon] {
                if !self.leads(role) {
                    self.lead_ends(role);
                }
            }
            let mut world = self.world.borrow_mut();
            let moves = match turn % 8 {
                0 => world.progresses(),
                _ => !world.running().is_empty(),
            };
            let executes = world.plan.is_some() || !world.store(Role::Executor).ledger.is_empty();
            let is_over = !moves && !executes && world.store(Role::Daemon).ledger.is_empty();
            drop(world);
            if is_over && self.actors.is_empty() {
                return self.world.borrow_mut().every_value_is_the_operators();
            }
            if executes && self.lives(Role::Executor) == 0 {
                self.starts(Role::Executor);
            } else if self.lives(Role::Daemon) == 0 && !is_over {
                self.starts(Role::Daemon);
            }
            if !moves && !executes {
                let mut world = self.world.borrow_mut();
                let leads = [Role::Executor, Role::Daemon].map(|role| world.store(role).holder);
                let ends = |id: &u32| is_over || leads.contains(&Some(*id));
                world.to_end.extend(self.actors.iter().map(|actor| actor.id).filter(ends));
            }
            self.steps();
            self.world.borrow_mut().every_value_has_an_owner();
        }
        self.world.borrow_mut().breaks(Law::Ends, String::new());
    }

    fn is_broken(&self) -> bool {
        self.world.borrow().broken.is_some()
    }

    /// The choices, the broken law, and the trace.
    fn run(choices: Choices, traced: bool) -> (Vec<u32>, Option<(Law, String)>, Vec<String>) {
        let mut run = Self::new(choices);
        run.world.borrow_mut().trace = traced.then(Vec::new);
        run.starts(Role::Daemon);
        run.starts(Role::Executor);
        for _ in 0..BUSY {
            run.happens();
            if run.is_broken() {
                break;
            }
        }
        run.calms_down();
        let mut world = run.world.borrow_mut();
        let choices = std::mem::take(&mut world.choices.made);
        (choices, world.broken.take(), world.trace.take().unwrap_or_default())
    }
}

/// Makes as many choices dull as possible, so that the same law still breaks.
fn shrunk(mut choices: Vec<u32>, law: Law) -> Vec<u32> {
    let breaks = |choices: &[u32]| {
        let (_, broken, _) = Interleaving::run(Choices::given(choices.to_vec()), false);
        broken.is_some_and(|(other, _)| other == law)
    };
    let mut length = choices.len();
    while length > 0 {
        for start in (0..choices.len()).step_by(length) {
            let mut duller = choices.clone();
            let end = (start + length).min(duller.len());
            duller[start..end].fill(0);
            if duller != choices && breaks(&duller) {
                choices = duller;
            }
        }
        length /= 2;
    }
    choices
}

/// Prints the seed also if the shipped code panics.
struct Tried(u64);

impl Drop for Tried {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

fn keeps_the_laws(seed: u64) {
    let _tried = Tried(seed);
    let (choices, broken, _) = Interleaving::run(Choices::of_seed(seed), false);
    let Some((law, text)) = broken else { return };
    let (_, _, trace) = Interleaving::run(Choices::given(shrunk(choices, law)), true);
    panic!("{law:?}: {text}; the trace after it was shrunk:\n{}", trace.join("\n"));
}

/// Another tool's move runs between two moves of an execution, whose rates stay.
#[test]
fn a_rate_of_an_execution_between_its_moves_is_not_the_operators() {
    keeps_the_laws(7);
}

/// The store removes a line, but does not confirm it. The next round wants the config again.
#[test]
fn a_line_that_the_store_may_have_lost_is_written_again() {
    keeps_the_laws(19_495);
}

#[test]
fn every_interleaving_restores_what_was_there() {
    let asked = std::env::var("MAPPR_INTERLEAVINGS").unwrap_or_else(|_| USUAL.to_string());
    let (from, to) = asked.split_once("..").unwrap_or(("0", &asked));
    (from.parse().unwrap()..to.parse().unwrap()).for_each(keeps_the_laws);
}
