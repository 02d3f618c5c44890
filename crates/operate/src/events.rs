//! What a driver needs besides its task: the way to the cluster, and somebody who hears what it does.

mod catch_up;
mod progress;
mod roll;
mod stalled;

pub use catch_up::CatchUpProgress;
pub use progress::Progress;
pub use roll::{RollEvent, role_word};
pub use stalled::Stalled;

use crate::cluster::ClusterAccess;
use crate::error::Error;
use std::fmt;
use std::io;

/// Something to know about a run that goes on.
#[derive(Debug)]
pub struct Note {
    /// One sentence.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Note {
    /// A note without a hint.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "note: {}", self.text)?;
        match &self.hint {
            Some(hint) => writeln!(f, "  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Something that happens while a driver works.
#[derive(Debug)]
pub enum DriverEvent<'a> {
    /// A sentence for people.
    Note(&'a Note),
    /// How far an execution is.
    Progress(&'a Progress),
    /// How far a broker is that comes back under its id.
    CatchUp(&'a CatchUpProgress),
    /// A step of a rolling restart.
    Roll(&'a RollEvent),
}

/// Whoever shows events: the CLI prints them.
pub trait EventListener {
    /// Shows one event.
    ///
    /// # Errors
    /// The stream that events are written to failed.
    fn hear(&mut self, event: &DriverEvent<'_>) -> io::Result<()>;
}

/// What every driver works with.
pub struct RunContext<'l> {
    /// The way to the cluster.
    pub access: ClusterAccess,
    /// Hears of everything that happens.
    pub listener: &'l mut (dyn EventListener + 'l),
}

impl RunContext<'_> {
    /// Tells a sentence.
    pub fn note(&mut self, note: &Note) -> Result<(), Error> {
        self.event(&DriverEvent::Note(note))
    }

    /// Tells what happens.
    pub fn event(&mut self, event: &DriverEvent<'_>) -> Result<(), Error> {
        self.listener.hear(event).map_err(Error::Stream)
    }
}
