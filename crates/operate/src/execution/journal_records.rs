//! The journal next to the lock: one record for each line, and now and then a gist that replaces all earlier records.
//!
//! Stores for records are small, and a journal has a line for every step. So the gist keeps only what a later run
//! needs to resume. The whole journal stays in its file.
//!
//! Consecutive moves are written as `[FIRST,LAST]`. A line that is too long for one record is split into pieces, and
//! counts only if all pieces are there.

use crate::error::Error;
use ::execute::JournalEntry;
use coordination::Records;
use coordination::record::{read, unreadable, written};
use flate2::Crc;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

const JOURNAL: &str = "journal:";
/// The separator between the name of a record and the number of its piece.
const OF: char = '+';
/// The most bytes of text in one record: every store accepts records of this size.
const PIECE: usize = 60_000;
/// More moves than any plan has. It bounds the memory that a damaged record can take.
const MOST_MOVES: u64 = 10_000_000;

/// The content of one record: a line, or the gist of all lines up to it.
#[derive(Serialize, Deserialize)]
struct Line<T> {
    /// The plan's id. It is stored as `of`, because some journal lines have a `plan` field already.
    #[serde(rename = "of")]
    plan: String,
    #[serde(flatten)]
    said: T,
}

#[derive(Serialize, Deserialize)]
struct Gist {
    gist: Vec<JournalEntry>,
}

/// The record that replaces a line that is split into pieces.
#[derive(Serialize, Deserialize)]
struct Head {
    pieces: usize,
    crc32: String,
}

/// A parsed record.
struct Said {
    plan: String,
    entries: Vec<JournalEntry>,
    is_gist: bool,
}

/// Writes a line; returns its size in bytes.
pub(super) fn put_line(
    records: &mut Records,
    number: usize,
    plan: &str,
    entry: &JournalEntry,
) -> usize {
    put(records, number, &Line { plan: plan.to_owned(), said: entry })
}

/// Writes the gist of all lines before this number, and removes their records.
pub(super) fn put_gist(records: &mut Records, number: usize, plan: &str, gist: Vec<JournalEntry>) {
    records.retain(|name, _| number_of(name).is_none_or(|own| own >= number));
    put(records, number, &Line { plan: plan.to_owned(), said: Gist { gist } });
}

/// The number for a new gist of all these records, if they contain a gist or pieces already. Lines from number 0 on
/// would be ignored next to an older gist.
pub(super) fn next_gist(records: &Records) -> Option<usize> {
    let is_gist =
        |name: &&String| records.get(*name).is_some_and(|text| text.contains("\"gist\":"));
    let numbered = records.keys().filter(|name| number_of(name).is_some());
    let has_gist = numbered.clone().any(|name| is_gist(&name) || name.contains(OF));
    let last = numbered.filter_map(|name| number_of(name)).max();
    last.filter(|_| has_gist).map(|last| last + 1)
}

/// The lines of this plan: from the last gist, or the first line, up to the first gap.
pub(super) fn lines(records: &Records, plan: &str) -> Result<Vec<JournalEntry>, Error> {
    let mut said = BTreeMap::new();
    for name in records.keys().filter(|name| !name.contains(OF)) {
        let Some(number) = number_of(name) else { continue };
        if let Some(text) = whole(records, name)? {
            said.insert(number, line(name, &text)?);
        }
    }
    let gist = said.iter().rev().find(|(_, said)| said.is_gist && said.plan == plan);
    let from = gist.map_or(0, |(number, _)| *number);
    let believed = said.into_iter().filter(|(number, _)| *number >= from).zip(from..);
    let believed =
        believed.take_while(|((number, said), next)| number == next && said.plan == plan);
    Ok(believed.flat_map(|((_, said), _)| said.entries).collect())
}

/// The number of the line that a record, or a piece of a record, belongs to.
fn number_of(name: &str) -> Option<usize> {
    let number = name.strip_prefix(JOURNAL)?;
    number.split_once(OF).map_or(number, |(number, _)| number).parse().ok()
}

