//! Live tests: the real binary against real servers. `cargo xtask test --only live`
//!
//! Each file is one situation. A test that only looks shares its cluster with its neighbours; a test
//! that changes a cluster has one of its own. Nothing is skipped: what is missing is a failure.

mod auto;
mod autothrottle;
mod autothrottle_recovery;
mod autothrottle_topic;
mod autothrottle_zookeeper;
mod bad_input;
mod binary;
mod browser;
mod canary;
mod certs;
mod chart;
mod closed_loop;
mod crowd;
mod daemon;
mod doctor;
mod drained;
mod empty_disk;
mod execution;
mod execution_dirs;
mod executors;
mod facts;
mod facts_of_moves;
mod first_use;
mod heal;
mod kubernetes;
mod load;
mod log_dirs;
mod long_moves;
mod lost_broker;
mod metrics;
mod midway;
mod odd_states;
mod outages;
mod overload;
mod plan;
mod plot;
mod pod;
mod producer;
mod quotas;
mod readiness;
mod rollback;
mod runbook;
mod same_id;
mod scarce;
mod sidecars;
mod state_topic;
mod throttles;
mod topics;
mod topics_cronjob;
mod topics_state;
mod traffic;
mod znodes;
mod zookeeper_alone;
