//! Runs every test of the workspace: the fast ones, then the live ones (`#[ignore = "live"]`). Or runs those in modules
//! called `soak`: measurements, which write figures to `docs/`, and tests whose twin in Kafka's other mode is live.
//!
//! No test is skipped. If the machine lacks something that a live test needs, the task says so before it runs anything.
//! The exception are tests in modules called `real_nodes`, which need root: where they cannot run, the end of the report lists
//! them with the reason. In CI, that is an error.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{iter, thread};

use crate::project::{self, Built, Outcome};
use crate::{disk, doctor, project::cargo};

/// Six clusters at a time on two cores, two of them [beside](BESIDE_THREADS), where most only [wait](APART): live tests wait for
/// a session to end or for a slow move, and their servers share JVMs. With six busy ones, the cores were nine tenths busy
/// on a good day, and where several large clusters met, brokers fell out of sync for want of a core. Then everything waits for
/// longer, and looks more often.
const LIVE_THREADS: &str = "--test-threads=4";
/// Beside the largest suite, the others run one test at a time.
const BESIDE_THREADS: &str = "--test-threads=1";
/// The exit code of a suite that ran all its tests, some of which failed.
const SOME_FAILED: i32 = 101;
/// How many failed live tests may run again, when no other runs. A machine that stands still for a minute fails all that
/// run then; more than one such minute, or another reason, and the run has failed.
const SECOND_TRIES: usize = 8;
/// How long a live test waits for a run. This is minutes more than the slowest needs, and much less than a whole CI
/// run.
const RUN_LIMIT: (&str, &str) = ("MAPPR_RUN_LIMIT_SECONDS", "420");
/// Long runs measure, so they have the machine to themselves.
const SOAK_THREADS: &str = "--test-threads=1";
/// How many of the slowest tests the report names.
const SLOWEST: usize = 10;
/// libtest reports the time of each test only with unstable options.
const TIMES: [&str; 2] = ["-Zunstable-options", "--report-time"];
/// The part of a name that only long runs have.
const SOAK: &str = "soak::";
/// The part of the names of tests on real Kubernetes nodes.
const NODES: &str = "real_nodes::";
/// The modules that run apart from the rest of the largest live suite: the first one before it, and the others beside it, before
/// the smaller suites. Most of these wait out one silence of a server after another: side by side in that suite, they would leave
/// the cores idle for minutes.
const APART: [&str; 5] = [NODES, "executors::", "outages::", "closed_loop::", "rollback::"];

/// Builds a program of the testbed.
type Build = fn() -> Result<PathBuf, testbed::Error>;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the long tests instead.
    #[arg(value_enum)]
    long: Option<Long>,

    /// Run one suite (a crate, or a test file such as `live`), or the tests whose name contains this. For the long
    /// tests, those whose name begins with it.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Long {
    /// Measure for an hour, and write figures to docs/.
    Soak,
    /// Build with HiGHS, and check the planners' laws with it as the exact solver.
    Highs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    Fast,
    Live,
    Soak,
}

/// One test executable, in one tier.
struct Suite<'a> {
    built: &'a Built,
    tier: Tier,
    tests: usize,
    filter: Option<&'a str>,
    part: Part,
    /// Whether it runs beside a larger suite.
    beside: bool,
}

/// Which modules of a suite run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Without(&'static [&'static str]),
    Only(&'static str),
}

struct Run {
    name: String,
    tests: usize,
    took: Duration,
    passed: bool,
    /// The failed tests, if the suite ran to its end.
    failed: Vec<String>,
    /// Tests that passed only when they ran again, alone.
    flaky: Vec<String>,
    /// The seconds and the name of each test.
    times: Vec<(f64, String)>,
}

