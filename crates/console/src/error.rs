//! What ends a command line before its work begins.

use clap::error::{ContextKind, ContextValue};
use operate::Status;
use std::path::PathBuf;

/// Why a command line was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// clap's own: an unknown flag, a value that does not parse; also help and version.
    #[error("{}", clap_message(.0))]
    Usage(#[from] clap::Error),
    /// The same, for a value that was not typed.
    #[error("{} (from {origin})", clap_message(.error))]
    Layer {
        /// What clap says of the value.
        error: clap::Error,
        /// The layer that it stands in.
        origin: String,
    },
    /// The file of `--config`.
    #[error("{}: {problem}", .path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        problem: String,
    },
    /// What a flag names cannot be used.
    #[error(transparent)]
    Operate(#[from] operate::Error),
}

impl Error {
    /// What scripts tell errors apart by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Layer { .. } => "usage",
            Self::ConfigFile { .. } => "config",
            Self::Operate(error) => error.code(),
        }
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        match self {
            Self::Usage(error) if !error.use_stderr() => Status::Done,
            Self::Usage(_) | Self::Layer { .. } | Self::ConfigFile { .. } => Status::BadInput,
            Self::Operate(error) => error.status(),
        }
    }

    /// What to do about it, where that is not plain.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(error) if is_help(error) => None,
            Self::Usage(error) | Self::Layer { error, .. } => clap_hint(error),
            Self::ConfigFile { .. } => None,
            Self::Operate(error) => error.hint(),
        }
    }

    /// The text of `--help` or `--version`, which are no failures.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Usage(error) if !error.use_stderr() => Some(error.render().to_string()),
            Self::Usage(_) | Self::Layer { .. } | Self::ConfigFile { .. } | Self::Operate(_) => {
                None
            }
        }
    }
}

/// clap's sentence, without the word that our own rendering puts before it.
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

/// clap's text. It repeats what was typed, and a URL may contain a password.
///
/// The values come first, because each is complete there. A sentence does not say where a value with a quote ends.
fn clap_text(error: &clap::Error) -> String {
    let values = error.context().filter_map(|(_, value)| match value {
        ContextValue::String(value) => Some(value),
        _ => None,
    });
    let shown =
        |text: String, value: &String| text.replace(value, &metrics::value_without_login(value));
    metrics::without_login(
        &values.filter(|value| !value.is_empty()).fold(error.render().to_string(), shown),
    )
}

/// The help of a command that was given nothing to do.
pub fn is_help(error: &clap::Error) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// clap's own proposal, where it has one.
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

/// `-1`, where a value was meant: clap takes it for a flag.
fn is_below_zero(error: &clap::Error) -> bool {
    let found = error.get(ContextKind::InvalidArg);
    let Some(ContextValue::String(word)) = found else { return false };
    word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
