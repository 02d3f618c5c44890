//! Flag > environment > config file > default, for every flag alike.
//!
//! In: the arguments, the environment, and the file that `--config` names. Out: clap's matches. A value of
//! a lower layer becomes the flag's default, so it is parsed and refused like one that was typed.

use crate::error::Error;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use operate::files;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Sources of a cluster deny each other: the layer that names one silences those of the layers below.
const SNAPSHOT: &str = "snapshot";
const SERVERS: [&str; 2] = ["bootstrap-server", "zookeeper"];

/// The environment variables of a process, as far as they are text.
#[derive(Debug, Clone, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

/// Values by long flag name, and where each comes from.
type Layer = BTreeMap<String, (Vec<String>, String)>;

/// Parses the command line over the layers below it.
///
/// `command` makes the command anew: to copy a tree of all commands takes as long as to make it, and most command lines
/// need one. `prefix` begins the names of the environment's variables: `TOPICMAPPR_`.
///
/// # Errors
/// What clap refuses, with the layer that the value stands in; a file of flags that cannot be read; also `--help`.
pub fn parse(
    command: fn() -> Command,
    prefix: &str,
    args: &[OsString],
    environment: &Environment,
) -> Result<ArgMatches, Error> {
    let all = command();
    let (switches, flags) = (switches_of(&all), flags_of(&all));
    let args = &plain_switches(args, &switches);
    let typed = all.try_get_matches_from(args).map_err(Error::from)?;
    let typed_flags = typed_flags(innermost(&typed), &flags);
    let mut below = Layer::new();
    lay(&mut below, from_environment(environment, prefix, &flags), &typed_flags);
    if let Some(path) = config_file(innermost(&typed), &below) {
        let file = from_file(&path, &flags)?;
        lay(&mut below, file, &typed_flags);
    }
    if below.is_empty() {
        return Ok(typed);
    }
    with_defaults(command(), &below).try_get_matches_from(args).map_err(|error| {
        match origin(&error, &below) {
            Some(origin) => Error::Layer { error, origin },
            None => Error::Usage(error),
        }
    })
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

/// Every long flag of every command with its other names, so that one file may serve them all.
fn flags_of(command: &Command) -> BTreeMap<String, Vec<String>> {
    let mut flags: BTreeMap<String, Vec<String>> = command
        .get_arguments()
        .filter_map(|arg| Some((arg.get_long()?.to_owned(), aliases(arg))))
        .collect();
    for inner in command.get_subcommands() {
        flags.extend(flags_of(inner));
    }
    flags
}

/// The flags of every command that take no value.
fn switches_of(command: &Command) -> BTreeSet<String> {
    let switches = command.get_arguments().filter(|a| matches!(a.get_action(), ArgAction::SetTrue));
    let own = switches.filter_map(|arg| Some(format!("--{}", arg.get_long()?)));
    own.chain(command.get_subcommands().flat_map(switches_of)).collect()
}

/// `--force-rebuild=true` is `--force-rebuild`, and `--force-rebuild=false` nothing: scripts of old write so.
fn plain_switches(args: &[OsString], switches: &BTreeSet<String>) -> Vec<OsString> {
    let plain = |arg: &OsString| match arg.to_str().and_then(|text| text.split_once('=')) {
        Some((flag, "true")) if switches.contains(flag) => Some(flag.into()),
        Some((flag, "false")) if switches.contains(flag) => None,
        _ => Some(arg.clone()),
    };
    args.iter().filter_map(plain).collect()
}

fn aliases(arg: &Arg) -> Vec<String> {
    let all = arg.get_all_aliases().unwrap_or_default();
    all.into_iter().map(str::to_owned).collect()
}

fn typed_flags(matches: &ArgMatches, flags: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let typed = |flag: &&String| {
        let id = flag.replace('-', "_");
        matches.try_contains_id(&id).is_ok()
            && matches.value_source(&id) == Some(ValueSource::CommandLine)
    };
    flags.keys().filter(typed).cloned().collect()
}

fn from_environment(
    environment: &Environment,
    prefix: &str,
    flags: &BTreeMap<String, Vec<String>>,
) -> Layer {
    let mut layer = Layer::new();
    for (flag, aliases) in flags {
        for name in std::iter::once(flag).chain(aliases) {
            let variable = format!("{prefix}{}", name.to_uppercase().replace('-', "_"));
            if let Some(value) = environment.get(&variable) {
                let value = vec![value.to_owned()];
                layer.entry(flag.clone()).or_insert((value, variable));
            }
        }
    }
    layer
}

fn config_file(typed: &ArgMatches, below: &Layer) -> Option<PathBuf> {
    let named = typed.get_one::<PathBuf>("config").cloned();
    named.or_else(|| Some(PathBuf::from(below.get("config")?.0.first()?)))
}

fn from_file(path: &Path, flags: &BTreeMap<String, Vec<String>>) -> Result<Layer, Error> {
    let wrong = |problem: String| Error::ConfigFile { path: path.to_owned(), problem };
    let text = files::read_text(path).map_err(operate::Error::from)?;
    // Flags hold texts and lists of texts.
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_depth: 8 } };
    let keys: BTreeMap<String, serde_json::Value> =
        serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| wrong(unreadable(&error)))?;
    let mut layer = Layer::new();
    for (key, value) in keys {
        let flag = flags
            .iter()
            .find(|(flag, aliases)| **flag == key || aliases.contains(&key))
            .map(|(flag, _)| flag.clone())
            .ok_or_else(|| wrong(format!("no command has a flag --{key}")))?;
        let values = texts(&value)
            .ok_or_else(|| wrong(format!("{key} is neither text, number, boolean nor a list")))?;
        layer.insert(flag, (values, format!("{key} in {}", path.display())));
    }
    Ok(layer)
}

