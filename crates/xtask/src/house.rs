//! Measures from its sources how hard the project is to maintain: `cargo xtask house`.
//!
//! It prints one row for each law of the structure, and fails if a count is over its ceiling. Until a law reaches its
//! goal, its ceiling is the count at the time of its introduction. After that, the goal is the ceiling. A ceiling goes
//! up only in the commit whose feature needs it, and that commit gives the reason.

mod cycles;
mod sources;
mod words;

use std::collections::BTreeMap;
use std::error::Error;

use serde_json::Value;

use crate::project::{Outcome, cargo};
use sources::{Crate, Source};

/// Crates that are not shipped: servers for tests, and these tasks.
const NOT_SHIPPED: [&str; 2] = ["testbed", "xtask"];
/// Crates without a command line or a table. Of ours, they depend only on one another.
const PURE: [&str; 5] = ["mapper", "topics", "health", "execute", "throttle"];
/// The drivers, shared state, and what both share with command lines, know no command line and no table either.
const DRIVERS: [&str; 3] = ["operate", "coordination", "local"];
/// The packages for command lines and tables.
const COMMAND_LINE: [&str; 3] = ["clap", "tabled", "clap_complete"];
/// The modules of `mapper` that hold plain types. `check` uses these alone, and they only one another, so that it shares no
/// code with the planners that it judges.
const TYPES: [&str; 15] = [
    "assignment",
    "both",
    "bytes",
    "counted",
    "cpu_model",
    "figures",
    "ids",
    "lookup",
    "plan",
    "plan_file",
    "request",
    "scope",
    "snapshot",
    "step_limits",
    "table",
];

/// One row: a count, its ceiling now, and its goal.
struct Law {
    what: &'static str,
    count: usize,
    /// A higher count fails.
    ceiling: usize,
    goal: usize,
    /// The source of the count: the largest file, or the first names.
    evidence: String,
}

pub(crate) fn run() -> Outcome {
    let laws = laws()?;
    for law in &laws {
        let word = if law.count <= law.ceiling { "ok" } else { "OVER" };
        let Law { what, count, ceiling, goal, evidence } = law;
        println!(
            "{word:<5} {what:<58} {count:>7}  ceiling {ceiling:>7}  goal {goal:>7}  {evidence}"
        );
    }
    let over: Vec<&str> =
        laws.iter().filter(|law| law.count > law.ceiling).map(|law| law.what).collect();
    if over.is_empty() {
        Ok(())
    } else {
        Err(format!("over the ceiling: {}", over.join("; ")).into())
    }
}

