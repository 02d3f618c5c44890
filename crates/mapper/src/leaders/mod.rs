//! Chooses preferred leaders, as evenly as the replica sets allow. No data moves.

mod even;
mod fewest;
mod flow;
mod free;
mod levels;
mod web;

pub(crate) use even::even;
pub(crate) use free::FreeLeads;

#[cfg(test)]
mod tests;
