//! A position in one line of text, for parsers written by hand.

use super::error::Mistake;

/// A mistake and the byte at which it stands.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) mistake: Mistake,
}

/// Reads a text from left to right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks; says whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        !self.word(char::is_whitespace).is_empty()
    }

    /// Reads `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let comes = self.rest().starts_with(token);
        if comes {
            self.at += token.len();
        }
        comes
    }

    /// Reads `token`, with the blanks before it.
    pub(super) fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), Fault> {
        self.blanks();
        if self.eat(token) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Reads the longest run of such characters; it may be empty.
    pub(super) fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// Reads a run of such characters that may not be empty.
    pub(super) fn some(
        &mut self,
        belongs: impl Fn(char) -> bool,
        expected: &'static str,
    ) -> Result<&'t str, Fault> {
        match self.word(belongs) {
            "" => Err(self.expected(expected)),
            word => Ok(word),
        }
    }

    /// Reads the text between two `"`; a backslash before a `"` keeps it from ending the text, and stays in it.
    pub(super) fn quoted(&mut self, expected: &'static str) -> Result<&'t str, Fault> {
        if !self.eat("\"") {
            return Err(self.expected(expected));
        }
        let rest = self.rest();
        let mut escaped = false;
        for (index, c) in rest.char_indices() {
            if c == '"' && !escaped {
                self.at += index + c.len_utf8();
                return Ok(&rest[..index]);
            }
            escaped = c == '\\' && !escaped;
        }
        self.at = self.text.len();
        Err(self.expected("a closing \""))
    }

    /// Reads nothing more, save blanks and a comment.
    pub(super) fn end(&mut self, expected: &'static str) -> Result<(), Fault> {
        let apart = self.blanks();
        if self.rest().is_empty() || (apart && self.rest().starts_with('#')) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    /// Something else was due here.
    pub(super) fn expected(&self, expected: &'static str) -> Fault {
        let token: String =
            self.rest().chars().take_while(|c| !c.is_whitespace()).take(40).collect();
        let found = match token.as_str() {
            "" if self.rest().is_empty() => "the end".to_owned(),
            "" => "a blank".to_owned(),
            token => format!("{token:?}"),
        };
        self.fault(Mistake::Expected { expected, found })
    }

    /// A mistake at this position.
    pub(super) fn fault(&self, mistake: Mistake) -> Fault {
        Fault { at: self.at, mistake }
    }
}
