//! The exact next command.

use super::heading;
use super::transfer::SUGGESTED_RATE;
use local::words::quoted;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Past this many files of one step, one file for all is the better answer.
const FILES: usize = 10;

/// The same rate as [`SUGGESTED_RATE`], as our own flag is written.
const THROTTLE: &str = "50MB/s";

/// The most steps whose commands are written out.
const STEPS: usize = 3;

/// Command lines, in the order to run them in; none where nothing is left to do.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Next {
    commands: Vec<String>,
    /// What to note between the commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The same with Kafka's own tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<Box<Next>>,
}

impl Next {
    /// The same command line with more flags behind it, or others in the place of those it had.
    pub(crate) fn again(command_line: &[String], without: &str, with: &str) -> Self {
        let kept = command_line.iter().filter(|arg| {
            let flag = arg.split('=').next();
            without.is_empty() || flag != Some(without)
        });
        let mut words: Vec<String> = kept.map(|arg| quoted(arg)).collect();
        words.push(with.to_owned());
        Self { commands: vec![words.join(" ")], note: None, instead: None }
    }

    /// Commands of ours, by their words after `topicmappr`, on the cluster that the flags name.
    pub(crate) fn ours<'w>(
        words: impl IntoIterator<Item = &'w str>,
        (bootstrap, properties): (Option<&str>, Option<&PathBuf>),
    ) -> Self {
        let servers = bootstrap.map(|servers| format!(" --bootstrap-server {}", quoted(servers)));
        let config =
            properties.map(|p| format!(" --kafka-config {}", quoted(&p.to_string_lossy())));
        let flags = servers.into_iter().chain(config).collect::<String>();
        let commands = words.into_iter().map(|words| format!("topicmappr {words}{flags}"));
        Self { commands: commands.collect(), note: None, instead: None }
    }

    /// We carry the plan out ourselves, and sweep the brokers that it drains; Kafka's own tool may, too.
    pub(crate) fn execute(tool: &KafkaTool, file: &str, drains: bool, instead: Self) -> Self {
        let sweep = if drains { " --sweep" } else { "" };
        let servers = tool.bootstrap.as_deref().unwrap_or("HOST:PORT");
        let config = match &tool.config {
            Some(path) => format!(" --kafka-config {}", quoted(path)),
            None => String::new(),
        };
        let command = format!(
            "topicmappr execute {} --bootstrap-server {servers}{config} --throttle {THROTTLE}{sweep}",
            quoted(file)
        );
        Self { commands: vec![command], note: None, instead: Some(Box::new(instead)) }
    }

    /// Kafka's own tool carries a whole file out; where other replicas come first, they are elected in the end: a new
    /// order alone moves no leader.
    pub(crate) fn reassign(tool: &KafkaTool, file: &str, elect: bool) -> Self {
        let mut commands = Vec::new();
        let file = match file.strip_suffix(".gz") {
            Some(plain) => {
                commands.push(format!("gunzip --keep {}", quoted(file)));
                plain
            }
            None => file,
        };
        let reassign = tool.on(&quoted(file));
        commands.push(format!("{reassign} --execute{}", tool.pace()));
        commands.push(format!("{reassign} --verify"));
        if elect {
            commands.push(tool.elect(&quoted(file)));
        }
        let elected = "Elect leaders only when --verify says that all is complete.";
        let note = elect.then(|| elected.to_owned());
        Self { commands, note, instead: None }
    }

    /// Kafka's own tool carries the files of each step out, one step after the other; `None` if there are too
    /// many files for that.
    pub(crate) fn reassign_steps(tool: &KafkaTool, steps: &[Vec<String>]) -> Option<Self> {
        if steps.iter().any(|files| files.len() > FILES) {
            return None;
        }
        let reassign = tool.on("\"$map\"");
        let mut commands = Vec::new();
        for files in steps.iter().take(shown(steps.len())) {
            let files: Vec<String> = files.iter().map(|file| quoted(file)).collect();
            let files = files.join(" ");
            for action in [format!("--execute --additional{}", tool.pace()), "--verify".to_owned()]
            {
                commands.push(format!("for map in {files}; do {reassign} {action}; done"));
            }
        }
        Some(Self { commands, note: between_steps(steps.len()), instead: None })
    }

    /// Kafka's own tool knows no steps: it is given the partition map of each, one after the other.
    pub(crate) fn reassign_by_step(tool: &KafkaTool, plan: &str, steps: usize) -> Self {
        let mut commands = Vec::new();
        for step in 0..shown(steps) {
            let map = format!("step{step}.json");
            let reassign = tool.on(&map);
            commands.push(format!("topicmappr plan show {} --step {step} > {map}", quoted(plan)));
            commands.push(format!("{reassign} --execute{}", tool.pace()));
            commands.push(format!("{reassign} --verify"));
        }
        Self { commands, note: between_steps(steps), instead: None }
    }
}

/// Of many steps the commands of the first tell enough.
fn shown(steps: usize) -> usize {
    if steps > STEPS { 1 } else { steps }
}

