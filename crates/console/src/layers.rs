//! Resolves every flag from four layers: flag > environment > config file > default.
//!
//! In: the arguments, the environment, and the file that `--config` names. Out: clap's matches.
//!
//! A value of a lower layer becomes the flag's default. So clap parses and refuses it like a value that the operator
//! types. A layer that sets a flag disables contradicting flags in the layers below.

use crate::error::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use local::files;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Cluster sources exclude each other, although one command line may name servers of both kinds.
const SNAPSHOT: &str = "snapshot";
const SERVERS: [&str; 2] = ["bootstrap-server", "zookeeper"];

/// The environment variables of a process that are valid text.
#[derive(Debug, Clone, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

/// Values by long flag name, and where each value comes from.
type Layer = BTreeMap<String, (Vec<String>, String)>;

/// Parses the command line over the layers below it.
///
/// `command` builds the command each time. Copying the tree of all commands takes as long as building it, and most
/// command lines need only one. `prefix` starts the names of the environment variables: `TOPICMAPPR_`.
///
/// # Errors
/// A value that clap refuses, with the layer that sets it; a config file that cannot be read; also `--help`.
pub fn parse(
    command: fn() -> Command,
    prefix: &str,
    args: &[OsString],
    environment: &Environment,
) -> Result<ArgMatches, Error> {
    let mut all = command();
    let (switches, flags) = (switches_of(&all), flags_of(&all));
    let args = &plain_switches(args, &switches);
    let (typed, refused) = match all.try_get_matches_from_mut(args) {
        Ok(typed) => (typed, None),
        // A lower layer may still set the missing flag. The arguments alone are valid.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            all = command().ignore_errors(true);
            (all.try_get_matches_from_mut(args).map_err(Error::from)?, Some(error))
        }
        Err(error) => return Err(error.into()),
    };
    let asked = asked(&all, &typed);
    let denials = denials(asked);
    let typed_names = typed_names(asked, innermost(&typed));
    let mut below = Layer::new();
    let mut denied =
        lay(&mut below, from_environment(environment, prefix, &flags), &typed_names, &denials);
    if let Some(path) = config_file(innermost(&typed), &below) {
        let file = from_file(&path, &flags)?;
        denied.append(&mut lay(&mut below, file, &typed_names, &denials));
    }
    if below.is_empty() {
        return refused.map_or(Ok(typed), |error| Err(error.into()));
    }
    let parsed = |named: &dyn Fn(&str) -> bool| {
        let args = with_flags(args, asked, &below, named);
        with_defaults(command(), &below).try_get_matches_from(args)
    };
    // clap lets no default contradict a flag, or satisfy what another flag needs. So these flags are passed as if the
    // operator typed them. All of them are passed only if something is missing: a config file for every command names
    // flags that need others.
    let error = match parsed(&|flag| denied.contains(flag)) {
        Ok(matches) => return Ok(matches),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Ok(matches) = parsed(&|_| true)
    {
        return Ok(matches);
    }
    Err(match origin(&error, &below) {
        Some(origin) => Error::Layer { error, origin },
        None => Error::Usage(error),
    })
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

/// Every long flag of every command with its aliases, so that one config file serves all commands.
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

/// Rewrites `--force-rebuild=true` to `--force-rebuild` and drops `--force-rebuild=false`: older scripts use these
/// forms.
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

/// The command that the operator runs, with the global flags.
fn asked<'a>(all: &'a Command, matches: &ArgMatches) -> &'a Command {
    let below =
        matches.subcommand().and_then(|(name, inner)| Some((all.find_subcommand(name)?, inner)));
    below.map_or(all, |(command, inner)| asked(command, inner))
}

/// A flag's long name; its id if it has no long name.
fn name(arg: &Arg) -> String {
    arg.get_long().unwrap_or(arg.get_id().as_str()).to_owned()
}

/// Which flags contradict each other on a command line.
fn denials(command: &Command) -> BTreeMap<String, BTreeSet<String>> {
    let mut denials: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut deny = |one: &str, other: &str| {
        denials.entry(one.to_owned()).or_default().insert(other.to_owned());
        denials.entry(other.to_owned()).or_default().insert(one.to_owned());
    };
    for arg in command.get_arguments() {
        let others = command.get_arg_conflicts_with(arg);
        others.iter().for_each(|other| deny(&name(arg), &name(other)));
    }
    SERVERS.iter().for_each(|server| deny(SNAPSHOT, server));
    denials
}

