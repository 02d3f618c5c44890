//! The bill of materials, as CycloneDX JSON: every crate of both programs, and every C library.
//!
//! In: the crates, the linked libraries, and the checksums of `Cargo.lock`. Out: a document without a random number, so
//! that the same input gives the same bytes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::libraries::{self, Carried, Linked};
use super::release::Release;
use super::tool;
use crate::project::root;
use crate::shipped::{Crate, SHIPPED};

/// The text of the document.
pub(super) fn document(
    release: &Release,
    crates: &[Crate],
    linked: &[Linked],
) -> Result<String, Box<dyn Error>> {
    let checksums = checksums(&fs::read_to_string(root().join("Cargo.lock"))?);
    let carried = libraries::carried(crates, linked)?;
    let rust = rust()?;
    let mut components: Vec<Value> = crates.iter().map(|one| of_crate(one, &checksums)).collect();
    components.extend(carried.iter().map(of_carried));
    components.extend(linked.iter().map(of_linked));
    components.push(rust.clone());

    let whole = format!("topicmappr@{}", release.version);
    let programs = crates.iter().filter(|one| SHIPPED.contains(&one.name.as_str())).map(purl);
    let mut root: Vec<String> = programs.chain(linked.iter().map(linked_ref)).collect();
    root.extend(rust["bom-ref"].as_str().map(str::to_owned));
    let mut dependencies = vec![json!({"ref": whole, "dependsOn": root})];
    dependencies.extend(crates.iter().map(|one| uses(one, crates, &carried)));

    let mut document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": release.date("+%Y-%m-%dT%H:%M:%SZ")?,
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": "topicmappr",
                "version": release.version,
                "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    document["serialNumber"] = serial(&document.to_string()).into();
    Ok(format!("{document:#}\n"))
}

fn of_crate(one: &Crate, checksums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(one),
        "name": one.name,
        "version": one.version,
        // A procedural macro is in no program: it only writes code for the compiler.
        "scope": if one.only_compiles { "excluded" } else { "required" },
        "licenses": [{"expression": one.licence}],
        "purl": purl(one),
    });
    if let Some(checksum) = checksums.get(&(one.name.clone(), one.version.clone())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if !one.repository.is_empty() {
        component["externalReferences"] = json!([{"type": "vcs", "url": one.repository}]);
    }
    component
}

fn of_carried(one: &Carried) -> Value {
    let licence = match one.licence {
        Some(expression) => json!({"expression": expression}),
        None => json!({"license": {"name": "public domain"}}),
    };
    let mut component = json!({
        "type": "library",
        "bom-ref": carried_ref(one),
        "name": one.name,
        "version": one.version,
        "scope": "required",
        "licenses": [licence],
        "description": format!("C code in the crate {} {}", one.by.0, one.by.1),
    });
    if one.name == "librdkafka" {
        component["purl"] = format!("pkg:github/confluentinc/librdkafka@v{}", one.version).into();
    }
    component
}

fn of_linked(one: &Linked) -> Value {
    let package = &one.package;
    json!({
        "type": "library",
        "bom-ref": linked_ref(one),
        "name": one.soname,
        "version": package.version,
        "scope": "required",
        "purl": format!("pkg:deb/debian/{}@{}?arch={}", package.name, escaped(&package.version), package.arch),
        "description": format!("loaded at start; at the build from Debian's {} {}", package.name, package.version),
    })
}

/// Rust's own libraries, which are compiled into every program.
fn rust() -> Result<Value, Box<dyn Error>> {
    let told = tool::output(tool::named("rustc").arg("--version").current_dir(root()))?;
    let version = told.split(' ').nth(1).ok_or("rustc names no version")?;
    Ok(json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "scope": "required",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "description": "Rust's standard library",
    }))
}

fn uses(one: &Crate, crates: &[Crate], carried: &[Carried]) -> Value {
    let is_used = |other: &&Crate| {
        one.uses.iter().any(|(name, version)| *name == other.name && *version == other.version)
    };
    let mut used: Vec<String> = crates.iter().filter(is_used).map(purl).collect();
    let ours = |carried: &&Carried| carried.by.0 == one.name && carried.by.1 == one.version;
    used.extend(carried.iter().filter(ours).map(carried_ref));
    json!({"ref": purl(one), "dependsOn": used})
}

fn purl(one: &Crate) -> String {
    format!("pkg:cargo/{}@{}", one.name, escaped(&one.version))
}

fn carried_ref(one: &Carried) -> String {
    format!("{}@{} in {}", one.name, one.version, one.by.0)
}

fn linked_ref(one: &Linked) -> String {
    format!("{} of {}@{}", one.soname, one.package.name, one.package.version)
}

/// A version as a purl has it: a plus sign would mean a blank, and a colon or a tilde is a sign of its own.
fn escaped(version: &str) -> String {
    version.replace('+', "%2B").replace(':', "%3A")
}

