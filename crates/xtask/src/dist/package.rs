//! The Debian package of both programs: `topicmappr_VERSION_ARCH.deb`.
//!
//! dpkg-deb packs it, and dpkg-shlibdeps computes what it depends on. cargo-deb would call the latter as well, and is one
//! more tool to fetch and build.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::archive::gzip;
use super::contents::Contents;
use super::release::Release;
use super::tool;
use super::tree::Tree;
use crate::project::root;

/// The services in `deploy/debian`, and where the package has their settings and units.
const SERVICES: [&str; 2] = ["autothrottle", "topicmappr-keep"];
const CONFIGURATION: &str = "etc/default/";
const UNITS: &str = "usr/lib/systemd/system/";
/// What dpkg runs as root when it installs and removes the package.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
const DOCUMENTATION: &str = "usr/share/doc/topicmappr";
/// The programs need packed relocations (`crates/topicmappr/build.rs`). The C library loads them from this version on, but
/// they are no symbol that dpkg-shlibdeps could see.
const FIRST_GLIBC: &str = "libc6 (>= 2.36)";

/// Writes the package, and returns its name.
pub(super) fn write(release: &Release, contents: &Contents) -> Result<String, Box<dyn Error>> {
    let scratch = tempfile::tempdir_in(&release.target_folder)?;
    let folder = scratch.path().join("package");
    let tree = files(contents)?;
    let arch = tool::output(tool::named("dpkg").arg("--print-architecture"))?.trim().to_owned();
    tree.write(&folder)?;
    control(release, &tree, &arch, &depends(scratch.path(), contents)?)?
        .write(&folder.join("DEBIAN"))?;
    let name = format!("topicmappr_{}_{arch}.deb", release.version);
    let mut build = tool::named("dpkg-deb");
    // More threads would cut the data at other places.
    build.args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"]).arg(&folder);
    build.arg(release.folder().join(&name)).env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    tool::output(&mut build)?;
    Ok(name)
}

fn files(contents: &Contents) -> Result<Tree, Box<dyn Error>> {
    let mut tree = Tree::default();
    for (path, bytes) in contents.installed()?.files() {
        match path.split_once('/') {
            Some(("bin", name)) => tree.program(&format!("usr/bin/{name}"), bytes.to_vec()),
            // Debian packs manual pages, and has zsh's completions in a folder of packages.
            _ if path.ends_with(".1") => tree.file(&format!("usr/{path}.gz"), gzip(bytes)?),
            _ => {
                let path = path.replace("/site-functions/", "/vendor-completions/");
                tree.file(&format!("usr/{path}"), bytes.to_vec());
            }
        }
    }
    for (name, text) in &contents.documents {
        match *name {
            "CHANGELOG.md" => tree.file(&format!("{DOCUMENTATION}/changelog.gz"), gzip(text)?),
            "THIRD-PARTY-LICENCES.txt" => {
                tree.file(&format!("{DOCUMENTATION}/{name}.gz"), gzip(text)?);
            }
            // Debian has the licence's text once for all packages, and the file `copyright` names it.
            "LICENSE" => {}
            _ => tree.file(&format!("{DOCUMENTATION}/{name}"), text.clone()),
        }
    }
    for (path, text) in &contents.examples {
        tree.file(&format!("{DOCUMENTATION}/examples/{path}"), text.clone());
    }
    tree.file(&format!("{DOCUMENTATION}/copyright"), read("copyright")?);
    for service in SERVICES {
        tree.file(&format!("{CONFIGURATION}{service}"), read(&format!("{service}.default"))?);
        tree.file(&format!("{UNITS}{service}.service"), read(&format!("{service}.service"))?);
    }
    Ok(tree)
}

/// What dpkg reads: the description, the scripts, the operator's files, and a sum of each file.
fn control(
    release: &Release,
    tree: &Tree,
    arch: &str,
    depends: &str,
) -> Result<Tree, Box<dyn Error>> {
    let kib = tree.files().map(|(_, bytes)| bytes.len().div_ceil(1024)).sum::<usize>();
    let mut control = Tree::default();
    let text = String::from_utf8(read("control")?)?
        .replace("@VERSION@", &release.version)
        .replace("@ARCH@", arch)
        .replace("@KIB@", &kib.to_string())
        .replace("@DEPENDS@", depends);
    control.file("control", text);
    let settings = SERVICES.map(|service| format!("/{CONFIGURATION}{service}\n"));
    control.file("conffiles", settings.concat());
    for script in SCRIPTS {
        control.program(script, read(script)?);
    }
    let mut sums = String::new();
    for (path, bytes) in tree.files().filter(|(path, _)| !path.starts_with(CONFIGURATION)) {
        let sum = String::from_utf8(tool::filter(&mut tool::named("md5sum"), bytes)?)?;
        writeln!(sums, "{}  {path}", sum.split(' ').next().unwrap_or_default())?;
    }
    control.file("md5sums", sums);
    Ok(control)
}

/// The packages that the programs load libraries of, with the first versions that have all symbols.
fn depends(scratch: &Path, contents: &Contents) -> Result<String, Box<dyn Error>> {
    // dpkg-shlibdeps wants a source package around it.
    fs::create_dir(scratch.join("debian"))?;
    let control = "Source: topicmappr\n\nPackage: topicmappr\nArchitecture: any\n";
    fs::write(scratch.join("debian/control"), control)?;
    let mut command = tool::named("dpkg-shlibdeps");
    command.arg("-O").args(contents.programs.both()).current_dir(scratch);
    let told = tool::output(&mut command)
        .map_err(|why| format!("{why} (Debian: apt-get install dpkg-dev)"))?;
    let found = told.trim().strip_prefix("shlibs:Depends=");
    let found = found.ok_or_else(|| format!("dpkg-shlibdeps: {told}"))?;
    Ok(format!("adduser, {FIRST_GLIBC}, {found}"))
}

fn read(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = root().join("deploy/debian").join(name);
    Ok(fs::read(&path).map_err(|why| format!("{}: {why}", path.display()))?)
}
