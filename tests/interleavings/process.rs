//! A process of one role. It is a future that yields before each transition, so a scheduler can run others in between, or
//! drop it: then it was killed.

use crate::world::{Known, Role, World};
use execute::{ConfigEdit, Others, Seen, Setting};
use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::Poll;

/// The pause before a config that was set is read back, and the one between two tries for the lead.
pub const SOON: u64 = 500;

pub struct Process {
    pub role: Role,
    pub id: u32,
    world: Rc<RefCell<World>>,
    /// What the last look could show of the operator's values.
    pub known: Known,
}

/// The process ends, or does not lead any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Lost;

impl Process {
    pub fn new(role: Role, id: u32, world: Rc<RefCell<World>>) -> Self {
        Self { role, id, world, known: Known::new() }
    }

    pub fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// What follows, up to the next of these, happens at once.
    pub async fn step(&self, what: &str) {
        let mut yielded = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut yielded, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        let (role, id) = (self.role, self.id);
        self.world().tell(|| format!("{role:?} {id}: {what}"));
    }

    pub async fn rests(&self, milliseconds: u64, watches: bool) {
        let until = self.world().now + milliseconds;
        self.world().rests.insert(self.id, (until, watches));
        self.step("has rested").await;
    }

    pub fn is_to_end(&self) -> bool {
        self.world().to_end.contains(&self.id)
    }

    pub fn leads(&self) -> bool {
        self.world().store(self.role).holder == Some(self.id)
    }

    /// Takes the lead, if no process has it.
    pub fn takes_the_lead(&self) -> bool {
        let mut world = self.world();
        let store = world.store(self.role);
        if store.holder.is_none() {
            (store.holder, store.term) = (Some(self.id), store.term + 1);
        }
        store.holder == Some(self.id)
    }

    pub fn leaves(&self) {
        let mut world = self.world();
        let store = world.store(self.role);
        store.holder = store.holder.filter(|holder| *holder != self.id);
    }

    /// The lead is confirmed for the writes that follow, or they have ended.
    pub fn writes(&self, writes: bool) {
        self.world().store(self.role).writes = writes;
    }

    /// Running moves before topics, and both before the configs.
    pub async fn look(&mut self) -> Seen {
        self.step("lists reassignments").await;
        let running = self.world().running();
        self.step("describes topics").await;
        let topics = self.world().topics();
        let live = self.world().live();
        let mut seen = Seen { running, topics, live, ..Seen::default() };
        self.reads_configs(&mut seen).await;
        seen.at_seconds = self.world().now / 1000;
        seen
    }

    pub async fn reads_configs(&mut self, seen: &mut Seen) {
        for of_brokers in [true, false] {
            self.step(if of_brokers { "reads brokers" } else { "reads topics" }).await;
            let world = self.world.borrow();
            seen.configs.extend(world.configs(of_brokers));
            world.known(&mut self.known, of_brokers);
        }
    }

    /// The configs in the ledger of the other role.
    pub async fn others(&self) -> Others {
        self.step("reads the other ledger").await;
        Others::of(&self.world().store(self.role.other()).ledger)
    }

    /// Changes configs, each in two transitions: sent, and arrived. Only a list that is set or deleted as a whole
    /// changes at once, and only if it is as the look has shown it: Kafka has no condition for that.
    pub async fn sets(&self, seen: &Seen, sets: Vec<(Setting, ConfigEdit)>) {
        for (setting, edit) in sets.into_iter().flat_map(requests) {
            self.step(&format!("sets {setting}: {edit:?}")).await;
            let is_whole = setting.key.is_list() && matches!(edit, ConfigEdit::To(_));
            if is_whole && self.world().differs(seen, &setting) {
                continue;
            }
            self.world().send((self.role, self.id), seen, &self.known, (setting, edit));
            if !is_whole {
                self.step("waits for the answer").await;
            }
            self.world().arrives(self.id);
        }
    }
}

/// Kafka takes one change of a config in a request.
fn requests((setting, edit): (Setting, ConfigEdit)) -> Vec<(Setting, ConfigEdit)> {
    let edits = match edit {
        ConfigEdit::Entries { add, remove } => {
            let gain =
                (!add.is_empty()).then(|| ConfigEdit::Entries { add, remove: BTreeSet::new() });
            let loss =
                (!remove.is_empty()).then(|| ConfigEdit::Entries { add: BTreeSet::new(), remove });
            gain.into_iter().chain(loss).collect()
        }
        whole => vec![whole],
    };
    edits.into_iter().map(|edit| (setting.clone(), edit)).collect()
}
