//! cfn-lint, which has the schemas of all resource types of CloudFormation.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::cache;
use crate::error::Error;
use crate::tool;

/// cfn-lint and everything that it uses, each with its release.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cfn-lint/requirements.txt");
const PINNED: &str = include_str!("../cfn-lint/requirements.txt");

/// Checks a template. Warnings are errors, too.
///
/// # Errors
/// With what it complains about; or if Python, pip or the packages cannot be had.
pub fn check(template: &Path) -> Result<String, Error> {
    let mut command = python();
    // The packages of a folder have no program on the path.
    command.args(["-c", "from cfnlint.runner import main; main()"]);
    command.args(["--non-zero-exit-code", "warning", "--"]).arg(template);
    command.env("PYTHONPATH", installed()?);
    tool::output(command, "python3")
}

/// The folder with the packages, which pip installs the first time.
fn installed() -> Result<PathBuf, Error> {
    let mut version = python();
    version.arg("--version");
    // Some packages are compiled for one release of Python.
    let python_release = tool::output(version, "python3")?;
    let hash = Sha256::digest(format!("{python_release}{PINNED}"));
    let key: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache::folder().join(format!("cfn-lint-{key}"));
    if !folder.exists() {
        let _lock = cache::lock("cfn-lint")?;
        cache::whole(&folder, |part| {
            let mut pip = python();
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]);
            pip.arg("--target").arg(part).args(["--requirement", REQUIREMENTS]);
            tool::output(pip, "python3-pip").map(drop)
        })?;
    }
    Ok(folder)
}

fn python() -> Command {
    Command::new("python3")
}
