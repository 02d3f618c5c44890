//! Formats and exit codes are stable: `promises.txt` holds what each version of each promises, and no test passes while
//! a promise is broken under the same version.
//!
//! What may come without a new version: a key that is optional, and a value where several were possible before. Anything
//! else may break a program that reads or writes the format. `docs/stability.md` says so to users.

use super::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use topicmappr::Status;

/// Promises about each place in a document: a key, an item, an exit code.
type Places = BTreeMap<String, BTreeSet<String>>;

/// One format.
#[derive(Debug, Clone, PartialEq)]
struct Format {
    version: String,
    places: Places,
}

/// Words of a schema that promise nothing.
const PROSE: [&str; 5] = ["$schema", "$id", "title", "description", "default"];
/// One of several values that a place may have: the one promise that a place may gain.
const VALUE: &str = "may be ";
/// Stands between the promises of a place.
const AND: &str = " & ";
const TABLE: &str = "tests/schemas/promises.txt";

impl Format {
    /// The promises of a JSON Schema. Its title ends with its version.
    fn of_schema(name: &str, schema: &Value) -> Self {
        let title = schema["title"].as_str().unwrap_or_default();
        let version = title.rsplit_once(", version ").map(|(_, version)| version.to_owned());
        let version = version.unwrap_or_else(|| panic!("{name}: {title:?} names no version"));
        let constant = schema["properties"]["version"]["const"].as_u64();
        let same = constant.is_none_or(|constant| version.parse() == Ok(constant));
        assert!(same, "{name}: the title says {version}, and documents {constant:?}");
        let mut places = Places::new();
        collect(schema, "", &mut places);
        Self { version, places }
    }

    /// The exit codes. They have the version of the programs: of 0.1, every 0.1.x has the same.
    fn of_exit_codes() -> Self {
        let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0.to_owned();
        let promise = |status: &Status| (status.code().to_string(), [format!("{status:?}")].into());
        Self { version, places: statuses().iter().map(promise).collect() }
    }

    /// What another state of this format breaks of it.
    fn broken_by(&self, now: &Self) -> Vec<String> {
        let mut broken = Vec::new();
        for (place, promises) in &self.places {
            let Some(found) = now.places.get(place) else {
                broken.push(format!("{place} is gone"));
                continue;
            };
            let lost = promises.difference(found).map(|p| format!("{place} no longer: {p}"));
            broken.extend(lost);
            let open = promises.iter().any(|promise| promise.starts_with(VALUE));
            let gained = found.difference(promises).filter(|p| !(open && p.starts_with(VALUE)));
            broken.extend(gained.map(|p| format!("{place} now: {p}")));
        }
        broken
    }
}

/// Every status. A new one does not compile until it is in this list.
fn statuses() -> Vec<Status> {
    use Status::*;
    let all =
        [Done, NoPlan, BadInput, Outside, Warned, Findings, Partly, Held, Interrupted, Terminated];
    for status in all {
        match status {
            Done | NoPlan | BadInput | Outside | Warned | Findings | Partly | Held
            | Interrupted | Terminated => {}
        }
    }
    all.into()
}

/// The promises of a schema and of all in it, by their place. A definition is a place of its own.
fn collect(schema: &Value, place: &str, to: &mut Places) {
    let Some(words) = schema.as_object() else { return };
    let mut promises = BTreeSet::new();
    for (word, what) in words.iter().filter(|(word, _)| !PROSE.contains(&word.as_str())) {
        match (word.as_str(), what) {
            ("properties", Value::Object(keys)) => {
                keys.iter().for_each(|(key, of)| collect(of, &format!("{place}.{key}"), to));
            }
            ("$defs", Value::Object(names)) => {
                names.iter().for_each(|(name, of)| collect(of, &format!("#{name}"), to));
            }
            ("items", of) => collect(of, &format!("{place}[]"), to),
            ("allOf" | "oneOf" | "anyOf", Value::Array(branches)) => {
                for (index, of) in branches.iter().enumerate() {
                    collect(of, &format!("{place}({word} {index})"), to);
                }
            }
            ("if" | "then" | "else" | "not" | "propertyNames", of) => {
                collect(of, &format!("{place}({word})"), to);
            }
            ("additionalProperties", of @ Value::Object(_)) => {
                collect(of, &format!("{place}.*"), to);
            }
            ("required", Value::Array(keys)) => {
                promises.extend(keys.iter().map(|key| format!("requires {key}")));
            }
            ("enum", Value::Array(values)) => {
                promises.extend(values.iter().map(|value| format!("{VALUE}{value}")));
            }
            (word, what) => {
                promises.insert(format!("{word} {what}"));
            }
        }
    }
    to.insert(if place.is_empty() { "(all)".to_owned() } else { place.to_owned() }, promises);
}

fn formats_now() -> BTreeMap<String, Format> {
    let mut formats = BTreeMap::from([("exit-codes".to_owned(), Format::of_exit_codes())]);
    for entry in fs::read_dir(root().join("docs/schema")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let name = file.strip_suffix(".schema.json").unwrap_or_else(|| panic!("{file}"));
        formats.insert(name.to_owned(), Format::of_schema(name, &super::json(&path)));
    }
    formats
}

