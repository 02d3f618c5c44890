//! What a driver needs besides its task: access to the cluster, and a listener for its events.

mod catch_up;
mod progress;
mod roll;
mod stalled;
mod voters;

pub use catch_up::CatchUpProgress;
pub use local::Note;
pub(crate) use progress::BegunMove;
pub use progress::Progress;
pub use roll::{RollEvent, role_word};
pub use stalled::Stalled;
pub use voters::VotersEvent;

use crate::cluster::ClusterAccess;
use crate::error::Error;
use std::io;

/// An event of a driver.
#[derive(Debug)]
pub enum DriverEvent<'a> {
    /// A note for the operator.
    Note(&'a Note),
    /// The progress of an execution.
    Progress(&'a Progress),
    /// The progress of a broker that returns under its id.
    CatchUp(&'a CatchUpProgress),
    /// A step of a rolling restart.
    Roll(&'a RollEvent),
    /// A step of a change of the controllers.
    Voters(&'a VotersEvent),
}

/// Receives the events of a driver: the CLI prints them.
pub trait EventListener {
    /// Shows one event.
    ///
    /// # Errors
    /// The stream that events are written to failed.
    fn hear(&mut self, event: &DriverEvent<'_>) -> io::Result<()>;
}

/// The context of every driver.
pub struct RunContext<'l> {
    /// Access to the cluster.
    pub access: ClusterAccess,
    /// Receives every event.
    pub listener: &'l mut (dyn EventListener + 'l),
}

impl RunContext<'_> {
    /// Sends a note to the listener.
    pub fn note(&mut self, note: &Note) -> Result<(), Error> {
        self.event(&DriverEvent::Note(note))
    }

    /// Sends an event to the listener.
    pub fn event(&mut self, event: &DriverEvent<'_>) -> Result<(), Error> {
        self.listener.hear(event).map_err(|error| local::Error::Stream(error).into())
    }
}
