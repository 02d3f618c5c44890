//! The command line's outermost shape.

use crate::commands::Command;
use crate::flags::Global;

/// Plan where the replicas of a Kafka cluster go, and move them.
#[derive(Debug, clap::Parser)]
#[command(
    name = "topicmappr",
    version,
    max_term_width = 100,
    after_help = "You can also set each flag in the environment (TOPICMAPPR_OUT_FILE) or in the --config \
                  file (out-file: ...).\nFlags override the environment. The environment overrides the file.\n\n\
                  Exit codes: 0 done, 1 no plan, 2 wrong input, 3 outside failure, 4 warnings, 5 findings,\n\
                  6 partly done (resume), 7 another run or daemon holds the lock, 130/143 signals."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

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
