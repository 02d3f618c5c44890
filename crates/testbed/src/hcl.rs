//! Files of OpenTofu and Terraform, read and checked by HashiCorp's own parser.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::error::Error;
use crate::go::Program;
use crate::tool;

const SOURCES: &[(&str, &str)] = &[
    ("go.mod", include_str!("../hcl/go.mod")),
    ("go.sum", include_str!("../hcl/go.sum")),
    ("main.go", include_str!("../hcl/main.go")),
];

/// The content of a file: blocks by type and labels. An expression that depends on others is its text.
///
/// # Errors
/// If its syntax or its format is wrong, or if it uses a name that is not in it. Or if Go or its modules are missing.
pub fn checked(path: &Path) -> Result<Value, Error> {
    let program =
        Program { name: "hclkit", sources: SOURCES, packages: &[], patch: None, link: Vec::new() };
    let mut command = Command::new(program.built()?);
    command.arg(path);
    let text = tool::output(command, "golang")?;
    serde_json::from_str(&text).map_err(|source| Error::Api {
        what: format!("{} as JSON", path.display()),
        source: source.into(),
    })
}
