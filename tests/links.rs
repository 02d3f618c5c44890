//! Every link between Markdown pages of the repository leads to a file and to a heading that exist. Links to other
//! servers are not followed.
//!
//! The pages in `docs` are also a book (`book.toml`), which has only that folder. So they link to nothing outside it.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A page, by what other pages need of it.
#[derive(Default)]
struct Page {
    /// The names of its headings in links.
    headings: BTreeSet<String>,
    links: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All files below a folder, without links, hidden folders and what builds make.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (name, kind) = (entry.file_name(), entry.file_type().unwrap());
        let skipped = name == "target" || name.as_encoded_bytes()[0] == b'.';
        if kind.is_dir() && !skipped {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// The pages of the repository, by their path from its root.
fn pages() -> BTreeMap<PathBuf, Page> {
    let root = root();
    let all = files(&root).into_iter().filter(|path| path.extension().is_some_and(|e| e == "md"));
    all.map(|path| {
        let page = Page::read(&fs::read_to_string(&path).unwrap());
        (path.strip_prefix(&root).unwrap().to_owned(), page)
    })
    .collect()
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.name_heading(&heading.take().unwrap());
                }
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                _ => {}
            }
        }
        page
    }

    /// As GitHub and mdBook name headings: the second of the same words ends with -1.
    fn name_heading(&mut self, words: &str) {
        let lower = words.trim().to_lowercase();
        let kept = lower.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut unique = name.clone();
        for n in 1_usize.. {
            if self.headings.insert(unique) {
                break;
            }
            unique = format!("{name}-{n}");
        }
    }

    /// Its links to files of the repository or to its own headings.
    fn local_links(&self) -> impl Iterator<Item = (&str, &str)> {
        let local = self.links.iter().filter(|link| !link.contains("://"));
        local.map(|link| link.split_once('#').unwrap_or((link, "")))
    }
}

/// The file that a link of a page names, by its path from the root. `None`: it is outside the repository.
fn target(page: &Path, link: &str) -> Option<PathBuf> {
    let mut path = page.parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// What is wrong with a link.
fn fault(
    pages: &BTreeMap<PathBuf, Page>,
    from: &Path,
    link: &str,
    heading: &str,
) -> Option<String> {
    let to = if link.is_empty() { Some(from.to_owned()) } else { target(from, link) };
    let Some(to) = to.filter(|to| root().join(to).exists()) else {
        return Some("no such file".to_owned());
    };
    if from.starts_with("docs") && !to.starts_with("docs") {
        return Some("the book has only docs: name the path, without a link".to_owned());
    }
    let known = heading.is_empty() || pages.get(&to)?.headings.contains(heading);
    (!known).then(|| format!("{} has no such heading", to.display()))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let (mut checked, mut faults) = (0, Vec::new());
    for (path, page) in &pages {
        for (link, heading) in page.local_links() {
            checked += 1;
            let fault = fault(&pages, path, link, heading);
            faults.extend(fault.map(|why| format!("{}: {link}#{heading}: {why}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 150, "only {checked} links were found");
}

#[test]
fn the_book_has_every_page_once_and_shows_every_picture_and_schema() {
    let pages = pages();
    let summary = Path::new("docs/SUMMARY.md");
    let chapters: Vec<PathBuf> =
        pages[summary].local_links().map(|(link, _)| target(summary, link).unwrap()).collect();
    let once: BTreeSet<&PathBuf> = chapters.iter().collect();
    assert_eq!(chapters.len(), once.len(), "SUMMARY.md lists a page twice");
    let linked: BTreeSet<PathBuf> = pages
        .iter()
        .filter(|(path, _)| path.starts_with("docs"))
        .flat_map(|(path, page)| page.local_links().filter_map(|(link, _)| target(path, link)))
        .collect();
    for path in files(&root().join("docs")) {
        let path = path.strip_prefix(root()).unwrap().to_owned();
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let must = match ending.as_str() {
            "md" => path == summary || once.contains(&path),
            "png" | "svg" => linked.contains(&path),
            _ => !path.starts_with("docs/schema") || linked.contains(&path),
        };
        assert!(must, "{}: no page of the book leads there", path.display());
    }
}

#[test]
fn a_link_to_nowhere_is_found() {
    let text = "# A page\n## `x` of a: 2\n## a\n## a\n[l](b.md#h) ![p](c.png) [`d.md`]: no link\n";
    let page = Page::read(text);
    let headings: Vec<&str> = page.headings.iter().map(String::as_str).collect();
    assert_eq!(headings, ["a", "a-1", "a-page", "x-of-a-2"]);
    assert_eq!(page.local_links().collect::<Vec<_>>(), [("b.md", "h"), ("c.png", "")]);
    let pages = BTreeMap::from([(PathBuf::from("docs/exact.md"), page)]);
    let fault = |from: &str, link: &str, heading: &str| {
        fault(&pages, Path::new(from), link, heading).unwrap_or_default()
    };
    assert_eq!(fault("docs/exact.md", "", "a-1"), "");
    assert!(fault("docs/exact.md", "", "a-2").contains("no such heading"));
    assert!(fault("docs/exact.md", "no-such-page.md", "").contains("no such file"));
    assert!(fault("docs/exact.md", "../README.md", "").contains("only docs"));
    assert!(fault("README.md", "../README.md", "").contains("no such file"));
    assert_eq!(fault("README.md", "docs/exact.md", ""), "");
}
