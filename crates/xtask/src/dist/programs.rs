//! Builds both programs so that the folders of the build are not in them.
//!
//! Rust and C put the paths of sources into messages and into names. The flags here replace the folders that differ
//! between machines: cargo's home, the checkout, and the folder for builds.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Stdio;

use super::release::Release;
use super::tool;
use crate::project::{cargo, leave_out, root};
use crate::shipped::SHIPPED;

/// The variables that would make the programs differ: more flags for the compilers and the linker, and a rustc that acts as
/// its nightly, which names symbols in another way. `cargo xtask test` runs tests with the last one.
const OF_COMPILERS: [&str; 5] = ["CPPFLAGS", "CXXFLAGS", "LDFLAGS", "RUSTFLAGS", "RUSTC_BOOTSTRAP"];

/// What the names of variables begin with that change a profile of Cargo.toml.
const OF_PROFILES: &str = "CARGO_PROFILE_";

/// Both programs, as files.
pub(super) struct Programs {
    pub(super) topicmappr: PathBuf,
    pub(super) autothrottle: PathBuf,
}

impl Programs {
    pub(super) fn both(&self) -> [&PathBuf; 2] {
        [&self.topicmappr, &self.autothrottle]
    }
}

/// Builds the programs in release mode, in a folder that only this task uses.
pub(super) fn build(release: &Release) -> Result<Programs, Box<dyn Error>> {
    let folders = folders(release)?;
    let rust: Vec<String> =
        folders.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    let c: Vec<String> = folders.iter().map(|(from, to)| c_map(from, to)).collect();
    let [first, second] = SHIPPED;
    // With --target, the flags do not reach build scripts, and other builds keep their files.
    let args = ["build", "--release", "--locked", "--target", &release.target, "--bins"];
    let mut command = cargo(args.into_iter().chain(["--package", first, "--package", second]));
    leave_out(&mut command, changes_programs);
    command.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}")).env("CFLAGS", c.join(" "));
    let status = command.stdout(Stdio::inherit()).status()?;
    if !status.success() {
        return Err(format!("cargo build failed ({status})").into());
    }
    let built = release.target_folder.join(&release.target).join("release");
    Ok(Programs { topicmappr: built.join("topicmappr"), autothrottle: built.join("autothrottle") })
}

/// The compiler's flag for C. It takes any path that begins with these letters, so that the folder ends with a slash: the
/// home `/tmp/clonehome` is not below the clone `/tmp/clone`.
fn c_map(from: &str, to: &str) -> String {
    format!("-ffile-prefix-map={from}/={to}/")
}

/// Whether a variable of this name makes the programs differ from those of another build.
fn changes_programs(name: &str) -> bool {
    OF_COMPILERS.contains(&name) || name.starts_with(OF_PROFILES)
}

/// The folders that differ between machines, and what stands for them. The last one that fits wins.
fn folders(release: &Release) -> Result<[(String, &'static str); 3], Box<dyn Error>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let home = home.ok_or("neither CARGO_HOME nor HOME is set")?;
    let root = root().canonicalize()?;
    let folders = [
        (home.display().to_string(), "/cargo"),
        (root.display().to_string(), "/topicmappr"),
        (release.target_folder.display().to_string(), "/topicmappr/target"),
    ];
    // librdkafka's build splits CFLAGS at blanks.
    if let Some((path, _)) = folders.iter().find(|(path, _)| path.contains(char::is_whitespace)) {
        return Err(format!("a path without blanks is needed to build: {path}").into());
    }
    Ok(folders)
}

/// What a program prints. Its flags come from the arguments alone.
pub(super) fn output(program: &PathBuf, args: &[&str]) -> Result<String, Box<dyn Error>> {
    tool::output(tool::named(program).args(args).env_clear())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn a_home_beside_the_clone_is_not_taken_for_a_folder_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let [home, clone] = ["clonehome", "clone"].map(|name| folder.path().join(name));
        fs::create_dir(&home).unwrap();
        let (source, object) = (home.join("a.c"), home.join("a.o"));
        fs::write(&source, "const char *path(void) { return __FILE__; }").unwrap();
        let maps = [(&home, "/cargo"), (&clone, "/topicmappr")];
        let maps = maps.map(|(from, to)| c_map(from.to_str().unwrap(), to));
        let mut cc = Command::new("cc");
        cc.arg("-c").args(&maps).arg(&source).arg("-o").arg(&object);
        assert!(cc.status().unwrap().success());
        let object = fs::read(&object).unwrap();
        let has = |text: &str| object.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(has("/cargo/a.c") && !has("/topicmappr"));
    }

    #[test]
    fn who_starts_the_build_changes_no_program() {
        let names = ["RUSTC_BOOTSTRAP", "CARGO_PROFILE_RELEASE_LTO", "RUSTFLAGS", "CARGO_HOME"];
        let mut names: Vec<_> = names.into_iter().filter(|name| changes_programs(name)).collect();
        names.sort_unstable();
        assert_eq!(names, ["CARGO_PROFILE_RELEASE_LTO", "RUSTC_BOOTSTRAP", "RUSTFLAGS"]);
    }
}
