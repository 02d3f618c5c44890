//! `broker unregister`, in words.

use mapper::BrokerId;
use serde::Serialize;
use std::fmt;

/// That a broker can be unregistered, or has been.
#[derive(Debug, Serialize)]
pub(crate) struct Unregister {
    pub(crate) broker: BrokerId,
    /// The cluster lists it as fenced; where not, it does not list fenced brokers at all.
    pub(crate) fenced: bool,
    pub(crate) done: bool,
}

impl fmt::Display for Unregister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broker = self.broker;
        match (self.done, self.fenced) {
            (true, _) => {
                writeln!(f, "Broker {broker} is unregistered. It registers again if it is started.")
            }
            (false, true) => {
                writeln!(f, "Broker {broker} is fenced, holds no replica and has no vote.")
            }
            (false, false) => writeln!(
                f,
                "Broker {broker} is not live, holds no replica and has no vote (this cluster does not list fenced brokers)."
            ),
        }
    }
}
