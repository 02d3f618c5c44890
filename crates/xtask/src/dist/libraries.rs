//! The C code of the programs: libraries that they load, and code that crates carry.
//!
//! A crate with C code that is not listed here is an error, so that the bill of materials cannot lack it.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use super::debian::{self, Package};
use super::programs::Programs;
use super::tool;
use crate::shipped::Crate;

/// A library that the programs load when they start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Linked {
    /// The name that the loader looks for: `libssl.so.3`.
    pub(super) soname: String,
    /// The package that brings it, on the machine that built the programs.
    pub(super) package: Package,
}

/// C or assembly that a crate carries and compiles.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression; none if it is in the public domain.
    pub(super) licence: Option<&'static str>,
    /// The crate that carries it.
    pub(super) by: (String, String),
}

/// Crates that only bind a library that the programs load, and the name of that library.
const BINDINGS: [(&str, &str); 2] = [("openssl-sys", "libssl.so"), ("libz-sys", "libz.so")];
/// Crates whose C or assembly is their own: the crate's line in the list covers it.
const OWN: [&str; 2] = ["psm", "stacker"];
/// In ring: what of others its C and assembly come from. They have no versions of their own there.
const IN_RING: [(&str, &str); 2] =
    [("BoringSSL", "Apache-2.0 AND ISC"), ("fiat-crypto", "MIT OR Apache-2.0 OR BSD-1-Clause")];
/// cargo's settings, which name the version of aws-lc-sys whose C is not built.
const SETTINGS: &str = include_str!("../../../../.cargo/config.toml");
/// In librdkafka: the end of each `LICENSE.*` file, and the licence in it. A file that is not here is an error.
const IN_RDKAFKA: [(&str, Option<&str>); 14] = [
    ("cjson", Some("MIT")),
    ("crc32c", Some("Zlib")),
    ("fnv1a", None),
    ("hdrhistogram", Some("MIT")),
    ("lz4", Some("BSD-2-Clause")),
    ("murmur2", Some("MIT")),
    ("nanopb", Some("Zlib")),
    ("opentelemetry", Some("Apache-2.0")),
    ("pycrc", Some("MIT")),
    ("queue", Some("BSD-3-Clause")),
    ("regexp", None),
    ("snappy", Some("BSD-3-Clause")),
    ("tinycthread", Some("Zlib")),
    // Windows only, but in the sources.
    ("wingetopt", Some("ISC AND BSD-2-Clause")),
];

/// The libraries that either program loads, by what `ldd` finds.
pub(super) fn linked(programs: &Programs) -> Result<Vec<Linked>, Box<dyn Error>> {
    let mut found = BTreeSet::new();
    for program in programs.both() {
        let lines = tool::output(tool::named("ldd").arg(program))?;
        for line in lines.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (soname, path) = match words[..] {
                [soname, "=>", path, _] => (soname, path),
                // The loader itself. The kernel's own library has no path.
                [path, _] if path.starts_with('/') => (path, path),
                _ => continue,
            };
            let name = Path::new(soname).file_name().unwrap_or_default().to_string_lossy();
            let package = debian::owner(Path::new(path))?;
            found.insert(Linked { soname: name.into_owned(), package });
        }
    }
    Ok(found.into_iter().collect())
}

/// What crates carry. Fails if a crate has C code that this file does not know.
pub(super) fn carried(crates: &[Crate], linked: &[Linked]) -> Result<Vec<Carried>, Box<dyn Error>> {
    let mut carried = Vec::new();
    for one in crates.iter().filter(|one| one.has_c) {
        let binding = BINDINGS.iter().find(|(name, _)| *name == one.name);
        if let Some((name, library)) = binding {
            if !linked.iter().any(|linked| linked.soname.starts_with(library)) {
                return Err(format!("{name} has compiled {library} instead of linking it").into());
            }
            continue;
        }
        match one.name.as_str() {
            "ring" => carried.extend(inside(one, &IN_RING)),
            "aws-lc-sys" if is_left_out(&one.version) => {}
            "rdkafka-sys" => carried.extend(in_rdkafka(one)?),
            name if OWN.contains(&name) => {}
            name => return Err(format!("name the C code of {name} in dist/libraries.rs").into()),
        }
    }
    Ok(carried)
}

/// Whether cargo does not build the C of this version of aws-lc-sys.
fn is_left_out(version: &str) -> bool {
    SETTINGS.contains(&format!(".aws_lc_{}]", version.replace('.', "_")))
}

fn inside(sys: &Crate, list: &[(&str, &'static str)]) -> Vec<Carried> {
    let one = |(name, licence): &(&str, &'static str)| Carried {
        name: (*name).to_owned(),
        version: format!("as in {} {}", sys.name, sys.version),
        licence: Some(licence),
        by: (sys.name.clone(), sys.version.clone()),
    };
    list.iter().map(one).collect()
}

fn in_rdkafka(sys: &Crate) -> Result<Vec<Carried>, Box<dyn Error>> {
    let version = sys.version.split_once('+').map(|(_, version)| version.to_owned());
    let version = version.ok_or("rdkafka-sys names no version of librdkafka")?;
    let by = (sys.name.clone(), sys.version.clone());
    let one = |name: &str, version: String, licence| Carried {
        name: name.to_owned(),
        version,
        licence,
        by: by.clone(),
    };
    let mut carried = vec![one("librdkafka", version.clone(), Some("BSD-2-Clause"))];
    let mut ends: Vec<String> = Vec::new();
    for entry in sys.folder.join("librdkafka").read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ends.extend(name.strip_prefix("LICENSE.").map(str::to_owned));
    }
    ends.sort();
    for end in ends {
        let known = IN_RDKAFKA.iter().find(|(name, _)| *name == end);
        let (name, licence) = known.ok_or_else(|| {
            format!("name the licence of librdkafka's {end} in dist/libraries.rs")
        })?;
        carried.push(one(name, format!("as in librdkafka {version}"), *licence));
    }
    Ok(carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_that_nothing_calls_is_not_built() {
        let (_, after) = include_str!("../../../../Cargo.lock")
            .split_once("name = \"aws-lc-sys\"\nversion = \"")
            .expect("zookeeper-client needs it no more: remove this, and the setting");
        let (version, _) = after.split_once('"').expect("a version");
        assert!(is_left_out(version), "name aws-lc-sys {version} in .cargo/config.toml");
        assert!(!is_left_out("0.1.0"));
    }
}
