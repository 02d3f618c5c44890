//! A position in one line of text, for parsers written by hand.

use super::error::MapMistake;

/// A mistake and its byte position.
#[derive(Debug)]
pub(super) struct TextFault {
    pub(super) at: usize,
    pub(super) mistake: MapMistake,
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

    /// The text that has not been read yet.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks; true if there were any.
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
    pub(super) fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), TextFault> {
        self.blanks();
        if self.eat(token) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Reads the longest run of characters that belong; it may be empty.
    pub(super) fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// Reads the longest run of characters that belong; it must not be empty.
    pub(super) fn some(
        &mut self,
        belongs: impl Fn(char) -> bool,
        expected: &'static str,
    ) -> Result<&'t str, TextFault> {
        match self.word(belongs) {
            "" => Err(self.expected(expected)),
            word => Ok(word),
        }
    }

    /// Reads the text between two `"`. A backslash before a `"` keeps that quote in the text, and stays in the text, too.
    pub(super) fn quoted(&mut self, expected: &'static str) -> Result<&'t str, TextFault> {
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

    /// Checks that only blanks and a comment follow.
    pub(super) fn end(&mut self, expected: &'static str) -> Result<(), TextFault> {
        let apart = self.blanks();
        if self.rest().is_empty() || (apart && self.rest().starts_with('#')) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    /// The mistake that something else was expected here.
    pub(super) fn expected(&self, expected: &'static str) -> TextFault {
        let token: String =
            self.rest().chars().take_while(|c| !c.is_whitespace()).take(40).collect();
        let found = match token.as_str() {
            "" if self.rest().is_empty() => "the end".to_owned(),
            "" => "a blank".to_owned(),
            token => format!("{token:?}"),
        };
        self.fault(MapMistake::Expected { expected, found })
    }

    /// A mistake at this position.
    pub(super) fn fault(&self, mistake: MapMistake) -> TextFault {
        TextFault { at: self.at, mistake }
    }
}