/// A UUID that follows from the document.
fn serial(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // RFC 9562: version 8 is for values of one's own making.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let [a, b, c, d, e] = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

/// The checksums in a lock file, by name and version. Cargo writes each key on a line of its own.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    let one = |package| {
        let key = (value(package, "name")?, value(package, "version")?);
        Some((key, value(package, "checksum")?))
    };
    packages.filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::debian::Package;
    use super::*;
    use crate::project::cargo;
    use crate::shipped;

    const PLATFORM: &str = "x86_64-unknown-linux-gnu";

    fn linked() -> Vec<Linked> {
        let one = |soname: &str, name: &str| Linked {
            soname: soname.to_owned(),
            package: Package {
                name: name.to_owned(),
                version: "1:2.3+deb12u1".to_owned(),
                arch: "amd64".to_owned(),
            },
        };
        vec![one("libssl.so.3", "libssl3"), one("libz.so.1", "zlib1g")]
    }

    fn written() -> Value {
        let release = Release {
            version: "0.1.0".to_owned(),
            epoch: 1_700_000_000,
            revision: None,
            target: PLATFORM.to_owned(),
            target_folder: "target".into(),
        };
        let crates = shipped::crates(PLATFORM).unwrap();
        let text = document(&release, &crates, &linked()).unwrap();
        assert_eq!(text, document(&release, &crates, &linked()).unwrap());
        serde_json::from_str(&text).unwrap()
    }

    fn components(document: &Value) -> &Vec<Value> {
        document["components"].as_array().unwrap()
    }

    #[test]
    fn every_crate_of_cargo_tree_is_listed_with_its_checksum_and_licence() {
        let document = written();
        // Asked in another way than the document's own list is: one program after the other, with other columns.
        for package in SHIPPED {
            let asked = ["tree", "--locked", "--package", package, "--target", PLATFORM];
            let shape = ["--edges", "normal", "--prefix", "none", "--format", "{p}|{l}"];
            let out = cargo(asked.into_iter().chain(shape)).output().unwrap();
            let lines: BTreeSet<String> =
                String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
            assert!(lines.len() > 100, "{lines:?}");
            for line in lines {
                let mut words = line.split([' ', '|']);
                let [name, version] = [words.next().unwrap(), words.next().unwrap()];
                let purl = format!("pkg:cargo/{name}@{}", version.trim_start_matches('v'))
                    .replace('+', "%2B");
                let one = components(&document).iter().find(|one| one["purl"] == *purl);
                let one = one.unwrap_or_else(|| panic!("{purl} is missing"));
                assert_ne!(one["licenses"][0]["expression"], "", "{one}");
                let sum = one["hashes"][0]["content"].as_str().unwrap_or_default();
                assert!(name.starts_with("mappr-") || sum.len() == 64, "{one}");
            }
        }
    }

    #[test]
    fn what_only_writes_code_is_not_said_to_be_in_the_programs() {
        let document = written();
        let scope = |name: &str| {
            let one = components(&document).iter().find(|one| one["name"] == name);
            one.map(|one| one["scope"].as_str().unwrap().to_owned())
        };
        assert_eq!(scope("serde_derive").as_deref(), Some("excluded"));
        assert_eq!(scope("serde_core").as_deref(), Some("required"));
        assert_eq!(scope("proptest"), None, "only tests need it");
    }

    #[test]
    fn c_code_is_listed_with_its_version_and_who_brings_it() {
        let document = written();
        let one = |name: &str| {
            let one = components(&document).iter().find(|one| one["name"] == name);
            one.unwrap_or_else(|| panic!("{name} is missing"))
        };
        assert_eq!(one("librdkafka")["version"], "2.12.1");
        assert_eq!(one("lz4")["licenses"][0]["expression"], "BSD-2-Clause");
        assert_eq!(one("BoringSSL")["description"], "C code in the crate ring 0.17.14");
        let purl = "pkg:deb/debian/libssl3@1%3A2.3%2Bdeb12u1?arch=amd64";
        assert_eq!(one("libssl.so.3")["purl"], purl);
    }

    #[test]
    fn a_reference_leads_to_a_component() {
        let document = written();
        let known: BTreeSet<&str> =
            components(&document).iter().map(|one| one["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(known.len(), components(&document).len(), "a reference has two meanings");
        let dependencies = document["dependencies"].as_array().unwrap();
        let used = dependencies.iter().flat_map(|one| one["dependsOn"].as_array().unwrap());
        for used in used.map(|one| one.as_str().unwrap()) {
            assert!(known.contains(used), "{used}");
        }
    }

    #[test]
    fn c_code_that_nobody_has_named_is_refused() {
        let mut crates = shipped::crates(PLATFORM).unwrap();
        crates.iter_mut().find(|one| one.name == "serde").unwrap().has_c = true;
        let refused = libraries::carried(&crates, &linked()).unwrap_err().to_string();
        assert!(refused.contains("serde"), "{refused}");
        let crates = shipped::crates(PLATFORM).unwrap();
        let refused = libraries::carried(&crates, &[]).unwrap_err().to_string();
        assert!(refused.contains("instead of linking it"), "{refused}");
    }
}
