//! Certificates of listeners: reads them, judges them, and exports them as metrics.

mod finding;
mod goal;
mod listeners;
mod look;
mod reload;
#[cfg(test)]
mod testing;
mod textfile;

pub use finding::{CertFinding, Judge, date, expiring, findings};
pub use goal::{Goal, out_of_time, refused_by_kafka};
pub use look::{Place, Seen, bad_pem, ca, look, places};
pub use reload::{Changed, Failed, NewStores, Target};
pub use textfile::textfile;
