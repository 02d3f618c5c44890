//! The runbook shows the real output of the commands. This test runs each ```console block of a page and compares the
//! output.
//!
//! `BLESS=1` rewrites the blocks. A line that begins with `$ ` is a command. After it come its stdout, its stderr, and
//! its exit code if that is not 0.

#[path = "command.rs"]
mod command;

use command::{Command, Ran, enter};
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines in a block: operators do not read longer ones.
const LONGEST: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The page with the current output of its commands. The blocks of one page share a folder.
fn told_anew(text: &str) -> String {
    let mut anew = String::new();
    let mut in_block = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == "```console" {
            in_block = true;
        } else if bare == "```" {
            in_block = false;
        }
        let shown = !in_block || bare == "```console" || bare.starts_with("$ ");
        if shown {
            anew.push_str(line);
        }
        if let Some(command) = bare.strip_prefix("$ ").filter(|_| in_block) {
            let ran = Command::parse(command).run();
            assert!(ran.out.len() <= LONGEST, "{command}: {} lines", ran.out.len());
            anew.push_str(&shown_as(&ran));
        }
    }
    anew
}

fn shown_as(ran: &Ran) -> String {
    let code = (ran.code != 0).then(|| format!("(exit code {})", ran.code));
    let lines = ran.out.iter().chain(&ran.err).map(|line| line.trim_end().to_owned());
    lines.chain(code).map(|line| line + "\n").collect()
}

#[test]
fn every_page_shows_what_its_commands_put_out() {
    let root = root();
    let mut blocks = 0;
    for page in pages(&root.join("docs/runbook")) {
        let text = fs::read_to_string(&page).unwrap();
        blocks += text.matches("```console\n").count();
        let _folder = enter(&root);
        let anew = told_anew(&text);
        std::env::set_current_dir(&root).unwrap();
        if std::env::var_os("BLESS").is_some() {
            fs::write(&page, &anew).unwrap();
        } else {
            assert_eq!(text, anew, "{}: BLESS=1 accepts what was found", page.display());
        }
    }
    assert!(blocks >= 10, "only {blocks} blocks are run");
}
