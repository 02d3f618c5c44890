//! Errors that end a command line before its work begins.

use clap::error::{ContextKind, ContextValue};
use local::Status;
use local::files::FileError;
use std::path::PathBuf;

/// Why a command line is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// clap's own error: an unknown flag, or a value that does not parse. Also help and version.
    #[error("{}", clap_message(.0))]
    Usage(#[from] clap::Error),
    /// clap refuses a value from a lower layer: the environment or the config file.
    #[error("{} (from {origin})", clap_message(.error))]
    Layer {
        /// clap's error for the value.
        error: clap::Error,
        /// The layer that sets the value, in words.
        origin: String,
    },
    /// The file of `--config` is refused.
    #[error("{}: {problem}", .path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        problem: String,
    },
    /// A file that a flag names cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Error {
    /// A stable code, by which scripts tell errors apart.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Layer { .. } => "usage",
            Self::ConfigFile { .. } => "config",
            Self::File(_) => "unreadable",
        }
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        match self {
            Self::Usage(error) if !error.use_stderr() => Status::Done,
            Self::Usage(_) | Self::Layer { .. } | Self::ConfigFile { .. } | Self::File(_) => {
                Status::BadInput
            }
        }
    }

    /// What to do next; `None` where there is nothing to add.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(error) if is_help(error) => None,
            Self::Usage(error) | Self::Layer { error, .. } => clap_hint(error),
            Self::ConfigFile { .. } | Self::File(_) => None,
        }
    }

    /// The text of `--help` or `--version`; these two are not failures.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Usage(error) if !error.use_stderr() => Some(error.render().to_string()),
            Self::Usage(_) | Self::Layer { .. } | Self::ConfigFile { .. } | Self::File(_) => None,
        }
    }
}

/// clap's message without the prefix `error: `, which our own rendering adds.
fn clap_message(error: &clap::Error) -> String {
    if is_help(error) {
        return error.render().to_string().trim_end().to_owned();
    }
    let text = clap_text(error);
    let sentence = text.split("\n\n").next().unwrap_or_default();
    let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
    let lines: Vec<&str> = sentence.lines().map(str::trim).collect();
    lines.join(" ")
}

/// clap's text without the passwords of URLs: clap repeats what the operator typed.
///
/// The values are cleaned first, because a value is complete there. A sentence does not show where a value with a
/// quote ends.
fn clap_text(error: &clap::Error) -> String {
    let values = error.context().filter_map(|(_, value)| match value {
        ContextValue::String(value) => Some(value),
        _ => None,
    });
    let shown =
        |text: String, value: &String| text.replace(value, &local::value_without_login(value));
    local::without_login(
        &values.filter(|value| !value.is_empty()).fold(error.render().to_string(), shown),
    )
}

/// Whether clap shows the help of a command that needs arguments and got none.
pub fn is_help(error: &clap::Error) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// clap's own tip, or ours for an unknown flag.
fn clap_hint(error: &clap::Error) -> Option<String> {
    let text = clap_text(error);
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let unknown = error.kind() == clap::error::ErrorKind::UnknownArgument;
    if unknown && is_below_zero(error) {
        return Some("the flag before it takes no number below zero".to_owned());
    }
    let tip = tip.or(unknown.then_some("--help after the command lists its flags"));
    tip.map(str::to_owned)
}

/// Whether clap took a negative value, such as `-1`, for a flag.
fn is_below_zero(error: &clap::Error) -> bool {
    let found = error.get(ContextKind::InvalidArg);
    let Some(ContextValue::String(word)) = found else { return false };
    word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