/// The output of a suite's run.
#[derive(Default)]
struct Told {
    passed: bool,
    /// The failed tests, if the suite ran to its end.
    failed: Vec<String>,
    times: Vec<(f64, String)>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.long == Some(Long::Highs) {
        return with_highs();
    }
    let no_nodes = testbed::kubernetes::nodes::check().err();
    if no_nodes.is_none() {
        disk::enter()?;
    }
    doctor::quiet()?;
    let start = Instant::now();
    if args.only.is_none() && args.long.is_none() {
        build_servers(no_nodes.is_none(), start)?;
    }
    let built = project::build(&["test", "--workspace", "--no-run"])?;
    let binaries = match args.long {
        // Measure the binaries that operators run.
        Some(_) => {
            [project::topicmappr(&["--release"])?, project::binary("autothrottle", &["--release"])?]
        }
        // The tests' own build has made them, too. A separate build would compile half the dependencies again, with
        // other features.
        None => [binary(&built, "topicmappr")?, binary(&built, "autothrottle")?],
    };
    eprintln!("built in {:.0} s", start.elapsed().as_secs_f64());

    let (mut results, mut not_run) = (Vec::new(), Vec::new());
    let tiers: &[Tier] = match args.long {
        Some(Long::Soak | Long::Highs) => &[Tier::Soak],
        None => &[Tier::Fast, Tier::Live],
    };
    for tier in tiers {
        let mut suites = suites(&built, *tier, args.only.as_deref())?;
        if no_nodes.is_some() {
            for suite in &mut suites {
                not_run.extend(suite.leave_nodes_out()?);
            }
            suites.retain(|suite| suite.tests > 0);
        }
        let mut runs = match tier {
            Tier::Fast if args.only.is_none() => {
                suites.iter_mut().for_each(|suite| suite.beside = true);
                let both = Mutex::new(suites.into_iter());
                side_by_side(&[&both, &both], &binaries)?
            }
            Tier::Live if args.only.is_none() => with_the_largest(suites, &binaries)?,
            Tier::Fast | Tier::Live | Tier::Soak => one_by_one(suites.into_iter(), &binaries)?,
        };
        if *tier == Tier::Live {
            try_again(&mut runs, &binaries)?;
        }
        results.extend(runs.into_iter().map(|(_, run)| run));
        if *tier == Tier::Fast && args.only.is_none() {
            results.push(examples()?);
        }
    }
    let passed = if results.is_empty() && !not_run.is_empty() {
        Err("no test with that name can run here".into())
    } else {
        report(&results, start.elapsed())
    };
    if let Some(why) = no_nodes.filter(|_| !not_run.is_empty()) {
        for (suite, tests) in not_run {
            println!("NOT RUN {suite:<44} {tests:>4} tests");
        }
        println!("        {why}");
    }
    passed
}

