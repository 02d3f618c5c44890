//! Text for terminals: control characters from outside are made visible, so terminals do not obey them.
//!
//! Racks, config values, host names, errors of servers and typed text may contain any character. Terminals obey some
//! of them: they clear the screen, hide text, or type for the operator. All output of both programs passes through
//! here.

use std::io::{self, Write};

/// Our own colours; no other escape sequence passes.
const INKS: [&[u8]; 4] = [b"\x1b[0m", b"\x1b[1m", b"\x1b[1;31m", b"\x1b[1;33m"];

/// Writes control characters as `\u001b`, which JSON reads back and no terminal obeys. Line ends and tabs pass
/// unchanged.
pub struct Plain<W> {
    inner: W,
    /// Whether our own colours pass.
    inks: bool,
}

impl<W: Write> Plain<W> {
    /// A writer without colours.
    pub fn new(inner: W) -> Self {
        Self { inner, inks: false }
    }

    /// A writer that passes our colours if `inks`.
    pub fn with_inks(inner: W, inks: bool) -> Self {
        Self { inner, inks }
    }
}

impl<W: Write> Write for Plain<W> {
    /// Accepts all of `bytes`. The formatter passes whole pieces of text, so no character is split.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Some(ink) = INKS.iter().find(|ink| self.inks && rest.starts_with(ink)) {
                at += ink.len();
            } else if let Some((code, length)) = control(rest) {
                self.inner.write_all(&bytes[from..at])?;
                write!(self.inner, "\\u{code:04x}")?;
                at += length;
                from = at;
            } else {
                at += 1;
            }
        }
        self.inner.write_all(&bytes[from..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The control character at the start, if any: its code, and its length in UTF-8 bytes.
fn control(bytes: &[u8]) -> Option<(u32, usize)> {
    match *bytes {
        [b'\n' | b'\t', ..] => None,
        [byte @ (0..0x20 | 0x7f), ..] => Some((byte.into(), 1)),
        // C1 controls: U+009B begins escape sequences, as escape and bracket do.
        [0xc2, byte @ 0x80..0xa0, ..] => Some((byte.into(), 2)),
        // Characters that reverse the text direction make a line look like another one.
        [0xe2, 0x80, byte @ 0xaa..=0xae, ..] => Some((0x2000 + u32::from(byte & 0x3f), 3)),
        [0xe2, 0x81, byte @ 0xa6..=0xa9, ..] => Some((0x2040 + u32::from(byte & 0x3f), 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, inks: bool) -> String {
        let mut out = Vec::new();
        write!(Plain::with_inks(&mut out, inks), "{text}").unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_terminals_obey_is_written_as_text() {
        for (text, plain) in [
            ("a\u{1b}]0;x\u{7}b\r\n\tc", "a\\u001b]0;x\\u0007b\\u000d\n\tc"),
            ("\u{9b}31m\u{7f}", "\\u009b31m\\u007f"),
            ("\u{202e}x\u{2066}\u{2069}", "\\u202ex\\u2066\\u2069"),
            ("räck → 機 \u{a0}", "räck → 機 \u{a0}"),
        ] {
            assert_eq!(written(text, false), plain);
            assert_eq!(written(text, true), plain);
        }
    }

    #[test]
    fn our_own_colours_stay_where_they_are_asked_for() {
        let text = "\u{1b}[1;31merror:\u{1b}[0m \u{1b}[2J";
        assert_eq!(written(text, true), "\u{1b}[1;31merror:\u{1b}[0m \\u001b[2J");
        assert_eq!(written(text, false), "\\u001b[1;31merror:\\u001b[0m \\u001b[2J");
    }
}
