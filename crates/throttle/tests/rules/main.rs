//! What a round decides, rule by rule, from plain facts.

extern crate mappr_throttle as throttle;

mod examples;
mod fail_safe;
mod floors;
mod large;
mod large_facts;
mod laws;
mod lists;
mod paths;
mod rounds;
mod support;
