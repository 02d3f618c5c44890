//! The sources of the shipped crates, as the laws of the structure count them.

use std::error::Error;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::project::root;

/// One of our crates.
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) files: Vec<Source>,
}

/// One of its files, without the file's tests.
pub(super) struct Source {
    /// Relative to the root of the workspace.
    pub(super) path: String,
    /// The top-level module that it belongs to.
    pub(super) module: String,
    /// The top-level modules of the same crate that it uses.
    pub(super) uses: Vec<String>,
    /// Type names that it defines.
    pub(super) types: Vec<String>,
    /// Lines of each function.
    pub(super) functions: Vec<usize>,
    /// The number of all lines.
    pub(super) lines: usize,
    /// The number of lines that are neither blank nor a comment.
    pub(super) code: usize,
    /// Its comments and its documentation.
    pub(super) prose: String,
}

pub(super) fn crates(without: &[&str]) -> Result<Vec<Crate>, Box<dyn Error>> {
    let folder = root().join("crates");
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    names.retain(|name| !without.contains(&name.as_str()));
    names.sort();
    let patterns = Patterns::new()?;
    let read = |name: String| {
        let src = folder.join(&name).join("src");
        let mut files = Vec::new();
        visit(&src, &mut |path| files.push(patterns.read(&src, path)))?;
        Ok(Crate { name, files: files.into_iter().collect::<Result<_, Box<dyn Error>>>()? })
    };
    names.into_iter().map(read).collect()
}

/// Calls `found` for every shipped file, in order of path.
fn visit(folder: &Path, found: &mut impl FnMut(&Path)) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                visit(&path, found)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            found(&path);
        }
    }
    Ok(())
}

struct Patterns {
    one_use: Regex,
    many_uses: Regex,
    word: Regex,
    definition: Regex,
    function: Regex,
}

impl Patterns {
    fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            one_use: Regex::new(r"crate::(\w+)")?,
            many_uses: Regex::new(r"use crate::\{([^}]*)\}")?,
            word: Regex::new(r"\b([a-z_]+)\b")?,
            definition: Regex::new(
                r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) (\w+)",
            )?,
            function: Regex::new(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const |async )*fn \w+")?,
        })
    }

    fn read(&self, src: &Path, path: &Path) -> Result<Source, Box<dyn Error>> {
        let whole = fs::read_to_string(path)?;
        let text = whole.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let within = path.strip_prefix(src)?.to_string_lossy().into_owned();
        let module =
            within.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        let mut uses: Vec<String> =
            self.one_use.captures_iter(text).map(|found| found[1].to_owned()).collect();
        for list in self.many_uses.captures_iter(text) {
            uses.extend(self.word.captures_iter(&list[1]).map(|found| found[1].to_owned()));
        }
        let to_crate = "super::".repeat(within.split('/').filter(|name| *name != "mod.rs").count());
        uses.extend(self.above(&to_crate, text));
        let comment = |line: &&str| line.trim_start().starts_with("//");
        Ok(Source {
            path: path.strip_prefix(root())?.to_string_lossy().into_owned(),
            module,
            uses,
            types: self.definition.captures_iter(text).map(|found| found[1].to_owned()).collect(),
            functions: self.functions(text),
            lines: text.lines().count(),
            code: text.lines().filter(|line| is_code(line)).count(),
            prose: text.lines().filter(comment).flat_map(|line| [line, "\n"]).collect(),
        })
    }

    /// The names that a file reaches through its parents, up to the crate. `to_crate` has one `super::` for each step.
    fn above(&self, to_crate: &str, text: &str) -> Vec<String> {
        let after = |(at, _): (usize, &str)| {
            let (before, rest) = (&text[..at], &text[at + to_crate.len()..]);
            let name = self.word.find(rest).filter(|name| name.start() == 0)?.as_str();
            (!before.ends_with("super::") && name != "super").then(|| name.to_owned())
        };
        text.match_indices(to_crate).filter_map(after).collect()
    }

    /// The lines of code in each body, as Clippy's `too_many_lines` counts them. A body ends at the brace that rustfmt
    /// puts below the function's first letter.
    fn functions(&self, text: &str) -> Vec<usize> {
        let lines: Vec<&str> = text.lines().collect();
        let mut lengths = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(found) = self.function.captures(line) else { continue };
            let opened = lines[at..].iter().position(|line| line.ends_with(['{', ';', '}']));
            let Some(opened) = opened.filter(|opened| lines[at + opened].ends_with('{')) else {
                continue;
            };
            let end = format!("{}}}", &found[1]);
            let body = lines[at + opened + 1..].iter().take_while(|line| **line != end);
            lengths.push(body.filter(|line| is_code(line)).count());
        }
        lengths
    }
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}