/// Where the file is no mapping of flags. The reader's own words quote the file, which may hold keys and passwords.
fn unreadable(error: &serde_saphyr::Error) -> String {
    let place = error.location().map(|at| format!("line {}, column {}: ", at.line(), at.column()));
    format!("{}not a mapping of flags to their values in YAML", place.unwrap_or_default())
}

fn texts(value: &serde_json::Value) -> Option<Vec<String>> {
    let scalar = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    };
    match value.as_array() {
        Some(items) => items.iter().map(scalar).collect(),
        None => Some(vec![scalar(value)?]),
    }
}

/// Puts a layer under those above it.
fn lay(above: &mut Layer, layer: Layer, typed: &BTreeSet<String>) {
    let named = |flag: &str| typed.contains(flag) || above.contains_key(flag);
    let servers_above = SERVERS.iter().any(|flag| named(flag));
    let snapshot_above = named(SNAPSHOT);
    for (flag, value) in layer {
        let silenced = (flag == SNAPSHOT && servers_above)
            || (SERVERS.contains(&flag.as_str()) && snapshot_above);
        if !silenced {
            above.entry(flag).or_insert(value);
        }
    }
}

fn with_defaults(command: Command, below: &Layer) -> Command {
    command
        .mut_args(|arg| {
            let Some((values, _)) = arg.get_long().and_then(|flag| below.get(flag)) else {
                return arg;
            };
            let takes_many = matches!(arg.get_action(), ArgAction::Append);
            let values = if takes_many { values.clone() } else { vec![values.join(",")] };
            arg.required(false).default_values(values)
        })
        .mut_subcommands(|inner| with_defaults(inner, below))
}

/// Where the value that clap refused comes from, if it was not typed.
fn origin(error: &clap::Error, below: &Layer) -> Option<String> {
    let ContextValue::String(named) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let flag = named.trim_start_matches('-').split([' ', '=', '[']).next()?;
    below.get(flag).map(|(_, origin)| origin.clone())
}
