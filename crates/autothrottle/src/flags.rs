//! Command lines as the daemon of kafka-kit took them: one dash before long names, and flags that mean nothing here.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Flags that are taken and do nothing, and what does instead.
const WITHOUT_A_MEANING: [(&str, &str); 4] = [
    ("kafka-native-mode", "configs are always set through Kafka itself, key by key"),
    ("kafka-api-request-timeout", "request.timeout.ms in the file of --kafka-config says it"),
    (
        "cleanup-after",
        "what is ours is removed as soon as nothing needs it, and nothing else ever is",
    ),
    (
        "zk-prefix",
        "the cluster is reached through Kafka; --zk-config-prefix says where overrides are",
    ),
];

/// `-interval 60` is `--interval 60`.
pub(crate) fn with_two_dashes(args: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let of_flag = |arg: &clap::Arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        let names = arg.get_long().into_iter().chain(aliases);
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut known: BTreeSet<String> = command.get_arguments().flat_map(of_flag).collect();
    // clap adds these by itself, later.
    known.extend(["help", "version"].map(str::to_owned));
    let long = |arg: OsString| {
        let name = arg.to_str().and_then(|text| text.strip_prefix('-'));
        match name.map(|name| name.split_once('=').map_or(name, |(name, _)| name)) {
            Some(name) if known.contains(name) => {
                let mut two = OsString::from("-");
                two.push(arg);
                two
            }
            Some(_) | None => arg,
        }
    };
    args.into_iter().map(long).collect()
}

/// Says of each flag that was given and does nothing what does it instead.
pub(crate) fn tell_of_those_without_a_meaning(matches: &ArgMatches) {
    for (flag, instead) in WITHOUT_A_MEANING {
        // A value of a lower layer arrives as the flag's default.
        let id = flag.replace('-', "_");
        let given = matches.try_get_raw(&id).is_ok_and(|raw| {
            raw.is_some_and(|mut raw| {
                let off = |value: &std::ffi::OsStr| value == "false";
                raw.any(|value| !off(value))
            })
        });
        let typed = matches.try_contains_id(&id).is_ok()
            && matches.value_source(&id) == Some(ValueSource::CommandLine);
        if typed || given {
            tracing::warn!("--{flag} has no meaning here: {instead}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn dashed(args: &[&str]) -> Vec<String> {
        let args = args.iter().map(OsString::from).collect();
        let dashed = with_two_dashes(args, &Cli::command());
        dashed.into_iter().map(|arg| arg.into_string().unwrap()).collect()
    }

    #[test]
    fn one_dash_is_enough_before_a_long_name_and_nothing_else_changes() {
        let old = [
            "autothrottle",
            "-interval",
            "60",
            "-cap-map={\"a\":1}",
            "-version",
            "-vv",
            "-q",
            "-1",
        ];
        let new = [
            "autothrottle",
            "--interval",
            "60",
            "--cap-map={\"a\":1}",
            "--version",
            "-vv",
            "-q",
            "-1",
        ];
        assert_eq!(dashed(&old), new);
        assert_eq!(dashed(&["x", "--zk-addr", "z"]), ["x", "--zk-addr", "z"]);
    }

    #[test]
    fn every_flag_without_a_meaning_is_a_flag() {
        let command = Cli::command();
        for (flag, _) in WITHOUT_A_MEANING {
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(flag)), "{flag}");
        }
    }
}
