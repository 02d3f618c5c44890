//! The guarantees of real nodes: `cargo xtask test --only real_nodes`.
//!
//! `cargo xtask test` does not run the tests of modules called `real_nodes` on a machine that cannot run nodes, and says so.

mod machine;
mod real_nodes;
