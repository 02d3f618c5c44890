//! Notes for the operator.

use std::fmt;

/// A note for the operator; the run goes on.
#[derive(Debug)]
pub struct Note {
    /// One sentence.
    pub text: String,
    /// What to do next; `None`: nothing.
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
