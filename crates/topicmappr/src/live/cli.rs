//! The whole command line, and command lines that a command runs.

use super::Command;
use crate::error::Error;
use crate::session::Session;
use clap::{CommandFactory, FromArgMatches};
use local::Status;
use std::ffi::OsString;

/// The command line with all commands.
pub(crate) type Cli = crate::cli::Cli<Command>;

/// Runs another command line of this program (without its name), in the same streams and environment.
pub(crate) fn run_words(words: &[String], session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let args: Vec<OsString> = std::iter::once("topicmappr")
        .map(OsString::from)
        .chain(words.iter().map(OsString::from))
        .collect();
    let matches = console::parse(Cli::command, "TOPICMAPPR_", &args, session.environment)?;
    let cli = Cli::from_arg_matches(&matches)?;
    cli.command.run(&mut session.nested(cli.global, &args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgMatches;
    use console::Environment;
    use std::path::PathBuf;

    fn innermost(matches: &ArgMatches) -> &ArgMatches {
        matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
    }

    fn parse(line: &str, variables: &[(&str, &str)]) -> ArgMatches {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let matches =
            console::parse(Cli::command, "TOPICMAPPR_", &args, &Environment(variables.collect()))
                .unwrap();
        innermost(&matches).clone()
    }

    #[test]
    fn every_flag_of_every_command_can_stand_in_the_environment() {
        let matches = parse(
            "topicmappr rebuild",
            &[
                ("TOPICMAPPR_REPLICATION", "2"),
                ("TOPICMAPPR_FORCE_REBUILD", "true"),
                ("TOPICMAPPR_ZK_ADDR", "zk:2181"),
                ("TOPICMAPPR_OUT_PATH", ""),
            ],
        );
        assert_eq!(matches.get_one("replication"), Some(&2_u32));
        assert_eq!(matches.get_one("force_rebuild"), Some(&true));
        assert_eq!(matches.get_one("zookeeper"), Some(&"zk:2181".to_owned()));
        assert_eq!(matches.get_one::<PathBuf>("out_path"), None);
    }

    #[test]
    fn a_typed_source_silences_the_others_of_lower_layers() {
        let variables = [("TOPICMAPPR_KAFKA_ADDR", "k:9092"), ("TOPICMAPPR_ZK_ADDR", "zk")];
        let matches = parse("topicmappr rebuild --snapshot s.json", &variables);
        assert_eq!(matches.get_one::<String>("bootstrap_server"), None);
        assert_eq!(matches.get_one::<String>("zookeeper"), None);
        let matches = parse("topicmappr --kafka-addr b:9092 rebuild", &variables);
        assert_eq!(matches.get_one("bootstrap_server"), Some(&"b:9092".to_owned()));
        assert_eq!(matches.get_one("zookeeper"), Some(&"zk".to_owned()));
    }

    #[test]
    fn a_switch_may_carry_its_value() {
        let matches = parse("topicmappr rebuild --force-rebuild=true --fix-racks=false", &[]);
        assert_eq!(matches.get_one("force_rebuild"), Some(&true));
        assert_eq!(matches.get_one("fix_racks"), Some(&false));
    }

    #[test]
    fn the_flags_do_not_deny_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_execution_takes_its_throttle_from_the_environment() {
        let matches = parse("topicmappr execute plan.json", &[("TOPICMAPPR_THROTTLE", "50MB/s")]);
        assert!(matches.get_raw("throttle").unwrap().eq(["50MB/s"]));
    }

    /// clap checks the type of a field against its parser only when it fills the field.
    #[test]
    fn every_rate_has_the_type_of_its_parser() {
        for line in [
            "topicmappr execute plan.json --throttle 20MB/s",
            "topicmappr replace --broker 1 --same-id --throttle 20MB/s",
            "topicmappr throttle set 20MB/s",
        ] {
            let parsed = Cli::command().try_get_matches_from(line.split(' ')).unwrap();
            Cli::from_arg_matches(&parsed).unwrap();
        }
    }

    /// The most words that an operator reads at a glance; details follow after a blank line.
    const MOST_WORDS: usize = 12;

    /// The help lines of this command, its flags and their values. A line that is missing is empty.
    fn help_lines(command: &clap::Command) -> Vec<(String, String)> {
        let text = |help: Option<&clap::builder::StyledStr>| {
            help.map(ToString::to_string).unwrap_or_default()
        };
        let mut lines = vec![(command.get_name().to_owned(), text(command.get_about()))];
        for arg in command.get_arguments() {
            let name = format!("{} {}", command.get_name(), arg.get_id());
            let values = arg.get_possible_values();
            let of_values = values.iter().filter_map(|value| value.get_help());
            lines.extend(of_values.map(|help| (name.clone(), help.to_string())));
            lines.push((name, text(arg.get_help())));
        }
        lines
    }

    #[test]
    fn a_help_line_has_at_most_twelve_words() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            for (name, line) in help_lines(&command) {
                let words = line.split_whitespace().count();
                assert!((1..=MOST_WORDS).contains(&words), "{name}: {line:?}, {words} words");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
