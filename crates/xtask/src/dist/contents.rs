//! The files that every artefact has, each in the form of its own.
//!
//! In: the programs, which print their manual pages and completions, and files of the checkout. Out: bytes.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::programs::{self, Programs};
use super::release::Release;
use super::tree::Tree;
use crate::licences;
use crate::project::root;
use crate::shipped::Crate;

/// What the first example of README plans, in the same folders as in the checkout.
const EXAMPLES: [&str; 2] = ["fixtures/lost-broker.json", "maps/production.yaml"];
/// The shells, and the file of completions for a program where each one looks below `share`.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/PROGRAM"),
    ("fish", "fish/vendor_completions.d/PROGRAM.fish"),
    ("zsh", "zsh/site-functions/_PROGRAM"),
];

/// Texts with their names or paths.
type Texts = Vec<(String, Vec<u8>)>;

/// What all artefacts hold.
pub(super) struct Contents {
    /// Both programs in release mode, as files.
    pub(super) programs: Programs,
    /// File names and texts of manual pages.
    pub(super) manual: Texts,
    /// Completions, at their places below a folder `share`.
    pub(super) completions: Texts,
    /// Licences, the bill of materials, and what to read: file names and texts.
    pub(super) documents: Vec<(&'static str, Vec<u8>)>,
    /// The examples' files: their paths in the checkout, and their texts.
    pub(super) examples: Vec<(&'static str, Vec<u8>)>,
}

impl Contents {
    pub(super) fn of(
        release: &Release,
        programs: Programs,
        crates: &[Crate],
        sbom: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let read = |path: &str| fs::read(root().join(path)).map_err(|why| format!("{path}: {why}"));
        let scratch = tempfile::tempdir_in(&release.target_folder)?;
        Ok(Self {
            manual: manual(&programs, scratch.path())?,
            completions: completions(&programs)?,
            documents: vec![
                ("LICENSE", read("LICENSE")?),
                ("README.md", read("README.md")?),
                ("CHANGELOG.md", read("CHANGELOG.md")?),
                ("THIRD-PARTY-LICENCES.txt", licences::list(crates)?.into_bytes()),
                ("sbom.cdx.json", sbom.as_bytes().to_vec()),
            ],
            examples: EXAMPLES
                .into_iter()
                .map(|path| Ok((path, read(path)?)))
                .collect::<Result<_, String>>()?,
            programs,
        })
    }

    /// The programs with their manual pages, in these folders.
    pub(super) fn programs_in(&self, bin: &str, share: &str) -> Result<Tree, Box<dyn Error>> {
        let mut tree = Tree::default();
        for program in self.programs.both() {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            tree.program(&format!("{bin}/{name}"), fs::read(program)?);
        }
        for (name, page) in &self.manual {
            tree.file(&format!("{share}/man/man1/{name}"), page.clone());
        }
        Ok(tree)
    }

    /// The programs, and everything that belongs below `share`: manual pages as they are, and completions.
    pub(super) fn installed(&self) -> Result<Tree, Box<dyn Error>> {
        let mut tree = self.programs_in("bin", "share")?;
        for (path, script) in &self.completions {
            tree.file(&format!("share/{path}"), script.clone());
        }
        Ok(tree)
    }
}

fn manual(programs: &Programs, into: &Path) -> Result<Texts, Box<dyn Error>> {
    let folder = into.display().to_string();
    programs::output(&programs.topicmappr, &["man", "--out-dir", &folder])?;
    let daemon = programs::output(&programs.autothrottle, &["--man"])?;
    let mut pages = vec![("autothrottle.1".to_owned(), daemon.into_bytes())];
    for entry in fs::read_dir(into)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        pages.push((name, fs::read(&path)?));
    }
    pages.sort();
    Ok(pages)
}

/// topicmappr prints its completions. Those of the daemon are files of the checkout, which a test keeps up to date.
fn completions(programs: &Programs) -> Result<Texts, Box<dyn Error>> {
    let mut scripts = Vec::new();
    for (shell, place) in SHELLS {
        let script = programs::output(&programs.topicmappr, &["completions", shell])?;
        scripts.push((place.replace("PROGRAM", "topicmappr"), script.into_bytes()));
        let file = format!("deploy/completions/autothrottle.{shell}");
        let script = fs::read(root().join(&file)).map_err(|why| format!("{file}: {why}"))?;
        scripts.push((place.replace("PROGRAM", "autothrottle"), script));
    }
    Ok(scripts)
}
