//! Maps in lines: `NAME: "REGEX" => TARGET[, replication=N][, allow=[no-topics,shared-brokers]]`.
//!
//! Each line has one map. Blank lines and lines that begin with `#` are skipped. The map named `rest` has no regex.

use super::cursor::{Cursor, TextFault};
use super::error::{MapMistake, MapPlace, MapsError};
use super::target::{number, target};
use super::{Allowance, Map, MapName, MapSet, MapTopics, REST};
use crate::scope::TopicPattern;
use std::collections::BTreeSet;

/// The highest replication factor: Kafka stores it in 16 bits. A larger one is refused.
pub(super) const MAX_REPLICATION: u32 = i16::MAX as u32;

/// The first line that is neither blank nor a comment. It decides the format of the document.
pub(super) fn first_line(text: &str) -> Option<&str> {
    text.lines().find(|line| says_something(line))
}

fn says_something(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

/// Reads a document in lines.
pub(super) fn parse(document: &str, text: &str) -> Result<MapSet, MapsError> {
    let mut maps = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if says_something(line) {
            maps.push(numbered(document, number, line)?);
        }
    }
    MapSet::new(maps)
}

/// Reads one map in its one-line form (`--map`). Errors name the map's source as `document`.
///
/// # Errors
/// The first mistake, with its column.
pub fn parse_line(document: &str, line: &str) -> Result<Map, MapsError> {
    numbered(document, 1, line)
}

fn numbered(document: &str, number: u64, line: &str) -> Result<Map, MapsError> {
    let place = |at: usize| {
        let before = line.get(..at).unwrap_or(line).chars().count();
        MapPlace {
            document: document.to_owned(),
            line: number,
            column: u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1),
        }
    };
    let start = line.len() - line.trim_start().len();
    map(line, place(start)).map_err(|fault| place(fault.at).blame(fault.mistake))
}

fn map(line: &str, place: MapPlace) -> Result<Map, TextFault> {
    let mut cursor = Cursor::new(line);
    cursor.blanks();
    let name = name(&mut cursor)?;
    cursor.expect(":", ": after the map's name")?;
    cursor.blanks();
    let topics = topics(&mut cursor, &name)?;
    cursor.expect("=>", "=> and the map's brokers")?;
    cursor.blanks();
    let target = target(&mut cursor)?;
    let mut map = Map { name, topics, target, replication: None, allow: BTreeSet::new(), place };
    options(&mut cursor, &mut map)?;
    Ok(map)
}

fn name(cursor: &mut Cursor<'_>) -> Result<MapName, TextFault> {
    let start = *cursor;
    let belongs = |c: char| !c.is_whitespace() && !matches!(c, ':' | '"');
    let text = cursor.some(belongs, "the name of a map")?;
    MapName::new(text).map_err(|mistake| start.fault(mistake))
}

fn topics(cursor: &mut Cursor<'_>, name: &MapName) -> Result<MapTopics, TextFault> {
    let start = *cursor;
    let source = if cursor.rest().starts_with("=>") {
        None
    } else {
        Some(cursor.quoted("a regex between two \"")?)
    };
    map_topics(name, source).map_err(|mistake| start.fault(mistake))
}

/// The topics of a map with this name. The map `rest` must have no regex, and every other map needs one.
pub(super) fn map_topics(name: &MapName, source: Option<&str>) -> Result<MapTopics, MapMistake> {
    match (source, name.as_str() == REST) {
        (None, true) => Ok(MapTopics::Rest),
        (None, false) => Err(MapMistake::NoTopics { name: name.clone() }),
        (Some(_), true) => Err(MapMistake::RestWithTopics),
        (Some(source), false) if source.contains(char::is_control) => {
            let pattern = source.to_owned();
            Err(MapMistake::ControlCharacter { pattern })
        }
        (Some(source), false) => Ok(MapTopics::Matching(TopicPattern::new(source)?)),
    }
}

/// Reads `, replication=N` and `, allow=[…]`, each at most once, up to the end.
fn options(cursor: &mut Cursor<'_>, map: &mut Map) -> Result<(), TextFault> {
    let mut allowed = false;
    loop {
        let mut after = *cursor;
        after.blanks();
        if !after.eat(",") {
            return cursor.end(", and an option, or the end of the line");
        }
        after.blanks();
        *cursor = after;
        if cursor.eat("replication=") && map.replication.is_none() {
            map.replication = Some(number(cursor, "replication factor", MAX_REPLICATION)?);
        } else if cursor.eat("allow=[") && !allowed {
            allowed = true;
            allowances(cursor, &mut map.allow)?;
        } else {
            return Err(after.expected("replication=N or allow=[...], once"));
        }
    }
}

