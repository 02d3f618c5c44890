//! Requests of an operator to a running execution, and its answers: lines in a file next to the ledger.
//!
//! The running process alone writes the ledger. A requesting process adds a line to this file, and waits for the
//! answer. An execution ignores requests from before its start.

use crate::error::Error;
use coordination::{LinesError, LinesFile, LinesKind, is_locked};
use jiff::Timestamp;
use mapper::Rate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time limit for an answer: the execution may be waiting for a broker, and first measures the rate of new data.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two reads of the file.
const PAUSE: Duration = Duration::from_millis(250);
/// The number of attempts to open the file: another requesting process locks it only briefly.
const TRIES: usize = 20;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    /// A request for another rate.
    Asked {
        /// The id that the answer names.
        id: String,
        bytes_per_second: Rate,
    },
    /// The execution uses the new rate from now on.
    Taken { id: String },
    /// The execution keeps its rate.
    Refused { id: String, problem: String },
}

impl Line {
    fn id(&self) -> &str {
        match self {
            Self::Asked { id, .. } | Self::Taken { id } | Self::Refused { id, .. } => id,
        }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The execution uses the new rate from now on.
    Taken,
    /// The execution keeps its rate, for this reason.
    Refused(String),
    /// The execution has ended since, and the request was withdrawn.
    Gone,
}

/// The file of requests next to a ledger.
fn beside(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".asked");
    PathBuf::from(name)
}

/// The file as the execution reads it.
#[derive(Debug)]
pub(super) struct Inbox {
    path: PathBuf,
    known: BTreeSet<String>,
}

impl Inbox {
    /// Opens the file; earlier requests are ignored.
    pub(super) fn open(ledger: &Path) -> Self {
        let path = beside(ledger);
        let known = read(&path).iter().map(|line| line.id().to_owned()).collect();
        Self { path, known }
    }

    /// The latest rate requested since the last call, and the id for its answer.
    pub(super) fn next(&mut self) -> Option<(String, Rate)> {
        let mut asked = None;
        for line in read(&self.path) {
            if let Line::Asked { id, bytes_per_second } = line
                && self.known.insert(id.clone())
            {
                asked = Some((id, bytes_per_second));
            }
        }
        asked
    }

    /// Writes an answer for the requesting process.
    pub(super) fn answer(&self, line: Line) {
        if let Err(error) = write(&self.path, &[line]) {
            tracing::warn!(%error, "an answer cannot be written");
        }
    }
}

/// An unreadable file never ends an execution.
fn read(path: &Path) -> Vec<Line> {
    LinesFile::read(path, LinesKind::Requests).unwrap_or_else(|failure| {
        tracing::warn!(error = %failure, "requests cannot be read");
        Vec::new()
    })
}

fn write(path: &Path, lines: &[Line]) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match LinesFile::open(path, LinesKind::Requests) {
            Ok((mut file, _)) => return Ok(file.append(lines)?),
            Err(LinesError::Locked { .. }) if tries < TRIES => std::thread::sleep(PAUSE / 5),
            Err(failure) => return Err(failure.into()),
        }
        tries += 1;
    }
}

/// Requests another rate from the execution with this ledger, and waits for its answer.
pub async fn ask(ledger: &Path, bytes_per_second: Rate) -> Result<Answer, Error> {
    let path = beside(ledger);
    let id = format!("{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
    write(&path, &[Line::Asked { id: id.clone(), bytes_per_second }])?;
    let looks = PATIENCE.as_millis() / PAUSE.as_millis();
    for _ in 0..looks {
        tokio::time::sleep(PAUSE).await;
        let runs = is_locked(ledger);
        for line in LinesFile::<Line>::read(&path, LinesKind::Requests)? {
            match line {
                Line::Taken { id: of } if of == id => return Ok(Answer::Taken),
                Line::Refused { id: of, problem } if of == id => {
                    return Ok(Answer::Refused(problem));
                }
                _ => {}
            }
        }
        if !runs {
            return Ok(Answer::Gone);
        }
    }
    let reason = format!("the execution does not read {}", path.display());
    Err(Error::NoAnswer { waited: PATIENCE, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_since_the_start_is_heard_and_the_latest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("l");
        let path = beside(&ledger);
        let asked =
            |id: &str, rate| Line::Asked { id: id.to_owned(), bytes_per_second: Rate(rate) };
        write(&path, &[asked("a", 1)]).unwrap();
        let mut inbox = Inbox::open(&ledger);
        assert_eq!(inbox.next(), None);
        write(&path, &[asked("b", 2), asked("c", 3)]).unwrap();
        assert_eq!(inbox.next(), Some(("c".to_owned(), Rate(3))));
        assert_eq!(inbox.next(), None);
    }

    #[test]
    fn whoever_asks_is_answered_and_learns_that_nobody_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("l");
        let answer = |hears: bool| {
            let held = LinesFile::<Line>::open(&ledger, LinesKind::Requests).unwrap().0;
            let mut inbox = Inbox::open(&ledger);
            let own = ledger.clone();
            let asking =
                std::thread::spawn(move || crate::runtime::wait(ask(&own, Rate(7))).unwrap());
            if !hears {
                drop(held);
                return asking.join().unwrap().unwrap();
            }
            let (id, rate) = loop {
                match inbox.next() {
                    Some(asked) => break asked,
                    None => std::thread::sleep(PAUSE / 10),
                }
            };
            assert_eq!(rate, Rate(7));
            inbox.answer(Line::Refused { id, problem: "no".to_owned() });
            asking.join().unwrap().unwrap()
        };
        assert_eq!(answer(true), Answer::Refused("no".to_owned()));
        assert_eq!(answer(false), Answer::Gone);
    }
}
