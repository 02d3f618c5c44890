//! Whole moves in virtual time: brokers with network cards, clients that come and go, Kafka's quotas as they are.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of a model are small")]

extern crate mappr_throttle as throttle;

mod clients;
mod faults;
mod fixed;
mod ingest;
mod model;
mod quota;
mod run;
mod starvation;
