//! Live tests: the real binary against real servers. `cargo xtask test --only live`
//!
//! Each file is one situation. A test that only reads shares its cluster with others. A test that changes a cluster has
//! its own. No test is skipped: a missing requirement is a failure.

mod admin;
mod alerts;
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
mod controllers;
mod cordons;
mod crowd;
mod daemon;
mod doctor;
mod doors;
mod drained;
mod eks;
mod empty_disk;
mod execution;
mod execution_dirs;
mod executors;
mod facts;
mod facts_of_moves;
mod first_use;
#[path = "../order/fluid.rs"]
mod fluid;
mod full_disk;
mod guarded;
mod keep;
mod keep_soak;
mod kubernetes;
mod latecomer;
mod load;
mod log_dirs;
mod long_moves;
mod lost_broker;
mod metrics;
mod midway;
mod migration;
#[path = "../order/run.rs"]
#[expect(dead_code, reason = "`--test order` asks for more")]
mod model;
mod odd_states;
mod order;
mod outages;
mod overload;
mod owner;
mod plan;
mod plot;
mod pod;
mod producer;
mod quotas;
mod rates;
mod readiness;
mod real_nodes;
mod rollback;
mod runbook;
mod same_id;
mod scarce;
mod sidecars;
mod stores;
mod throttles;
mod tiered;
mod tokens;
mod topics;
mod topics_cronjob;
mod topics_state;
mod traffic;
mod versions;
mod znodes;
mod zookeeper_alone;
