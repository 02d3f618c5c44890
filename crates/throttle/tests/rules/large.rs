//! A large cluster is answered. How fast is measured by `cargo xtask bench --only decide`.

use crate::large_facts::round;
use crate::support::*;
use mapper::BrokerId;
use throttle::{ReplicationRole, ThrottleMemory, decide};

#[test]
fn a_large_cluster_is_answered_in_every_round() {
    let mut state = ThrottleMemory::default();
    for n in 0..3 {
        let (next, decision) = decide(state, &round(n), &limits());
        state = next;
        assert_eq!(decision.lists.len(), 500);
        assert_eq!(decision.rates.len(), 1000);
        assert!(decision.rates.contains_key(&(BrokerId(499), ReplicationRole::Follower)));
    }
}
