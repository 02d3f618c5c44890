//! Helm's own linter and renderer, as one program; and Helm itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::go::Program;
use crate::tool;

/// Uses the libraries of the same Kubernetes release as the control plane, so that Go compiles them only once.
const SOURCES: &[(&str, &str)] = &[
    ("go.mod", include_str!("../helm/go.mod")),
    ("go.sum", include_str!("../helm/go.sum")),
    ("main.go", include_str!("../helm/main.go")),
];

/// Lints the chart with these values files, as `helm lint --strict` does.
///
/// # Errors
/// If the linter complains, or if Go or its modules are missing.
pub fn lint(chart: &Path, values: &[&Path]) -> Result<String, Error> {
    run("lint", [chart.as_os_str()], values)
}

/// The output of `helm template`: every manifest of the chart with these values files, as release `topicmappr` in
/// namespace `kafka`.
///
/// # Errors
/// If the chart refuses the values, a template fails, or Go or its modules are missing.
pub fn template(chart: &Path, values: &[&Path]) -> Result<String, Error> {
    run("template", [chart.as_os_str(), OsStr::new("topicmappr"), OsStr::new("kafka")], values)
}

/// The path of the program. Finds it in the cache, or builds it once for each change of its sources.
///
/// # Errors
/// If Go or its modules are missing.
pub fn build() -> Result<PathBuf, Error> {
    program("helmkit", &[]).built()
}

/// Helm itself, as an operator runs it. Only long tests use it, because its build takes minutes.
///
/// # Errors
/// If Go or its modules are missing.
pub fn command() -> Result<Command, Error> {
    Ok(Command::new(program("helm", &["helm.sh/helm/v3/cmd/helm"]).built()?))
}

fn program(name: &'static str, packages: &'static [&'static str]) -> Program {
    Program { name, sources: SOURCES, packages, patch: None, link: Vec::new() }
}

fn run<const N: usize>(what: &str, of: [&OsStr; N], values: &[&Path]) -> Result<String, Error> {
    let mut command = Command::new(build()?);
    command.arg(what).args(of).args(values);
    tool::output(command, "golang")
}
