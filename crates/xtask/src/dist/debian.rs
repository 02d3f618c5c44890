//! Debian's packages: which one a file belongs to, and what is in one.

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};

use tar::EntryType;
use testbed::cache;

use super::tool;
use super::tree::{Entry, Tree};

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) arch: String,
}

/// The installed package that a file belongs to.
pub(super) fn owner(file: &Path) -> Result<Package, Box<dyn Error>> {
    // dpkg knows a library by the path in its package, with or without /usr: Debian joins /lib and /usr/lib by a link.
    let real = file.canonicalize()?;
    let short = real.strip_prefix("/usr").map(|rest| Path::new("/").join(rest));
    let paths = [Some(real), short.ok()];
    let lines = paths
        .iter()
        .flatten()
        .find_map(|path| tool::output(tool::named("dpkg-query").arg("--search").arg(path)).ok());
    let lines = lines.ok_or_else(|| {
        format!("{} is in no Debian package: make artefacts on Debian", file.display())
    })?;
    let name = lines.split(": ").next().unwrap_or_default();
    let shape = "--showformat=${Package} ${Version} ${Architecture}";
    let told = tool::output(tool::named("dpkg-query").args(["--show", shape, name]))?;
    let mut words = told.split(' ').map(str::to_owned);
    let mut word = || words.next().ok_or_else(|| format!("dpkg-query: {told}"));
    Ok(Package { name: word()?, version: word()?, arch: word()? })
}

impl Package {
    /// The files of the release of this package that apt would install now, without those that an image has no use for.
    ///
    /// The package is kept in the cache. Without a network, it has to be there.
    pub(super) fn files(&self) -> Result<Tree, Box<dyn Error>> {
        let package = fetched(&self.name)?;
        let bytes = tool::filter(tool::named("dpkg-deb").arg("--fsys-tarfile").arg(&package), &[])?;
        let mut tree = Tree::default();
        for entry in tar::Archive::new(bytes.as_slice()).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.display().to_string();
            let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
            let mode = entry.header().mode()? & 0o7777;
            match entry.header().entry_type() {
                EntryType::Regular if !is_left_out(&path) => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    tree.add(&path, Entry::File { bytes, mode });
                }
                EntryType::Symlink if !is_left_out(&path) => {
                    let to = entry.link_name()?.ok_or("a link to nothing")?.display().to_string();
                    tree.add(&path, Entry::Link { to });
                }
                // Folders come with their files.
                _ => {}
            }
        }
        // The packages of one source may have their licence in one of them, and a link to it in the others.
        let licence = format!("usr/share/doc/{}", self.name);
        if let Some(name) = tree.target(&licence).map(str::to_owned) {
            tree.merge(Self::named(&name).files()?.only(is_copyright));
        }
        // Scanners read here which packages an image has.
        let control = tool::output(tool::named("dpkg-deb").arg("--field").arg(&package))?;
        tree.file(&format!("var/lib/dpkg/status.d/{}", self.name), control);
        Ok(tree)
    }

    /// A package of Debian for every processor, or for this one.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), version: String::new(), arch: String::new() }
    }
}

/// Documentation except licences, character sets beyond UTF-8, and what only Debian's own tools read.
fn is_left_out(path: &str) -> bool {
    let is_documentation = |name: &str| name.contains('/') && !is_copyright(path);
    let folders = ["usr/share/man/", "usr/share/lintian/", "usr/share/locale/"];
    path.strip_prefix("usr/share/doc/").is_some_and(is_documentation)
        || path.contains("/gconv/")
        || folders.iter().any(|start| path.starts_with(start))
}

/// Whether this is the licence of a package, not of an example in it.
fn is_copyright(path: &str) -> bool {
    let name = path.strip_prefix("usr/share/doc/").and_then(|path| path.strip_suffix("/copyright"));
    name.is_some_and(|name| !name.contains('/'))
}

/// The package's file in the cache, which apt has checked against the archive's signature.
fn fetched(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let asked = tool::output(tool::named("apt-get").args(["--print-uris", "download", name]))?;
    let fields: Vec<&str> = asked.split_whitespace().collect();
    // 'ADDRESS' FILE SIZE SHA256:SUM
    let [_, file, _, sum] = fields[..] else {
        return Err(format!("apt knows no package {name}: apt-get update").into());
    };
    let folder = cache::folder().join("debs").join(sum.rsplit(':').next().unwrap_or_default());
    let _lock = cache::lock("debs")?;
    cache::whole(&folder, |into| {
        let mut download = tool::named("apt-get");
        download.args(["-q", "-o", "APT::Sandbox::User=root", "download", name]);
        tool::output(download.current_dir(into)).map(drop).map_err(Fetch)
    })
    .map_err(|why: Fetch| why.0)?;
    Ok(folder.join(file))
}

/// Why the cache lacks a package.
struct Fetch(Box<dyn Error>);

impl From<testbed::Error> for Fetch {
    fn from(why: testbed::Error) -> Self {
        Self(why.into())
    }
}
