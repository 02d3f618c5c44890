//! The commands that plan, one file each: arguments, request, plan, check, render, write. A snapshot file is enough for
//! each of them.

pub(crate) mod doctor;
pub(crate) mod leaders;
pub(crate) mod maps;
pub(crate) mod plan;
pub(crate) mod rebalance;
pub(crate) mod rebuild;
pub(crate) mod replace;
pub(crate) mod scale;
pub(crate) mod scope;
pub(crate) mod snapshot;
pub(crate) mod version;