fn between_steps(steps: usize) -> Option<String> {
    match steps {
        0 | 1 => None,
        2..=STEPS => Some(
            "Begin each step only when --verify says that the one before it is complete."
                .to_owned(),
        ),
        more => Some(format!(
            "This is step 0. The same for 1 to {}, each when --verify says that all before is complete.",
            more - 1
        )),
    }
}

/// How Kafka's own tool reaches the cluster.
#[derive(Debug, Clone)]
pub(crate) struct KafkaTool {
    /// Its servers, as the operator named them or the snapshot knows them.
    pub(crate) bootstrap: Option<String>,
    /// The client properties.
    pub(crate) config: Option<String>,
    /// Whether the plan moves replicas between the log dirs of a broker: their copies have a rate of their own.
    pub(crate) between_volumes: bool,
}

impl KafkaTool {
    /// The flags of rates. Without them, Kafka's own tool copies as fast as it can.
    fn pace(&self) -> String {
        let rate = SUGGESTED_RATE.0;
        let inside = match self.between_volumes {
            true => format!(" --replica-alter-log-dirs-throttle {rate}"),
            false => String::new(),
        };
        format!(" --throttle {rate}{inside}")
    }

    /// Elects the first replica of every partition that the file names; it reads partition maps as they are.
    fn elect(&self, map: &str) -> String {
        let servers = self.bootstrap.as_deref().unwrap_or("HOST:PORT");
        let config = match &self.config {
            Some(path) => format!(" --admin.config {}", quoted(path)),
            None => String::new(),
        };
        format!(
            "kafka-leader-election.sh --bootstrap-server {servers}{config} --election-type preferred --path-to-json-file {map}"
        )
    }

    fn on(&self, map: &str) -> String {
        let servers = self.bootstrap.as_deref().unwrap_or("HOST:PORT");
        let config = match &self.config {
            Some(path) => format!(" --command-config {}", quoted(path)),
            None => String::new(),
        };
        format!(
            "kafka-reassign-partitions.sh --bootstrap-server {servers}{config} --reassignment-json-file {map}"
        )
    }
}

impl Next {
    fn lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(note) = &self.note {
            writeln!(f, "  {note}")?;
        }
        self.commands.iter().try_for_each(|line| writeln!(f, "{}", folded(line)))
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commands.is_empty() {
            return Ok(());
        }
        heading(f, "Next")?;
        self.lines(f)?;
        if let Some(instead) = &self.instead {
            heading(f, "Or with Kafka's own tool")?;
            instead.lines(f)?;
        }
        Ok(())
    }
}

fn folded(command: &str) -> String {
    const WIDTH: usize = 96;
    folded_after(" ", command, "    ", WIDTH)
}

/// A long command over several lines, as a shell reads it back; a flag stays with its value.
pub(crate) fn folded_after(lead: &str, command: &str, indent: &str, width: usize) -> String {
    let mut lines = vec![lead.to_owned()];
    for part in parts(command) {
        match lines.last_mut().filter(|line| line.len() + part.len() < width) {
            Some(line) => line.push_str(&format!(" {part}")),
            None => lines.push(format!("{indent}{part}")),
        }
    }
    lines.join(" \\\n")
}

/// Words, quoted ones whole, each flag with what follows it.
fn parts(command: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut quoted = false;
    for word in command.split(' ') {
        let follows =
            parts.last().is_some_and(|last| last.starts_with("--") && !last.contains(' '));
        match parts.last_mut() {
            Some(last) if quoted || (follows && !word.starts_with("--")) => {
                last.push_str(&format!(" {word}"));
            }
            _ => parts.push(word.to_owned()),
        }
        quoted ^= word.matches('\'').count() % 2 == 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_flag_that_is_given_anew_is_left_out() {
        let line = words(&["topicmappr", "rebuild", "--ignore-warns=no-rack", "--topics", "a|b"]);
        assert_eq!(
            Next::again(&line, "--ignore-warns", "--ignore-warns=max-lost"),
            Next {
                commands: vec![
                    "topicmappr rebuild --topics 'a|b' --ignore-warns=max-lost".to_owned()
                ],
                note: None,
                instead: None,
            }
        );
    }

    #[test]
    fn a_long_command_is_broken_between_its_flags() {
        let (one, two) = ("x".repeat(60), "y y".repeat(20));
        assert_eq!(
            folded(&format!("tool --one {one} --two '{two}' --three")),
            format!("  tool --one {one} \\\n    --two '{two}' --three")
        );
    }

    #[test]
    fn a_compressed_plan_is_unpacked_for_kafkas_tool() {
        let bootstrap = Some("b:9092".to_owned());
        let tool = KafkaTool { bootstrap, config: None, between_volumes: false };
        let Next { commands, .. } = Next::reassign(&tool, "plan.json.gz", true);
        assert_eq!(commands[0], "gunzip --keep plan.json.gz");
        assert!(commands[2].ends_with("--reassignment-json-file plan.json --verify"));
        assert!(commands[3].ends_with("--election-type preferred --path-to-json-file plan.json"));
    }
}