fn laws() -> Result<Vec<Law>, Box<dyn Error>> {
    let crates = sources::crates(&NOT_SHIPPED)?;
    let arrows = arrows()?;
    let (cycle, of) = cycles::largest(&crates);
    let (homonyms, names) = homonyms(&crates);
    let longest = crates.iter().flat_map(|one| &one.files).max_by_key(|file| file.lines);
    let longest = longest.ok_or("no sources")?;
    let mut functions: Vec<(usize, &Source)> = crates
        .iter()
        .flat_map(|one| &one.files)
        .flat_map(|file| file.functions.iter().map(move |lines| (*lines, file)))
        .collect();
    functions.sort_by_key(|(lines, _)| *lines);
    let (most, at) = *functions.last().ok_or("no functions")?;
    let tenth = functions[functions.len() * 9 / 10].0;
    let reaches = |from: &str, to: &[&str]| {
        let all = arrows.get(from).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|name| to.contains(&name.as_str())).count()
    };
    let knowing: Vec<&str> = PURE
        .into_iter()
        .chain(DRIVERS)
        .filter(|name| reaches(&package(name), &COMMAND_LINE) > 0)
        .collect();
    let borrowed = borrowed(&crates);
    let impure =
        |name: &&String| name.strip_prefix("mappr-").is_some_and(|name| !PURE.contains(&name));
    let beneath: Vec<&str> = PURE
        .into_iter()
        .filter_map(|name| arrows.get(&package(name))?.iter().find(impure))
        .map(String::as_str)
        .collect();
    let daemon = reaches("mappr-autothrottle", &["mappr-topicmappr", "tabled", "clap_complete"]);
    let code = crates.iter().flat_map(|one| &one.files).map(|file| file.code).sum();
    let (archaic, worst) = words::count(&crates)?;
    let law = |what, count, ceiling, goal, evidence| Law { what, count, ceiling, goal, evidence };
    Ok(vec![
        law("lines in the largest import cycle of a crate", cycle, 1_000, 1_000, of),
        law("type names defined twice or more", homonyms, 30, 30, names),
        law("what the daemon has of the CLI, tables, completions", daemon, 0, 0, String::new()),
        law(
            "pure crates and drivers that know a command line or a table",
            knowing.len(),
            0,
            0,
            knowing.join(", "),
        ),
        law(
            "crates that pure ones have and that are not pure",
            beneath.len(),
            0,
            0,
            beneath.join(", "),
        ),
        law(
            "lines of shipped code, without tests, comments, blanks",
            code,
            84_930,
            58_000,
            String::new(),
        ),
        law(
            "what mapper's check has beyond plain types",
            borrowed.len(),
            0,
            0,
            borrowed.join(", "),
        ),
        law("lines of the longest function", most, 60, 60, at.path.clone()),
        law("lines of a function, 90th percentile", tenth, 24, 24, String::new()),
        law(
            "lines of the longest file, without its tests",
            longest.lines,
            400,
            400,
            longest.path.clone(),
        ),
        law("words that plain English does without", archaic, 0, 0, worst),
    ])
}

fn package(name: &str) -> String {
    format!("mappr-{name}")
}

/// What `check`, or a plain type that it uses, imports from `mapper` that is not a plain type.
fn borrowed(crates: &[Crate]) -> Vec<String> {
    let files = crates.iter().filter(|one| one.name == "mapper").flat_map(|one| &one.files);
    let mut borrowed = Vec::new();
    for file in files.filter(|file| file.module == "check" || TYPES.contains(&&*file.module)) {
        let foreign =
            file.uses.iter().filter(|name| **name != file.module && !TYPES.contains(&&***name));
        borrowed.extend(foreign.map(|name| format!("{} {name}", file.path)));
    }
    borrowed
}

/// Type names with two definitions, and the first of them.
fn homonyms(crates: &[Crate]) -> (usize, String) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for name in crates.iter().flat_map(|one| &one.files).flat_map(|file| &file.types) {
        *places.entry(name).or_default() += 1;
    }
    let mut twice: Vec<(&str, usize)> =
        places.into_iter().filter(|(_, count)| *count > 1).collect();
    twice.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let first: Vec<String> =
        twice.iter().take(4).map(|(name, count)| format!("{name} {count}")).collect();
    (twice.len(), first.join(", "))
}

/// All dependencies of each of our packages, including indirect ones, without those that only tests need.
fn arrows() -> Result<BTreeMap<String, Vec<String>>, Box<dyn Error>> {
    let out = cargo(["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_slice(&out.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, String> = list(&metadata["packages"])
        .iter()
        .map(|one| (text(&one["id"]), text(&one["name"])))
        .collect();
    let mut direct: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let normal =
            |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        let deps = list(&node["deps"]);
        direct.insert(
            text(&node["id"]),
            deps.iter().filter(normal).map(|dep| text(&dep["pkg"])).collect(),
        );
    }
    let mut all = BTreeMap::new();
    for (id, name) in names.iter().filter(|(_, name)| name.starts_with("mappr-")) {
        let mut reached = std::collections::BTreeSet::new();
        let mut open = vec![id.as_str()];
        while let Some(next) = open.pop() {
            for dep in direct.get(next).into_iter().flatten() {
                if reached.insert(dep.as_str()) {
                    open.push(dep);
                }
            }
        }
        all.insert(name.clone(), reached.iter().filter_map(|id| names.get(*id)).cloned().collect());
    }
    Ok(all)
}
