//! A command line from a script or a page, run within this process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use topicmappr::{Environment, Streams};

/// Makes a temporary folder that looks like the repository's root, so that commands print the same on every machine.
/// Changes the current folder to it.
pub fn enter(root: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["fixtures", "maps", "tests"] {
        std::os::unix::fs::symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    std::env::set_current_dir(folder.path()).unwrap();
    folder
}

/// The output of a command.
pub struct Ran {
    /// Its stdout, as far as it was requested, line by line.
    pub out: Vec<String>,
    /// Its stderr.
    pub err: Vec<String>,
    /// Its exit code.
    pub code: u8,
}

/// One line: `NAME=VALUE... topicmappr ARGUMENT... [< FILE] [| head -n N]`.
pub struct Command {
    environment: BTreeMap<String, String>,
    args: Vec<OsString>,
    stdin: Vec<u8>,
    filter: Option<(String, usize)>,
}

impl Command {
    /// Parses a line.
    pub fn parse(line: &str) -> Self {
        let mut words = words(line);
        let mut filter = None;
        if let Some(at) = words.iter().position(|word| word == "|") {
            let count = words.last().unwrap().parse().unwrap_or_else(|_| panic!("{line}"));
            filter = Some((words[at + 1].clone(), count));
            words.truncate(at);
        }
        let mut stdin = Vec::new();
        if let Some(at) = words.iter().position(|word| word == "<") {
            stdin = fs::read(&words[at + 1]).unwrap();
            words.truncate(at);
        }
        let program = words.iter().position(|word| word == "topicmappr").unwrap();
        let args = words.split_off(program).into_iter().map(OsString::from).collect();
        let pairs = words.iter().map(|word| word.split_once('=').unwrap());
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { environment: environment.collect(), args, stdin, filter }
    }

    /// Runs it in the current folder.
    pub fn run(self) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut streams = Streams {
            stdin: &mut self.stdin.as_slice(),
            out: &mut out,
            err: &mut err,
            in_is_terminal: false,
            out_is_terminal: false,
            err_is_terminal: false,
        };
        let status = topicmappr::run(self.args, &Environment(self.environment), &mut streams);
        let lines = |bytes: Vec<u8>| -> Vec<String> {
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        };
        let mut out = lines(out);
        match self.filter {
            Some((name, count)) if name == "head" => out.truncate(count),
            Some((name, count)) if name == "tail" => {
                out = out.split_off(out.len().saturating_sub(count));
            }
            Some((name, _)) => panic!("what is {name}?"),
            None => {}
        }
        for line in &out {
            assert!(line.len() <= 100 || line.contains('{'), "wider than 100 columns: {line}");
        }
        Ran { out, err: lines(err), code: status.code() }
    }
}

/// Splits at blanks outside quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