/// A paragraph for each format: its name and version, then a line for each place.
fn written(formats: &BTreeMap<String, Format>) -> String {
    let mut text = String::new();
    for (name, format) in formats {
        text += &format!("== {name}, version {}\n", format.version);
        for (place, promises) in &format.places {
            let promises: Vec<&str> = promises.iter().map(String::as_str).collect();
            text += format!("{place}: {}", promises.join(AND)).trim_end();
            text.push('\n');
        }
    }
    text
}

fn read(text: &str) -> BTreeMap<String, Format> {
    let format = |paragraph: &str| {
        let (head, lines) = paragraph.split_once('\n').unwrap();
        let (name, version) = head.split_once(", version ").unwrap();
        let place = |line: &str| {
            let (place, promises) = line.split_once(':').unwrap();
            let promises = promises.trim().split(AND).filter(|p| !p.is_empty());
            (place.to_owned(), promises.map(str::to_owned).collect())
        };
        let places = lines.lines().map(place).collect();
        (name.to_owned(), Format { version: version.to_owned(), places })
    };
    text.split("== ").skip(1).map(format).collect()
}

#[test]
fn no_format_and_no_exit_code_breaks_what_its_version_promises() {
    let path = root().join(TABLE);
    let before = read(&fs::read_to_string(&path).unwrap_or_default());
    let now = formats_now();
    assert_eq!(read(&written(&now)), now, "a promise that {TABLE} cannot hold");
    for (name, old) in &before {
        let Some(new) = now.get(name) else {
            panic!(
                "{name}: the format is gone. Remove it from {TABLE}, and say so in CHANGELOG.md"
            );
        };
        let broken = if old.version == new.version { old.broken_by(new) } else { Vec::new() };
        assert!(
            broken.is_empty(),
            "{name}, version {}, breaks a promise:\n  {}\n\
             Keep the promise, or raise the version (docs/stability.md) and say so in CHANGELOG.md under Changed. \
             If every document stays valid and means the same, change the line in {TABLE} by hand.",
            old.version,
            broken.join("\n  ")
        );
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, written(&now)).unwrap();
    } else {
        let changed: Vec<&String> = now.keys().filter(|n| before.get(*n) != now.get(*n)).collect();
        assert!(
            changed.is_empty(),
            "new promises in {changed:?}: BLESS=1 notes them in {TABLE}; say so in CHANGELOG.md under Added"
        );
    }
}

#[test]
fn the_page_of_commands_lists_exactly_the_exit_codes_that_there_are() {
    let page = fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let rows = page.split("| exit | means |\n").nth(1).unwrap().lines().skip(1);
    let cells = rows.map_while(|row| row.strip_prefix("| ")).flat_map(|row| {
        let codes = row.split(" |").next().unwrap();
        codes.split(", ").map(|code| code.parse::<u8>().unwrap())
    });
    let listed: Vec<u8> = cells.collect();
    assert_eq!(listed, statuses().iter().map(|status| status.code()).collect::<Vec<_>>());
}

#[test]
fn a_change_that_may_break_a_reader_or_a_writer_is_noticed() {
    let schema = serde_json::json!({
        "title": "a document, version 1", "type": "object", "required": ["id"],
        "properties": {
            "id": {"type": "integer", "minimum": 0},
            "why": {"enum": ["lost", "full"]},
            "moves": {"type": "array", "items": {"$ref": "#/$defs/move"}},
        },
        "$defs": {"move": {"type": "object", "properties": {"to": {"type": "string"}}}},
    });
    let old = Format::of_schema("a", &schema);
    let with = |pointer: &str, value: Value| {
        let mut changed = schema.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        old.broken_by(&Format::of_schema("a", &changed))
    };
    let id = || serde_json::json!({"type": "integer", "minimum": 0});
    let broken = [
        ("/properties/id", serde_json::json!({"type": "string", "minimum": 0})),
        ("/properties/id/minimum", 1.into()),
        ("/properties/id", serde_json::json!({"type": "integer"})),
        ("/properties/why/enum", serde_json::json!(["lost"])),
        ("/properties", serde_json::json!({"id": id()})),
        ("/required", serde_json::json!([])),
        ("/required", serde_json::json!(["id", "why"])),
        ("/$defs/move/properties", serde_json::json!({})),
        (
            "/$defs/move",
            serde_json::json!({"type": "object", "additionalProperties": false,
            "properties": {"to": {"type": "string"}}}),
        ),
    ];
    for (pointer, value) in broken {
        assert_ne!(with(pointer, value.clone()), Vec::<String>::new(), "{pointer}: {value}");
    }
    let kept = [
        ("/properties/why/enum", serde_json::json!(["lost", "full", "slow"])),
        ("/$defs/move/properties", serde_json::json!({"to": {"type": "string"}, "from": id()})),
        ("/title", "another name, version 1".into()),
    ];
    for (pointer, value) in kept {
        assert_eq!(with(pointer, value.clone()), Vec::<String>::new(), "{pointer}: {value}");
    }
}
