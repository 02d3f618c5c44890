//! Every test of the workspace: the fast ones, then the live ones (`#[ignore = "live"]`).
//!
//! Nothing is skipped: what a live test needs and the machine lacks is said before anything runs.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::{self, Built, Outcome};
use crate::{doctor, project::cargo};

/// Two clusters at a time: much of a live test is waiting for a broker's session to end.
const LIVE_THREADS: &str = "--test-threads=2";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run one suite (a crate, or a file of tests such as `live`), or the tests whose name has this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// One executable of tests, in one tier.
struct Suite<'a> {
    built: &'a Built,
    live: bool,
    tests: usize,
    filter: Option<&'a str>,
}

struct Run {
    name: String,
    tests: usize,
    took: Duration,
    passed: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    doctor::quiet()?;
    let start = Instant::now();
    if args.only.is_none() {
        // Before cargo has both cores: the first time, Go needs them for minutes.
        let program = testbed::kubernetes::build()?;
        eprintln!("{} in {:.0} s", program.display(), start.elapsed().as_secs_f64());
    }
    let built = project::build(&["test", "--workspace", "--no-run"])?;
    let binary = project::topicmappr(&[])?;
    eprintln!("built in {:.0} s", start.elapsed().as_secs_f64());

    let mut results = Vec::new();
    for live in [false, true] {
        for suite in suites(&built, live, args.only.as_deref())? {
            results.push(suite.run(&binary)?);
        }
        if !live && args.only.is_none() {
            results.push(examples()?);
        }
    }
    report(&results, start.elapsed())
}

/// The suites of one tier that have a test to run.
fn suites<'a>(
    built: &'a [Built],
    live: bool,
    only: Option<&'a str>,
) -> Result<Vec<Suite<'a>>, Box<dyn Error>> {
    let whole = |built: &Built| only.is_none_or(|only| built.names().contains(&only.to_owned()));
    let named = built.iter().any(|built| only.is_some() && whole(built));
    let mut suites = Vec::new();
    for built in built {
        let filter = only.filter(|_| !named);
        if named && !whole(built) {
            continue;
        }
        let mut suite = Suite { built, live, tests: 0, filter };
        suite.tests = suite.count()?;
        if suite.tests > 0 {
            suites.push(suite);
        }
    }
    Ok(suites)
}

impl Built {
    /// What `--only` may call it: the target, or the package's folder.
    fn names(&self) -> [String; 2] {
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        [self.target.clone(), folder]
    }
}

impl Suite<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.built.executable);
        // As `cargo test` does it.
        command.current_dir(&self.built.folder).env("CARGO_MANIFEST_DIR", &self.built.folder);
        command.args(self.filter).args(self.live.then_some("--ignored")).stdin(Stdio::null());
        command
    }

    fn count(&self) -> Result<usize, Box<dyn Error>> {
        let list = |ignored: bool| -> Result<usize, Box<dyn Error>> {
            let mut command = Command::new(&self.built.executable);
            command.args(self.filter).args(["--list", "--format", "terse"]);
            let out = command.args(ignored.then_some("--ignored")).output()?;
            Ok(String::from_utf8(out.stdout)?.lines().filter(|l| l.ends_with(": test")).count())
        };
        // The plain list has the ignored ones, too.
        Ok(if self.live { list(true)? } else { list(false)? - list(true)? })
    }

    fn run(&self, topicmappr: &Path) -> Result<Run, Box<dyn Error>> {
        let tier = if self.live { "live" } else { "fast" };
        let [target, folder] = self.built.names();
        let name = format!("{tier}  {folder}/{target}");
        println!("\n=== {name}: {} tests", self.tests);
        std::io::stdout().flush()?;
        let start = Instant::now();
        let mut command = self.command();
        command.env("MAPPR_TOPICMAPPR", topicmappr);
        if self.live {
            command.arg(LIVE_THREADS);
        }
        let passed = command.status()?.success();
        Ok(Run { name, tests: self.tests, took: start.elapsed(), passed })
    }
}

/// The examples in the documentation, which only cargo can run.
fn examples() -> Result<Run, Box<dyn Error>> {
    println!("\n=== fast  examples in the documentation");
    std::io::stdout().flush()?;
    let start = Instant::now();
    let out = cargo(["test", "--workspace", "--doc"]).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    print!("{text}");
    let tests = text.lines().filter(|line| line.starts_with("test ")).count()
        - text.lines().filter(|line| line.starts_with("test result")).count();
    let name = "fast  examples in the documentation".into();
    Ok(Run { name, tests, took: start.elapsed(), passed: out.status.success() })
}

fn report(results: &[Run], took: Duration) -> Outcome {
    println!();
    for result in results {
        let word = if result.passed { "ok" } else { "FAILED" };
        let (name, tests, seconds) = (&result.name, result.tests, result.took.as_secs_f64());
        println!("{word:<7} {name:<44} {tests:>4} tests {seconds:>7.1} s");
    }
    let tests: usize = results.iter().map(|result| result.tests).sum();
    let failed: Vec<&str> =
        results.iter().filter(|result| !result.passed).map(|result| result.name.as_str()).collect();
    if results.is_empty() {
        return Err("no test has that name".into());
    }
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join(", ")).into());
    }
    println!("all passed: {tests} tests in {:.0} s", took.as_secs_f64());
    Ok(())
}