fn put<T: Serialize>(records: &mut Records, number: usize, line: &T) -> usize {
    // The value has only texts and numbers, which JSON can always represent.
    let mut value = serde_json::to_value(line).unwrap_or_default();
    let short = in_lists(&mut value, &mut |moves: &mut Vec<Value>| {
        *moves = in_runs(moves);
        Ok(())
    });
    short.unwrap_or_default();
    let text = written(&value);
    let (name, bytes) = (format!("{JOURNAL}{number:08}"), text.len());
    if bytes <= PIECE {
        records.insert(name, text);
        return bytes;
    }
    let pieces = pieces(&text);
    let head = Head { pieces: pieces.len(), crc32: crc(&text) };
    for (at, piece) in pieces.iter().enumerate() {
        let json = Value::from(*piece).to_string();
        records.insert(format!("{name}{OF}{at:04}"), json);
    }
    records.insert(name, written(&head));
    bytes
}

/// A record's text; `None` if a piece is missing.
fn whole(records: &Records, name: &str) -> Result<Option<String>, Error> {
    let text = records.get(name).map_or("", String::as_str);
    let value: Value = read(name, text)?;
    if value.get("pieces").is_none() {
        return Ok(Some(text.to_owned()));
    }
    let head: Head =
        serde_json::from_value(value).map_err(|error| unreadable(name, error.to_string()))?;
    let mut joined = String::new();
    for at in 0..head.pieces {
        let name = format!("{name}{OF}{at:04}");
        let Some(piece) = records.get(&name) else { return Ok(None) };
        let piece: String =
            serde_json::from_str(piece).map_err(|error| unreadable(&name, error.to_string()))?;
        joined.push_str(&piece);
    }
    // Two writers may each have left some of the pieces.
    Ok((crc(&joined) == head.crc32).then_some(joined))
}

fn line(name: &str, text: &str) -> Result<Said, Error> {
    let mut value: Value = read(name, text)?;
    let spread = in_lists(&mut value, &mut |moves: &mut Vec<Value>| {
        *moves = one_by_one(moves).ok_or("its moves are not numbers and runs of them")?;
        Ok(())
    });
    spread.map_err(|problem| unreadable(name, problem.to_owned()))?;
    let odd = |error: serde_json::Error| unreadable(name, error.to_string());
    let is_gist = value.get("gist").is_some();
    let (plan, entries) = match is_gist {
        true => {
            let line: Line<Gist> = serde_json::from_value(value).map_err(odd)?;
            (line.plan, line.said.gist)
        }
        false => {
            let line: Line<JournalEntry> = serde_json::from_value(value).map_err(odd)?;
            (line.plan, vec![line.said])
        }
    };
    Ok(Said { plan, entries, is_gist })
}

/// Applies a change to each list of moves.
fn in_lists(
    value: &mut Value,
    change: &mut impl FnMut(&mut Vec<Value>) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    if let Some(Value::Array(moves)) = value.get_mut("moves") {
        change(moves)?;
    }
    match value.get_mut("gist") {
        Some(Value::Array(lines)) => lines.iter_mut().try_for_each(|line| in_lists(line, change)),
        _ => Ok(()),
    }
}

/// Replaces three or more consecutive moves by the first and the last of them.
fn in_runs(moves: &[Value]) -> Vec<Value> {
    let numbers: Vec<u64> = moves.iter().filter_map(Value::as_u64).collect();
    let runs = numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let short = |run: &[u64]| match run {
        [first, _, .., last] => vec![Value::from(vec![*first, *last])],
        few => few.iter().copied().map(Value::from).collect(),
    };
    runs.flat_map(short).collect()
}

fn one_by_one(moves: &[Value]) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for one in moves {
        let (first, last) = match one {
            Value::Array(run) => (run.first()?.as_u64()?, run.get(1)?.as_u64()?),
            one => (one.as_u64()?, one.as_u64()?),
        };
        if first > last || last - first >= MOST_MOVES - all.len() as u64 {
            return None;
        }
        all.extend((first..=last).map(Value::from));
    }
    Some(all)
}

/// Splits a text into pieces of the largest size that one record can hold.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

fn crc(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

#[cfg(test)]
mod tests;
