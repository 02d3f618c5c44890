//! `man`: our help as manual pages, one for each command.

use crate::error::Error;
use crate::live::Cli;
use crate::session::Session;
use clap::CommandFactory;
use clap_mangen::Man;
use operate::Status;
use operate::files::OutFile;
use std::path::{Path, PathBuf};

/// The flags of `man`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  topicmappr man | man -l -\n  topicmappr man plan show\n  topicmappr man --out-dir /usr/local/share/man/man1"
)]
pub(crate) struct Args {
    /// The command to describe, such as `plan show` [default: the program]
    #[arg(value_name = "COMMAND", conflicts_with = "out_dir")]
    command: Vec<String>,
    /// Write the pages of all commands into this folder
    ///
    /// The files are topicmappr.1, topicmappr-plan-show.1 and so on.
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let program = whole();
    match &args.out_dir {
        Some(folder) => write(&program, folder)?,
        None => {
            let page = page(named(&program, &args.command)?)?;
            session.streams.out.write_all(&page).map_err(Error::stream)?;
        }
    }
    Ok(Status::Done)
}

/// Every command with its whole name, and with the flags that it shares with the others.
fn whole() -> clap::Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

fn named<'c>(program: &'c clap::Command, words: &[String]) -> Result<&'c clap::Command, Error> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            Error::from(local::Error::flag(
                "COMMAND",
                words.join(" "),
                format!("{} has no command {word}", full_name(command)),
            ))
        })
    })
}

fn full_name(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    // The page's name is that of its file: `man topicmappr-plan-show`.
    let name = full_name(command).to_owned();
    let man = Man::new(command.clone().name(name.clone())).title(name.to_uppercase());
    man.render(&mut page).map_err(Error::stream)?;
    Ok(page)
}

/// Checks that all files can be written before it writes any.
fn write(program: &clap::Command, folder: &Path) -> Result<(), Error> {
    let mut pages = Vec::new();
    let mut commands = vec![program];
    while let Some(command) = commands.pop() {
        let file = OutFile::at(&folder.join(format!("{}.1", full_name(command))))?;
        pages.push((file, page(command)?));
        commands.extend(command.get_subcommands());
    }
    for (file, page) in pages {
        file.stage(|to| to.write_all(&page))?.publish()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_flags() {
        let folder = tempfile::tempdir().unwrap();
        write(&whole(), folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(
            read("topicmappr.1").contains("topicmappr\\-rebuild(1)"),
            "{}",
            read("topicmappr.1")
        );
        let show = read("topicmappr-plan-show.1");
        assert!(show.contains(".TH TOPICMAPPR-PLAN-SHOW 1"), "{show}");
        assert!(show.contains("\\-\\-moves"), "{show}");
        assert!(show.contains("\\-\\-output"), "shared flags too: {show}");
    }

    #[test]
    fn one_page_is_that_of_the_command_named() {
        let program = whole();
        let words = ["plan".to_owned(), "show".to_owned()];
        let page = page(named(&program, &words).unwrap()).unwrap();
        assert!(String::from_utf8(page).unwrap().contains("topicmappr\\-plan\\-show"));
        let wrong = named(&program, &["plan".to_owned(), "shwo".to_owned()]).unwrap_err();
        assert_eq!(wrong.to_string(), "COMMAND \"plan shwo\": topicmappr-plan has no command shwo");
    }
}
