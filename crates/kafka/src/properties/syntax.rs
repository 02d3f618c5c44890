//! The syntax of Java properties files.
//!
//! In: a file's text. Out: its keys and values, in order, with escapes resolved and continuation lines joined,
//! as `java.util.Properties.load` reads them (but in UTF-8).

use super::ConfigError;
use std::iter::Peekable;
use std::str::Chars;

/// One `key=value` of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PropertyEntry {
    pub(super) key: String,
    pub(super) value: String,
}

/// Reads every entry of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<PropertyEntry>, ConfigError> {
    let mut lines = text.lines().enumerate();
    let mut entries = Vec::new();
    while let Some((index, first)) = lines.next() {
        let mut logical = first.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while continues(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let entry =
            entry(&logical).map_err(|reason| ConfigError::Syntax { line: index + 1, reason })?;
        entries.push(entry);
    }
    Ok(entries)
}

/// An odd number of backslashes at the end joins the next line.
fn continues(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn entry(line: &str) -> Result<PropertyEntry, &'static str> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(c) = chars.next_if(|c| !is_separator(*c)) {
        key.push(unescaped(c, &mut chars)?);
    }
    skip_blanks(&mut chars);
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    let mut value = String::new();
    while let Some(c) = chars.next() {
        value.push(unescaped(c, &mut chars)?);
    }
    Ok(PropertyEntry { key, value })
}

fn is_separator(c: char) -> bool {
    matches!(c, '=' | ':') || is_blank(c)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| is_blank(*c)).is_some() {}
}

fn unescaped(c: char, rest: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    if c != '\\' {
        return Ok(c);
    }
    match rest.next() {
        Some('t') => Ok('\t'),
        Some('n') => Ok('\n'),
        Some('r') => Ok('\r'),
        Some('f') => Ok('\u{c}'),
        Some('u') => unicode(rest),
        Some(other) => Ok(other),
        None => Err("a backslash at the very end"),
    }
}

fn unicode(rest: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    const MALFORMED: &str = "\\u needs the four hexadecimal digits of a character";
    let digits: String = rest.by_ref().take(4).collect();
    let code = u32::from_str_radix(&digits, 16).map_err(|_| MALFORMED)?;
    if digits.len() == 4 { char::from_u32(code).ok_or(MALFORMED) } else { Err(MALFORMED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|e| (e.key, e.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn each_separator_of_java_is_read() {
        let text = "a=1\nb: 2\nc 3\nd\t=\t4\ne\n";
        let want = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "")];
        assert_eq!(pairs(text), want.map(|(k, v)| pair(k, v)));
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        assert_eq!(pairs("# a=1\n  ! b=2\n\n   \nc=#3\n"), [pair("c", "#3")]);
    }

    #[test]
    fn a_continued_line_loses_the_next_lines_indent_and_hides_no_comment() {
        assert_eq!(
            pairs("a=1,\\\n   2,\\\n  #3\nb=x\\\\\nc=1"),
            [pair("a", "1,2,#3"), pair("b", "x\\"), pair("c", "1"),]
        );
    }

    #[test]
    fn escapes_are_resolved_in_keys_and_values() {
        assert_eq!(pairs("a\\=b=\\u00e9\\n\\:\\q"), [pair("a=b", "é\n:q")]);
    }

    #[test]
    fn a_windows_file_reads_the_same() {
        assert_eq!(pairs("a=1\r\nb=2\r\n"), [pair("a", "1"), pair("b", "2")]);
    }

    #[test]
    fn a_malformed_unicode_escape_names_its_line() {
        for bad in ["a=1\nb=\\u12", "a=1\nb=\\uzzzz", "a=1\nb=\\ud800"] {
            assert!(matches!(parse(bad), Err(ConfigError::Syntax { line: 2, .. })), "{bad}");
        }
    }
}