/// Before cargo and the live tests use both cores: the first time, Go needs them for minutes.
fn build_servers(nodes: bool, start: Instant) -> Outcome {
    let nodes: Option<Build> = nodes.then_some(testbed::kubernetes::nodes::build);
    let others: [Build; 2] = [testbed::kubernetes::build, testbed::helm::build];
    for build in others.into_iter().chain(nodes) {
        eprintln!("{} in {:.0} s", build()?.display(), start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// The program of this name from the tests' build.
fn binary(built: &[Built], name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let program = built.iter().find(|built| !built.is_test && built.target == name);
    Ok(program.ok_or_else(|| format!("the build made no {name}"))?.executable.clone())
}

/// The additional checks of a build with HiGHS. CI does not run them, because the C++ code takes minutes to compile.
fn with_highs() -> Outcome {
    doctor::quiet_with_highs()?;
    let features = ["--features", "highs", "--locked"];
    let lints = ["clippy", "--package", "mappr-mapper", "--all-targets"];
    let units = ["test", "--package", "mappr-mapper", "--lib"];
    let laws = ["test", "--package", "mappr-tests", "--test", "properties"];
    for (task, rest) in
        [(&lints[..], &["--", "--deny", "warnings"][..]), (&units[..], &[]), (&laws[..], &[])]
    {
        let args: Vec<&str> = task.iter().chain(&features).chain(rest).copied().collect();
        println!("\n=== cargo {}", args.join(" "));
        std::io::stdout().flush()?;
        let status = cargo(args).status()?;
        if !status.success() {
            return Err(format!("cargo {} failed ({status})", task.join(" ")).into());
        }
    }
    Ok(())
}

fn one_by_one<'a>(
    suites: impl Iterator<Item = Suite<'a>>,
    binaries: &[PathBuf; 2],
) -> Result<Vec<(Suite<'a>, Run)>, String> {
    let run = |suite: Suite<'a>| match suite.run(binaries) {
        Ok(run) => Ok((suite, run)),
        Err(e) => Err(e.to_string()),
    };
    suites.map(run).collect()
}

/// Runs failed tests again, alone, if they are few.
fn try_again(runs: &mut [(Suite<'_>, Run)], binaries: &[PathBuf; 2]) -> Outcome {
    let failed: usize = runs.iter().map(|(_, run)| run.failed.len()).sum();
    if failed > SECOND_TRIES {
        println!("{failed} live tests failed: too many to try them again");
        return Ok(());
    }
    for (suite, run) in runs {
        for test in std::mem::take(&mut run.failed) {
            run.passed = suite.passes_alone(&test, binaries)?;
            if !run.passed {
                return Ok(());
            }
            run.flaky.push(test);
        }
    }
    Ok(())
}

/// The tests on real nodes first: their six brokers start as in production, and need both cores for that. Then the other live
/// suites in three lanes: the largest one, and beside it two that share the others, so that all three end at about the same time.
fn with_the_largest<'a>(
    mut suites: Vec<Suite<'a>>,
    binaries: &[PathBuf; 2],
) -> Result<Vec<(Suite<'a>, Run)>, Box<dyn Error>> {
    suites.sort_by_key(|suite| suite.tests);
    let Some(whole) = suites.pop() else { return Ok(Vec::new()) };
    let parts = |modules: &[&'static str]| -> Result<Vec<Suite<'a>>, Box<dyn Error>> {
        let there = modules.iter().filter(|module| whole.has(module));
        let parts = there.map(|module| whole.select(Part::Only(module)));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        Ok(parts.into_iter().filter(|part| part.tests > 0).collect())
    };
    let [nodes, others @ ..] = &APART;
    let mut runs = one_by_one(parts(&[*nodes])?.into_iter(), binaries)?;
    let mut beside = parts(others)?;
    beside.extend(suites);
    beside.iter_mut().for_each(|suite| suite.beside = true);
    let largest = vec![whole.select(Part::Without(&APART))?];
    let [largest, beside] = [largest, beside].map(|lane| Mutex::new(lane.into_iter()));
    runs.extend(side_by_side(&[&largest, &beside, &beside], binaries)?);
    Ok(runs)
}

/// Suites that are left to run, for one lane or several.
type Lane<'a> = Mutex<std::vec::IntoIter<Suite<'a>>>;

/// Runs suites in lanes, each lane one suite after the other.
fn side_by_side<'a>(
    lanes: &[&Lane<'a>],
    binaries: &[PathBuf; 2],
) -> Result<Vec<(Suite<'a>, Run)>, Box<dyn Error>> {
    thread::scope(|scope| {
        let run =
            |lane: &Lane<'a>| one_by_one(iter::from_fn(|| lane.lock().ok()?.next()), binaries);
        let lanes: Vec<_> = lanes.iter().map(|lane| scope.spawn(move || run(lane))).collect();
        let mut results = Vec::new();
        for lane in lanes {
            results.extend(lane.join().map_err(|_| "a lane of suites panicked")??);
        }
        Ok(results)
    })
}

/// The suites of one tier that have a test to run.
fn suites<'a>(
    built: &'a [Built],
    tier: Tier,
    only: Option<&'a str>,
) -> Result<Vec<Suite<'a>>, Box<dyn Error>> {
    let whole = |built: &Built| only.is_none_or(|only| built.names().contains(&only.to_owned()));
    let named = built.iter().any(|built| only.is_some() && whole(built));
    let mut suites = Vec::new();
    for built in built.iter().filter(|built| built.is_test) {
        let filter = only.filter(|_| !named);
        if named && !whole(built) {
            continue;
        }
        let mut suite = Suite { built, tier, tests: 0, filter, part: Part::All, beside: false };
        suite.tests = suite.count()?;
        if suite.tests > 0 {
            suites.push(suite);
        }
    }
    Ok(suites)
}

impl Built {
    /// The names that `--only` accepts: the target, or the package's folder.
    fn names(&self) -> [String; 2] {
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        [self.target.clone(), folder]
    }
}

impl Suite<'_> {
    fn command(&self, [topicmappr, autothrottle]: &[PathBuf; 2]) -> Command {
        let mut command = Command::new(&self.built.executable);
        // As `cargo test` does.
        command.current_dir(&self.built.folder).env("CARGO_MANIFEST_DIR", &self.built.folder);
        command.env("MAPPR_TOPICMAPPR", topicmappr).env("MAPPR_AUTOTHROTTLE", autothrottle);
        command.stdin(Stdio::null());
        command
    }

    fn selection(&self) -> Vec<String> {
        let filter = self.filter.map(str::to_owned);
        let mut selection: Vec<String> = match self.tier {
            Tier::Fast => filter.into_iter().collect(),
            Tier::Live => {
                let live = ["--ignored", "--skip", SOAK].map(str::to_owned);
                filter.into_iter().chain(live).collect()
            }
            Tier::Soak => {
                vec![format!("{SOAK}{}", filter.unwrap_or_default()), "--ignored".to_owned()]
            }
        };
        match self.part {
            Part::All => {}
            Part::Without(modules) => {
                selection.extend(
                    modules.iter().flat_map(|module| ["--skip", module]).map(str::to_owned),
                );
            }
            Part::Only(module) => selection.push(module.to_owned()),
        }
        selection
    }

    fn has(&self, module: &str) -> bool {
        !matches!(self.part, Part::Without(modules) if modules.contains(&module))
    }

    /// The name of the suite and the number of tests that it then leaves out, if any.
    fn leave_nodes_out(&mut self) -> Result<Option<(String, usize)>, Box<dyn Error>> {
        // Fast tests have no module of that name.
        if self.tier == Tier::Fast {
            return Ok(None);
        }
        let all = self.tests;
        *self = self.select(Part::Without(&[NODES]))?;
        Ok((all > self.tests).then(|| (self.name(), all - self.tests)))
    }

    fn select(&self, part: Part) -> Result<Self, Box<dyn Error>> {
        let mut suite = Self { part, ..*self };
        suite.tests = suite.count()?;
        Ok(suite)
    }

    fn name(&self) -> String {
        let tier = match self.tier {
            Tier::Fast => "fast",
            Tier::Live => "live",
            Tier::Soak => "soak",
        };
        let [target, folder] = self.built.names();
        let part = match self.part {
            Part::Only(module) => format!(" {}", module.trim_end_matches(':')),
            Part::All | Part::Without(_) => String::new(),
        };
        format!("{tier}  {folder}/{target}{part}")
    }

    fn count(&self) -> Result<usize, Box<dyn Error>> {
        let list = |selection: &[String]| -> Result<usize, Box<dyn Error>> {
            let mut command = Command::new(&self.built.executable);
            command.args(selection).args(["--list", "--format", "terse"]);
            let out = command.output()?;
            Ok(String::from_utf8(out.stdout)?.lines().filter(|l| l.ends_with(": test")).count())
        };
        let mut selection = self.selection();
        let all = list(&selection)?;
        if self.tier != Tier::Fast {
            return Ok(all);
        }
        // The plain list contains the ignored tests, too.
        selection.push("--ignored".to_owned());
        Ok(all - list(&selection)?)
    }

    fn run(&self, binaries: &[PathBuf; 2]) -> Result<Run, Box<dyn Error>> {
        let name = self.name();
        let heading = format!("\n=== {name}: {} tests", self.tests);
        if !self.beside {
            println!("{heading}");
            std::io::stdout().flush()?;
        }
        let start = Instant::now();
        let mut command = self.command(binaries);
        command.args(self.selection());
        match self.tier {
            Tier::Fast => {}
            Tier::Live => {
                command.arg(if self.beside { BESIDE_THREADS } else { LIVE_THREADS });
                command.env(RUN_LIMIT.0, RUN_LIMIT.1);
            }
            // Its figures are worth reading during the run.
            Tier::Soak => drop(command.args([SOAK_THREADS, "--nocapture"])),
        }
        command.env("RUSTC_BOOTSTRAP", "1").args(TIMES);
        let later = self.beside.then_some(heading);
        let Told { passed, failed, times } = watched(command, later)?;
        let flaky = Vec::new();
        Ok(Run { name, tests: self.tests, took: start.elapsed(), passed, failed, flaky, times })
    }

    /// Whether this failed live test passes when nothing runs beside it.
    fn passes_alone(&self, test: &str, binaries: &[PathBuf; 2]) -> Result<bool, Box<dyn Error>> {
        println!("\n=== {}: {test} failed, and is tried again alone", self.name());
        std::io::stdout().flush()?;
        let mut command = self.command(binaries);
        command.args(["--ignored", "--exact", test]).env(RUN_LIMIT.0, RUN_LIMIT.1);
        Ok(watched(command, None)?.passed)
    }
}

