//! Faults in a file: from its transport, from a typing error, or from an attacker.

use rand::RngExt;
use rand::rngs::StdRng;

/// Pieces with a special meaning for some reader or for a terminal.
const PIECES: [&str; 36] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "=",
    "#",
    "\n",
    "\r\n",
    "\u{0}",
    "\u{1b}[2J\u{1b}]0;x\u{7}",
    "\u{9b}31m",
    "\u{202e}",
    "é",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "NaN",
    "99999999999999999999",
    "2147483648",
    "18446744073709551615",
    "../../x",
    "a/b",
    "&a [*a, *a]",
    "!!binary x",
    "---\n",
    "  ",
    "(\\w{50}){50}",
    "(((((((((",
    "\\u001b",
    "\\",
];

/// The same file with one to five faults.
pub fn spoil(sound: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..random.random_range(1..6) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        let end = bytes.len().min(at + random.random_range(1..40));
        match random.random_range(0..10) {
            0 => bytes.truncate(at),
            1 => bytes[at] = random.random(),
            2 => bytes[at] ^= 1 << random.random_range(0..8),
            3 => drop(bytes.drain(at..end)),
            4 => repeat(&mut bytes, at, end, random),
            5 => number(&mut bytes, at, random),
            6 => swap_lines(&mut bytes, random),
            _ => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    bytes
}

/// Repeats a piece once or a thousand times.
fn repeat(bytes: &mut Vec<u8>, at: usize, end: usize, random: &mut StdRng) {
    let times = if random.random_ratio(1, 10) { 1000 } else { 1 };
    let piece = bytes[at..end].repeat(times);
    bytes.splice(at..at, piece);
}

/// Replaces the next number with another one.
fn number(bytes: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    let Some(from) = bytes[at..].iter().position(u8::is_ascii_digit).map(|from| at + from) else {
        return;
    };
    let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let other = match random.random_range(0..4) {
        0 => random.random_range(0..10_u64),
        1 => 2_u64.pow(random.random_range(0..64)),
        2 => u64::MAX,
        _ => random.random(),
    };
    bytes.splice(from..from + length, other.to_string().into_bytes());
}

fn swap_lines(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let (one, other) = (random.random_range(0..lines.len()), random.random_range(0..lines.len()));
    lines.swap(one, other);
    *bytes = lines.concat();
}
