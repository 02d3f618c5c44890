//! Certificates of listeners: where they are served, what is wrong with them, and how to count them.

mod finding;
mod goal;
mod listeners;
mod look;
mod reload;
#[cfg(test)]
mod testing;
mod textfile;

pub(crate) use finding::{CertFinding, Judge, date, findings};
pub(crate) use goal::{Goal, out_of_time, refused_by_kafka};
pub(crate) use look::{Place, Seen, bad_pem, ca, look, places};
pub(crate) use reload::{Changed, Failed, Moves, Target};
pub(crate) use textfile::textfile;
