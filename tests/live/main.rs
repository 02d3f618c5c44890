//! Live tests: the real binary against real servers. `cargo xtask test --only live`
//!
//! Each file is one situation. A test that only looks shares its cluster with its neighbours; a test
//! that changes a cluster has one of its own. Nothing is skipped: what is missing is a failure.

mod bad_input;
mod binary;
mod empty_disk;
mod execution;
mod facts;
mod kubernetes;
mod log_dirs;
mod lost_broker;
mod odd_states;
mod plan;
mod producer;
mod topics;
mod topics_cronjob;
mod traffic;
mod znodes;
mod zookeeper_alone;
