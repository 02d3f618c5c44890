//! Cordons (KIP-1066): log dirs that keep their replicas and get no new ones.
//!
//! A snapshot stores them in the form of the broker config `cordoned.log.dirs`: paths, or `*` for every log dir.

use super::{Broker, LogDir, Snapshot};
use crate::ids::BrokerId;
use std::borrow::Cow;

/// Every log dir of a broker, including those that it gets later.
pub const EVERY_LOG_DIR: &str = "*";

impl Broker {
    /// Whether no log dir takes a new replica: all working ones are cordoned. Replicas that are there may stay.
    pub fn is_cordoned(&self) -> bool {
        // Checked first, because nearly every broker has no cordon.
        if self.cordoned_log_dirs.is_empty() {
            return false;
        }
        let every = self.cordoned_log_dirs.iter().any(|path| path == EVERY_LOG_DIR);
        let mut working = self.working_log_dirs().peekable();
        every || (working.peek().is_some() && working.all(|dir| self.cordons(&dir.path)))
    }

    /// Whether this log dir is cordoned.
    pub fn cordons(&self, log_dir: &str) -> bool {
        self.cordoned_log_dirs.iter().any(|path| path == EVERY_LOG_DIR || path == log_dir)
    }

    /// The log dirs that work. A failed one reports no size while others do; if none does, no failure is known.
    fn working_log_dirs(&self) -> impl Iterator<Item = &LogDir> {
        let tells = self.log_dirs.iter().any(|dir| dir.total.is_some());
        self.log_dirs.iter().filter(move |dir| dir.total.is_some() || !tells)
    }

    /// Removes the log dirs, but remembers if all of them are cordoned.
    pub fn forget_log_dirs(&mut self) {
        if self.is_cordoned() {
            self.cordoned_log_dirs = vec![EVERY_LOG_DIR.to_owned()];
        }
        self.log_dirs.clear();
    }
}

impl Snapshot {
    /// The cluster with all log dirs of some brokers cordoned.
    #[must_use]
    pub fn with_cordoned(&self, of: impl Fn(BrokerId) -> bool) -> Self {
        let mut parts = self.parts.clone();
        for broker in parts.brokers.iter_mut().filter(|broker| of(broker.id)) {
            broker.cordoned_log_dirs = vec![EVERY_LOG_DIR.to_owned()];
        }
        Self { parts }
    }

    /// The cluster without the cordons of some brokers.
    #[must_use]
    pub fn without_cordons(&self, of: impl Fn(BrokerId) -> bool) -> Self {
        let mut parts = self.parts.clone();
        let lifted = parts.brokers.iter_mut().filter(|broker| of(broker.id));
        lifted.for_each(|broker| broker.cordoned_log_dirs.clear());
        Self { parts }
    }

    /// The cluster in which all log dirs of brokers on cordoned nodes are cordoned, too.
    #[must_use]
    pub fn with_nodes_cordons(&self) -> Cow<'_, Self> {
        let leaves =
            |broker: &Broker| broker.kubernetes.as_ref().is_some_and(|it| it.node_cordoned);
        if !self.brokers().iter().any(leaves) {
            return Cow::Borrowed(self);
        }
        let mut parts = self.parts.clone();
        for broker in parts.brokers.iter_mut().filter(|broker| leaves(broker)) {
            broker.cordoned_log_dirs = vec![EVERY_LOG_DIR.to_owned()];
        }
        Cow::Owned(Self { parts })
    }

    /// The cluster in which brokers whose log dirs are all cordoned take replicas: for a rollback, which gives them back,
    /// and for a plan that ignores cordons.
    ///
    /// Their log dirs count as unknown, so that a plan names none. Kafka accepts a replica on such a broker, but refuses
    /// a request for one of its log dirs.
    #[must_use]
    pub fn taking_back(&self) -> Self {
        let mut parts = self.parts.clone();
        for broker in parts.brokers.iter_mut().filter(|broker| broker.is_cordoned()) {
            broker.cordoned_log_dirs.clear();
            broker.log_dirs.clear();
        }
        Self { parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Bytes;
    use crate::snapshot::{KubernetesFacts, Parts};

    fn broker(dirs: &[(&str, Option<u64>)], cordoned: &[&str]) -> Broker {
        let dir = |(path, total): &(&str, Option<u64>)| LogDir {
            path: (*path).to_owned(),
            total: total.map(Bytes),
            free: total.map(Bytes),
        };
        Broker {
            log_dirs: dirs.iter().map(dir).collect(),
            cordoned_log_dirs: cordoned.iter().map(|path| (*path).to_owned()).collect(),
            ..Broker::new(BrokerId(1))
        }
    }

    #[test]
    fn a_broker_is_cordoned_where_all_its_working_log_dirs_are() {
        let two = [("/a", Some(9)), ("/b", Some(9))];
        assert!(!broker(&two, &[]).is_cordoned());
        assert!(!broker(&two, &["/a"]).is_cordoned());
        assert!(broker(&two, &["/a", "/b"]).is_cordoned());
        assert!(broker(&two, &["*"]).is_cordoned() && broker(&[], &["*"]).is_cordoned());
        assert!(broker(&[("/a", Some(9)), ("/b", None)], &["/a"]).is_cordoned(), "b has failed");
        assert!(!broker(&[], &["/a"]).is_cordoned(), "its other log dirs are not known");
    }

    #[test]
    fn a_broker_on_a_cordoned_node_is_cordoned_if_nodes_count() {
        let on = |id: u32, node_cordoned| Broker {
            kubernetes: Some(Box::new(KubernetesFacts {
                node_cordoned,
                ..KubernetesFacts::default()
            })),
            ..Broker::new(BrokerId(id))
        };
        let of = |brokers| Snapshot::new(Parts { brokers, ..Parts::default() }).unwrap();
        let two = of(vec![on(1, false), on(2, true)]);
        let cordoned = |snapshot: &Snapshot| {
            snapshot.brokers().iter().map(Broker::is_cordoned).collect::<Vec<bool>>()
        };
        assert_eq!(cordoned(&two), [false, false]);
        assert_eq!(cordoned(&two.with_nodes_cordons()), [false, true]);
        assert!(matches!(of(vec![on(1, false)]).with_nodes_cordons(), Cow::Borrowed(_)));
    }

    #[test]
    fn a_cordon_is_part_of_the_hash_and_of_the_text_only_where_there_is_one() {
        let hash = |cordoned: &[&str]| {
            let brokers = vec![broker(&[("/a", Some(9)), ("/b", Some(9))], cordoned)];
            let snapshot = Snapshot::new(Parts { brokers, ..Parts::default() }).unwrap();
            let mut text = Vec::new();
            snapshot.write_json(&mut text).unwrap();
            assert_eq!(Snapshot::from_json(&text).unwrap(), snapshot);
            let told = String::from_utf8(text).unwrap().contains("cordoned_log_dirs");
            assert_eq!(told, !cordoned.is_empty());
            snapshot.hash()
        };
        assert_ne!(hash(&[]), hash(&["/a"]));
        assert_ne!(hash(&["/a"]), hash(&["*"]));
        assert_eq!(hash(&["/b", "/a"]), hash(&["/a", "/b", "/a"]), "their order says nothing");
    }
}
