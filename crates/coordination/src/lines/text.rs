//! Reads and writes the lines of a file. Opens no file.
//!
//! In: bytes. Out: entries and the number of valid bytes, or the reason to leave the file unchanged. A last line
//! without its newline counts as torn: a crash has cut it off. Any other line that this program did not write is an
//! error.

use super::{LinesKind, NotOurLine};
use crate::now;
use flate2::Crc;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;

const VERSION: u64 = 1;
/// Every line ends with this text, eight hexadecimal digits, and `"}`.
const CHECKSUM: &str = ",\"crc32\":\"";
/// This many bytes identify a file: the longest head of a line has about 60.
pub(super) const START: u64 = 4096;
/// No time in RFC 3339 is as long as this.
const LONGEST_TIME: usize = 40;

#[derive(Serialize, Deserialize)]
struct Line<T> {
    version: u64,
    at: String,
    #[serde(flatten)]
    entry: T,
}

/// The entries of a file, and the number of valid bytes.
#[derive(Debug)]
pub(super) struct Sound<T> {
    /// Each entry with the time of its line.
    pub(super) entries: Vec<(String, T)>,
    pub(super) bytes: u64,
}

impl<T> Sound<T> {
    pub(super) fn undated(self) -> Vec<T> {
        self.entries.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// Writes entries as lines, each with its checksum.
pub(super) fn written<T: Serialize>(entries: &[T]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let at = now();
    for entry in entries {
        let line = Line { version: VERSION, at: at.clone(), entry };
        let json = serde_json::to_string(&line)?;
        let body = json.strip_suffix('}').unwrap_or(&json);
        let sum = checksum(body);
        text.extend_from_slice(format!("{body}{CHECKSUM}{sum}\"}}\n").as_bytes());
    }
    Ok(text)
}

/// Checks the first bytes of a file, so that a large file of another kind is never read whole.
pub(super) fn check_start(start: &[u8], kind: LinesKind) -> Result<(), NotOurLine> {
    if begins(start, kind) {
        return Ok(());
    }
    Err(newer(start).unwrap_or_else(|| NotOurLine::Foreign { seems: seems(start) }))
}

/// Reads a whole file.
pub(super) fn read<T: DeserializeOwned>(
    text: &[u8],
    kind: LinesKind,
) -> Result<Sound<T>, NotOurLine> {
    check_start(text, kind)?;
    let mut sound = Sound { entries: Vec::new(), bytes: 0 };
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A line without a newline can only be the last. It is torn, and the lines before it are valid.
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        sound.entries.push(entry(whole, index + 1)?);
        sound.bytes += line.len() as u64;
    }
    Ok(sound)
}

fn entry<T: DeserializeOwned>(text: &[u8], line: usize) -> Result<(String, T), NotOurLine> {
    let broken = |problem: &str| NotOurLine::Broken { line, problem: plain(problem) };
    let text = std::str::from_utf8(text).map_err(|_| broken("it is not text"))?;
    let parts = text.rsplit_once(CHECKSUM).and_then(|(body, end)| {
        let sum = end.strip_suffix("\"}")?;
        Some((body, sum))
    });
    let Some((body, sum)) = parts else {
        return Err(newer(text.as_bytes()).unwrap_or_else(|| broken("it has no checksum")));
    };
    if checksum(body) != sum {
        return Err(broken("its checksum is another"));
    }
    // The version comes first, because a newer version may encode the rest in another way.
    if let Some(newer) = newer(text.as_bytes()) {
        return Err(newer);
    }
    let line: Line<T> = serde_json::from_str(text).map_err(|error| broken(&error.to_string()))?;
    match line.version {
        VERSION => Ok((line.at, line.entry)),
        version => Err(NotOurLine::Newer { version }),
    }
}

/// The text without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Whether a file of this kind may begin with these bytes, which may be cut short:
/// `{"version":1,"at":"2026-11-22T15:43:22Z","ledger":"`.
fn begins(start: &[u8], kind: LinesKind) -> bool {
    let head = format!("{{\"version\":{VERSION},\"at\":\"");
    let Some(rest) = past(start, head.as_bytes()) else { return false };
    let of_time = |byte: &u8| byte.is_ascii_digit() || b"TZ:.+-".contains(byte);
    let length = rest.iter().take_while(|byte| of_time(byte)).count();
    let tag = format!("\",\"{}\":\"", kind.tag_and_words().0);
    length <= LONGEST_TIME && past(&rest[length..], tag.as_bytes()).is_some()
}

/// The text after `expected`; empty if the text is a beginning of it.
fn past<'t>(text: &'t [u8], expected: &[u8]) -> Option<&'t [u8]> {
    match text.len() < expected.len() {
        true => expected.starts_with(text).then_some(&[]),
        false => text.strip_prefix(expected),
    }
}

/// The refusal of a line that begins like a line of this program, in another version.
fn newer(text: &[u8]) -> Option<NotOurLine> {
    let rest = text.strip_prefix(b"{\"version\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let version = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let is_newer = version != VERSION && rest[digits..].starts_with(b",\"at\":\"");
    is_newer.then_some(NotOurLine::Newer { version })
}

/// The apparent kind of a foreign file. Never quotes the file, which may be a secret.
fn seems(start: &[u8]) -> String {
    if let Some(kind) = LinesKind::ALL.into_iter().find(|kind| begins(start, *kind)) {
        return kind.to_string();
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        return "compressed (gzip)".to_owned();
    }
    let cut = |error: std::str::Utf8Error| error.error_len().is_none().then(|| error.valid_up_to());
    let length = std::str::from_utf8(start).map(str::len).or_else(|error| cut(error).ok_or(()));
    let text = length.ok().and_then(|length| std::str::from_utf8(&start[..length]).ok());
    let odd = |c: char| c.is_control() && !c.is_whitespace();
    let Some(text) = text.filter(|text| !text.contains(odd)) else {
        return "binary data".to_owned();
    };
    let seems = match text.trim_start() {
        text if text.starts_with("-----BEGIN") => "a key or a certificate (PEM)",
        text if text.starts_with(['{', '[']) && text.contains("\"partitions\"") => {
            "a plan or a partition map"
        }
        text if text.starts_with(['{', '[']) => "JSON of something else",
        "" => "blank",
        _ => "text",
    };
    seems.to_owned()
}

fn checksum(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

#[cfg(test)]
pub(super) mod tests;