fn typed_names(command: &Command, matches: &ArgMatches) -> BTreeSet<String> {
    let typed = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    command.get_arguments().filter(typed).map(name).collect()
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
    let text = files::read_text(path)?;
    // A flag's value is a text or a list of texts, so deeper nesting is refused.
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

/// Why the file is no mapping of flags. The parser's own message quotes the file, which may hold keys and passwords.
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

/// Adds a layer below `above`. Returns the flags of this layer that contradict each other.
fn lay(
    above: &mut Layer,
    layer: Layer,
    typed: &BTreeSet<String>,
    denials: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let denies = |flag: &str, has: &dyn Fn(&str) -> bool| {
        denials.get(flag).is_some_and(|others| others.iter().any(|other| has(other)))
    };
    // A switch that is off contradicts no flag.
    let on =
        |layer: &Layer, flag: &str| layer.get(flag).is_some_and(|(values, _)| values != &["false"]);
    let named = |flag: &str| typed.contains(flag) || on(above, flag);
    let hears = |flag: &str| !typed.contains(flag) && !above.contains_key(flag);
    let heard: Layer =
        layer.into_iter().filter(|(flag, _)| hears(flag) && !denies(flag, &named)).collect();
    let denied = |flag: &&String| on(&heard, flag) && denies(flag, &|other| on(&heard, other));
    let denied = heard.keys().filter(denied).cloned().collect();
    above.extend(heard);
    denied
}

/// The arguments, then the flags of the lower layers as if they were typed. They come before `--`, which ends all
/// flags.
fn with_flags(
    args: &[OsString],
    command: &Command,
    below: &Layer,
    named: &dyn Fn(&str) -> bool,
) -> Vec<OsString> {
    let words = |arg: &Arg| -> Vec<OsString> {
        let Some(flag) = arg.get_long().filter(|flag| named(flag)) else { return Vec::new() };
        let Some((values, _)) = below.get(flag) else { return Vec::new() };
        match arg.get_action() {
            ArgAction::SetTrue if values == &["true"] => vec![format!("--{flag}").into()],
            ArgAction::Set => vec![format!("--{flag}={}", values.join(",")).into()],
            ArgAction::Append => {
                values.iter().map(|value| format!("--{flag}={value}").into()).collect()
            }
            _ => Vec::new(),
        }
    };
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let flags = command.get_arguments().flat_map(words);
    [args[..end].to_vec(), flags.collect(), args[end..].to_vec()].concat()
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

/// The layer of the value that clap refuses; `None` if the operator typed it.
fn origin(error: &clap::Error, below: &Layer) -> Option<String> {
    let ContextValue::String(named) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let flag = named.trim_start_matches('-').split([' ', '=', '[']).next()?;
    below.get(flag).map(|(_, origin)| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command whose flags need and contradict each other in every way.
    fn related() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name);
        let run = Command::new("run")
            .arg(Arg::new("plan"))
            .arg(flag("rate").required(true))
            .arg(flag("from").required_unless_present("all"))
            .arg(flag("all").action(ArgAction::SetTrue).conflicts_with("only"))
            .arg(flag("only").action(ArgAction::Append).conflicts_with("plan"))
            .arg(flag("since").requires("until"))
            .arg(flag("until"))
            .arg(flag("yes").action(ArgAction::SetTrue).requires("until"))
            .arg(flag("file"))
            .arg(flag("topic"))
            .group(clap::ArgGroup::new("place").args(["file", "topic"]).required(true));
        let config = Arg::new("config").long("config").global(true);
        let config = config.value_parser(clap::value_parser!(PathBuf));
        Command::new("p").subcommand_required(true).arg(config).subcommand(run)
    }

    /// The flags that `run` gets, as `flag=values`, or why they are refused.
    fn got(line: &str, variables: &[(&str, &str)], file: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flags.yaml");
        std::fs::write(&path, file).unwrap();
        let config = path.display().to_string();
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = variables.chain([("P_CONFIG".to_owned(), config)]).collect();
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let matches = super::parse(related, "P_", &args, &Environment(environment))
            .map_err(|error| error.to_string())?;
        let run = innermost(&matches);
        let given = run.ids().filter(|id| run.try_get_raw(id.as_str()).is_ok());
        let shown = given.filter(|id| !["config", "place"].contains(&id.as_str())).map(|id| {
            let values: Vec<_> =
                run.get_raw(id.as_str()).unwrap().map(|v| v.to_string_lossy()).collect();
            format!("{id}={}", values.join(","))
        });
        let mut shown: Vec<String> = shown.filter(|shown| !shown.ends_with("=false")).collect();
        shown.sort();
        Ok(shown)
    }

    #[test]
    fn what_a_command_needs_can_stand_in_every_layer() {
        let all = "rate: 1\nfrom: a\nfile: f";
        let whole = ["file=f", "from=a", "rate=1"];
        assert_eq!(got("p run", &[], all).unwrap(), whole);
        assert_eq!(
            got("p run --file f", &[("P_RATE", "1"), ("P_FROM", "a")], "{}").unwrap(),
            whole
        );
        let mixed = got("p run --rate 3", &[("P_RATE", "2"), ("P_FROM", "b")], all);
        assert_eq!(mixed.unwrap(), ["file=f", "from=b", "rate=3"], "the upper layer wins");
        let mixed = got("p run -- plan", &[("P_RATE", "2")], all);
        assert_eq!(mixed.unwrap(), ["file=f", "from=a", "plan=plan", "rate=2"]);
        for (without, missing) in [("from: a\nfile: f", "--rate"), ("rate: 1\nfile: f", "--from")] {
            let refused = got("p run", &[], without).unwrap_err();
            assert!(refused.contains(missing), "{refused}");
        }
        let refused = got("p run", &[], "rate: 1\nfrom: a").unwrap_err();
        assert!(refused.contains("--file <file>|--topic <topic>"), "{refused}");
        let refused = got("p run --rate", &[("P_RATE", "1")], all).unwrap_err();
        assert!(refused.contains("a value is required"), "{refused}");
    }

    #[test]
    fn what_another_flag_needs_can_stand_in_every_layer() {
        let all = "rate: 1\nfile: f";
        let on = got("p run", &[("P_ALL", "true")], all).unwrap();
        assert_eq!(on, ["all=true", "file=f", "rate=1"]);
        assert!(got("p run", &[("P_ALL", "false")], all).unwrap_err().contains("--from"));
        let since = got("p run --all --since 1", &[("P_UNTIL", "2")], all).unwrap();
        assert_eq!(since, ["all=true", "file=f", "rate=1", "since=1", "until=2"]);
        assert!(got("p run --all --since 1", &[], all).unwrap_err().contains("--until"));
        let other = got("p run --all --file f", &[], "rate: 1\nyes: true").unwrap();
        assert!(
            other.contains(&"yes=true".to_owned()),
            "a file serves commands with and without it"
        );
    }

    #[test]
    fn a_layer_silences_what_contradicts_it_below_and_not_in_itself() {
        let rest = [("P_RATE", "1"), ("P_FROM", "a"), ("P_FILE", "f")];
        let with = |line: &str, more: &[(&str, &str)], file: &str| {
            got(line, &[&rest[..], more].concat(), file)
        };
        let whole = |more: &[&str]| {
            let mut whole = [more, &["file=f", "from=a", "rate=1"]].concat();
            whole.sort_unstable();
            Ok(whole.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(with("p run --all", &[("P_ONLY", "x")], "only: v"), whole(&["all=true"]));
        assert_eq!(with("p run", &[("P_ALL", "true")], "only: v"), whole(&["all=true"]));
        assert_eq!(with("p run", &[("P_ALL", "false")], "only: [v, w]"), whole(&["only=v,w"]));
        assert_eq!(with("p run plan", &[("P_ONLY", "x")], "{}"), whole(&["plan=plan"]));
        let refused = with("p run", &[("P_ONLY", "x"), ("P_ALL", "true")], "{}").unwrap_err();
        assert!(
            refused.contains("cannot be used with") && refused.contains("(from P_"),
            "{refused}"
        );
        let refused = with("p run", &[], "only: v\nall: true").unwrap_err();
        assert!(refused.contains("cannot be used with") && refused.contains(" in "), "{refused}");
    }
}