/// Runs a suite and passes on its output: line by line, or, if another suite is printing, all at its end, under a heading.
fn watched(mut command: Command, heading: Option<String>) -> Result<Told, Box<dyn Error>> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let beside = heading.is_some();
    let mut told = Told::default();
    let mut output = heading.map(|heading| heading + "\n").unwrap_or_default();
    for line in BufReader::new(child.stdout.take().ok_or("no stdout")?).lines() {
        let line = line?;
        if beside {
            output.push_str(&format!("{line}\n"));
        } else {
            println!("{line}");
        }
        let Some((test, result)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        else {
            continue;
        };
        if result.starts_with("FAILED") {
            told.failed.push(test.to_owned());
        }
        let seconds = result.split_once('<').and_then(|(_, rest)| rest.strip_suffix("s>"));
        told.times.extend(seconds.and_then(|s| s.parse().ok()).map(|s: f64| (s, test.to_owned())));
    }
    if beside {
        print!("{output}");
    }
    let status = child.wait()?;
    told.passed = status.success();
    if status.code() != Some(SOME_FAILED) {
        told.failed.clear();
    }
    Ok(told)
}

/// Runs the examples in the documentation, which only cargo can run.
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
    let passed = out.status.success();
    let (failed, flaky, times) = Default::default();
    Ok(Run { name, tests, took: start.elapsed(), passed, failed, flaky, times })
}

fn report(results: &[Run], took: Duration) -> Outcome {
    println!();
    for result in results {
        let word = if result.passed { "ok" } else { "FAILED" };
        let (name, tests, seconds) = (&result.name, result.tests, result.took.as_secs_f64());
        println!("{word:<7} {name:<44} {tests:>4} tests {seconds:>7.1} s");
        for test in &result.flaky {
            println!("        flaky: {test} passed the second time only");
        }
    }
    let mut times: Vec<&(f64, String)> = results.iter().flat_map(|result| &result.times).collect();
    times.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("the slowest tests:");
    for (seconds, test) in times.into_iter().take(SLOWEST) {
        println!("{seconds:>9.1} s  {test}");
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
    let twice: usize = results.iter().map(|result| result.flaky.len()).sum();
    let seconds = took.as_secs_f64();
    println!("all passed: {tests} tests in {seconds:.0} s, {twice} of them at the second try");
    Ok(())
}
