//! Words that operators who read English as a second language stumble over.

use std::error::Error;
use std::fs;
use std::path::Path;

use regex::Regex;

use super::sources::Crate;
use crate::project::root;

const PAGES: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"];
const WORDS: &str = r"(?i)\b(whoever|whomever|whom|whosever|nobody|somebody|anybody|of old|to the letter|made anew)\b";

/// How often they occur in documentation and comments, and the file with the most of them.
pub(super) fn count(crates: &[Crate]) -> Result<(usize, String), Box<dyn Error>> {
    let words = Regex::new(WORDS)?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for page in PAGES {
        texts.push((page.to_owned(), fs::read_to_string(root().join(page))?));
    }
    pages(&root().join("docs"), &mut texts)?;
    let prose = crates.iter().flat_map(|one| &one.files);
    texts.extend(prose.map(|file| (file.path.clone(), file.prose.clone())));
    let counts = texts.iter().map(|(path, text)| (words.find_iter(text).count(), path));
    let counts: Vec<(usize, &String)> = counts.filter(|(count, _)| *count > 0).collect();
    let most = counts.iter().max();
    let evidence = most.map(|(count, path)| format!("{path} {count}")).unwrap_or_default();
    Ok((counts.iter().map(|(count, _)| count).sum(), evidence))
}

fn pages(folder: &Path, texts: &mut Vec<(String, String)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            pages(&path, texts)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(root())?.to_string_lossy().into_owned();
            texts.push((name, fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
