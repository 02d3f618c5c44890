//! Text for terminals: control characters of others are shown, not obeyed.
//!
//! Racks, config values, host names, error messages of servers and what was typed may hold any character, and terminals obey
//! some: they clear the screen, hide text, or type for the operator. All output of both programs goes through here.

use std::io::{self, Write};

/// Our own colours; nothing else that begins with an escape gets through.
const INKS: [&[u8]; 4] = [b"\x1b[0m", b"\x1b[1m", b"\x1b[1;31m", b"\x1b[1;33m"];

/// Writes control characters as `\u001b`, which JSON reads back and no terminal obeys. Line ends and tabs stay.
pub struct Plain<W> {
    inner: W,
    /// Whether our own colours stay.
    inks: bool,
}

impl<W: Write> Plain<W> {
    /// Without colours.
    pub fn new(inner: W) -> Self {
        Self { inner, inks: false }
    }

    /// With ours, if asked for.
    pub fn with_inks(inner: W, inks: bool) -> Self {
        Self { inner, inks }
    }
}

impl<W: Write> Write for Plain<W> {
    /// Takes all of `bytes`; formatting hands over whole pieces of text, so that no character is cut in two.
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

/// The character at the beginning, if a terminal would obey it: its code, and its bytes in UTF-8.
fn control(bytes: &[u8]) -> Option<(u32, usize)> {
    match *bytes {
        [b'\n' | b'\t', ..] => None,
        [byte @ (0..0x20 | 0x7f), ..] => Some((byte.into(), 1)),
        // C1: U+009B begins sequences as escape and bracket do.
        [0xc2, byte @ 0x80..0xa0, ..] => Some((byte.into(), 2)),
        // What turns the direction of text around shows a line as another.
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
