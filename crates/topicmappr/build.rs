//! Links the program's addresses in their packed form (RELR, `-z pack-relative-relocs`): what is read and written before the
//! first line of ours is a tenth of the plain table, three MiB of the twenty that a small plan takes.

use std::process::Command;

/// The first release of glibc that loads such a program.
const FIRST_GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if is_for_this_machine() && glibc().is_some_and(|version| version >= FIRST_GLIBC) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn is_for_this_machine() -> bool {
    let name = |key| std::env::var(key).unwrap_or_default();
    name("HOST") == name("TARGET") && name("CARGO_CFG_TARGET_ENV") == "gnu"
}

/// Of the machine that builds; none where there is no glibc, or it does not tell.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
