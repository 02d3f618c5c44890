//! The workspace from a task's view: its folder and its builds.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The result of a task.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Cargo in the root, without a terminal for questions.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    // What the outer cargo says of this package. Build scripts that look at it would run again, and half of all crates
    // with them (ring is below them).
    leave_out(&mut command, |name| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
    });
    command
}

/// Leaves out the variables with such a name.
pub(crate) fn leave_out(command: &mut Command, of: impl Fn(&str) -> bool) {
    for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if of(&name) {
            command.env_remove(name);
        }
    }
}

/// One product of a build.
pub(crate) struct Built {
    /// The package's folder.
    pub(crate) folder: PathBuf,
    /// The target: a crate, a binary or a file of tests.
    pub(crate) target: String,
    /// The file to run.
    pub(crate) executable: PathBuf,
    /// Whether it contains tests, and is not the program itself.
    pub(crate) is_test: bool,
}

/// Builds, and lists the executables. Cargo's own progress goes to stderr.
pub(crate) fn build(args: &[&str]) -> Result<Vec<Built>, Box<dyn Error>> {
    let format = ["--message-format=json-render-diagnostics"];
    let out = cargo(args.iter().copied().chain(format)).stderr(Stdio::inherit()).output()?;
    if !out.status.success() {
        return Err(format!("cargo {} failed ({})", args.join(" "), out.status).into());
    }
    let mut built = Vec::new();
    for line in String::from_utf8(out.stdout)?.lines().filter(|line| line.starts_with('{')) {
        built.extend(artifact(&serde_json::from_str(line)?));
    }
    Ok(built)
}

/// Builds the topicmappr binary that operators run, and returns its path.
pub(crate) fn topicmappr(profile: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    binary("topicmappr", profile)
}

/// Builds one of the binaries that operators run, and returns its path.
pub(crate) fn binary(name: &str, profile: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let package = format!("mappr-{name}");
    let package = ["build", "--package", &package, "--bin", name];
    let args: Vec<&str> = package.iter().chain(profile).copied().collect();
    let binary = build(&args)?.pop().ok_or_else(|| format!("cargo build made no {name}"))?;
    Ok(binary.executable)
}

fn artifact(message: &Value) -> Option<Built> {
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    let manifest = PathBuf::from(text(&message["manifest_path"])?);
    Some(Built {
        folder: manifest.parent()?.to_owned(),
        target: text(&message["target"]["name"])?,
        executable: text(&message["executable"])?.into(),
        is_test: message["profile"]["test"] == true,
    })
}