fn allowances(cursor: &mut Cursor<'_>, allow: &mut BTreeSet<Allowance>) -> Result<(), TextFault> {
    loop {
        cursor.blanks();
        let start = *cursor;
        let word = cursor.word(|c| c.is_ascii_alphabetic() || c == '-');
        match Allowance::ALL.iter().find(|known| known.as_str() == word) {
            Some(known) => allow.insert(*known),
            None => return Err(start.expected("no-topics or shared-brokers")),
        };
        cursor.blanks();
        if !cursor.eat(",") {
            return cursor.expect("]", ", or ]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::super::testing::{maps, refusal};
    use super::*;
    use crate::ids::BrokerId;

    #[test]
    fn a_file_in_lines_has_comments_and_keeps_its_order() {
        let text = "# who lives where\n\nzoo: \"z.*\" => [1] # last\n  ant: \"a.*\" => [2], replication=2\n";
        let set = maps(text);
        let names: Vec<&str> = set.maps().iter().map(|map| map.name.as_str()).collect();
        assert_eq!(names, ["zoo", "ant"]);
        assert_eq!(set.maps()[1].replication, Some(2));
        assert_eq!(set.maps()[1].place.to_string(), "test.yaml:4:3");
    }

    #[test]
    fn both_ends_belong_to_a_range() {
        let map = parse_line("--map", "m: \"x\" => [1001..1003, 1010]").unwrap();
        let ids = [1001, 1002, 1003, 1010].map(BrokerId);
        assert_eq!(map.target, Target::Ids(ids.into()));
    }

    #[test]
    fn labels_are_joined_by_commas_and_options_by_a_comma_and_a_blank() {
        let line =
            "m: \"x\" => nodeLabels pool=small,zone=a count=3, replication=2, allow=[no-topics]";
        let map = parse_line("--map", line).unwrap();
        assert_eq!(map.to_string(), line);
        assert_eq!(
            refusal("m: \"x\" => nodeLabels pool=small,replication=2"),
            "test.yaml:1:33: replication is an option of a map, not a node label: write it after a comma and a blank"
        );
    }

    #[test]
    fn the_first_line_that_says_something_decides_the_form() {
        assert_eq!(maps("\n # version: 1\nm: \"x\" => all").maps().len(), 1);
        let yaml = "version: 1 \nmaps: {m: {topics: 'a=>b', brokers: all}}";
        assert_eq!(maps(yaml).maps().len(), 1);
    }

    /// A document, and the error that it causes.
    const REFUSED: &[(&str, &str)] = &[
        ("\n#\nm \"x\" => [1]", "3:3: expected : after the map's name, found \"\\\"x\\\"\""),
        ("# nothing\n\n", "1:1: there is no map in it"),
        ("m: x => [1]", "1:4: expected a regex between two \", found \"x\""),
        ("m: \"é => [1]", "1:13: expected a closing \", found the end"),
        ("m: \"x\" => [1003..1001]", "1:12: the range 1003..1001 runs backwards"),
        ("m: \"x\" => [1..1000000]", "1:12: more than 100000 broker ids"),
        ("m: \"x\" => [2147483648]", "1:12: 2147483648 is no broker id: the largest is 2147483647"),
        ("m: \"x\" => [-1]", "1:12: expected a broker id, found \"-1]\""),
        ("m: \"x\" => 0x a", "1:11: the number of brokers has to be from 1 to 4294967295, not 0"),
        (
            "m: \"x\" => all, replication=0",
            "1:28: the replication factor has to be from 1 to 32767, not 0",
        ),
        (
            "m: \"x\" => all, replicas=3",
            "1:16: expected replication=N or allow=[...], once, found \"replicas=3\"",
        ),
        (
            "m: \"x\" => everything",
            "1:11: expected brokers: [1001..1006], 6x TYPE, 6 of all, statefulSet NS/NAME, kafkaNodePool NS/NAME, nodeLabels k=v, or all, found \"everything\"",
        ),
        (
            "1001: \"x\" => all",
            "1:1: \"1001\" is no name for a map: a letter or _, then letters, digits, _, - and ., please",
        ),
        ("m: => all", "1:4: map m names no topics; only the map named rest takes what is left"),
        (
            "rest: \".*\" => all",
            "1:7: the map named rest takes every topic that no other map takes, so it has no topics of its own",
        ),
    ];

    #[test]
    fn a_mistake_is_named_with_its_line_and_column() {
        for (text, expected) in REFUSED {
            assert_eq!(refusal(text), format!("test.yaml:{expected}"), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_regex_is_refused_with_the_compilers_words() {
        assert!(refusal("m: \"a(\" => all").contains("1:4: the pattern \"a(\" is not a regex: "));
    }

    #[test]
    fn a_name_written_twice_is_refused_with_both_places() {
        assert_eq!(
            refusal("m: \"x\" => [1]\nm: \"y\" => [2]"),
            "test.yaml:2:1: map m was already written at test.yaml:1:1"
        );
        let first = MapSet::parse("a.maps", "m: \"x\" => [1]").unwrap();
        let second = MapSet::parse("b.maps", "m: \"y\" => [2]").unwrap();
        let error = MapSet::merge([first, second]).unwrap_err();
        assert_eq!(error.to_string(), "b.maps:1:1: map m was already written at a.maps:1:1");
    }
}
