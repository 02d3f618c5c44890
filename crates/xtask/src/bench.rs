//! Plans seeded clusters with the binary that operators run, and lets a separate program rate the plans.
//!
//! In: sizes and cases. Out: one table of times, memory and quality, next to the figures of comparable tools and of the
//! committed baseline. The task compares figures and does not judge them, because machines differ. It fails on an
//! invalid plan, and on a missing plan where one exists.

mod cases;
mod clusters;
mod decide;
mod document;
mod figures;
mod limited;
mod measure;
mod plot;
mod python;
mod replays;
mod score;
mod table;
mod topics;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cases::{CASES, Case, Planner, Size};
use clusters::Cluster;
use figures::{Answer, Figures, OURS, Quality, Row, rounded};
use measure::{Cost, Ended};
use table::{Line, Table};

use crate::project::{self, Outcome};

/// The seed of the baseline and of the other tools' figures.
const SEED: u64 = 1;
/// The exit code that means: no plan keeps every promise.
const NO_PLAN: i32 = 1;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Sizes: S 200 partitions, M 5,000, L 50,000, XL 200,000, XXL 1,000,000.
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',', default_value = "S,M,L,XL")]
    size: Vec<Size>,
    /// Only the cases of one scenario (`failed-broker`) or command (`rebuild`). By name only: `decide`, a round of
    /// autothrottle; `peers`, plans with no more bytes than a peer's; `replays`, weeks under a policy; `topics`, `topics apply` on
    /// real servers.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How often each command runs after its warm-up. A case stops early after 30 s.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// The seed. Another seed makes other clusters, without figures to compare.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Compare with these figures instead of the committed ones.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Measure this binary instead of building one.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the measured figures to the baseline, and rewrite the tables and the plot of `docs`.
    #[arg(long, conflicts_with = "baseline")]
    save_baseline: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.only.as_deref() == Some(decide::NAME) {
        return decide::run();
    }
    if args.only.as_deref() == Some(topics::NAME) {
        return topics::run(args);
    }
    if args.only.as_deref() == Some(limited::NAME) {
        return limited::run(args);
    }
    if args.only.as_deref() == Some(replays::NAME) {
        return replays::run(args);
    }
    plans(args)?;
    if args.only.is_none() && args.binary.is_none() { decide::run() } else { Ok(()) }
}

fn plans(args: &Args) -> Outcome {
    let cases = args.cases()?;
    let baseline = args.baseline.clone().unwrap_or_else(|| python::script("baseline.json"));
    let baseline = Figures::read(&baseline)?;
    let peers = Figures::read(&python::script("peers.json"))?;
    let comparable = args.seed == SEED;
    if args.save_baseline && !comparable {
        return Err("the baseline is of seed 1".into());
    }

    let mut bench = Bench::new(args)?;
    let mut lines = Vec::new();
    for size in Size::ALL.into_iter().filter(|size| args.size.contains(size)) {
        for case in &cases {
            lines.push(bench.line(case, size)?);
        }
    }
    let (peers, older) = (comparable.then_some(&peers), comparable.then_some(&baseline));
    print!("{}", Table::of(&lines, peers, older));
    println!("\n!: over the goal of its size. over floor: fullest broker over the best reachable.");
    let busy = busy();
    if let Some(load) = busy {
        println!(
            "Others kept this machine busy (load {load:.1}): compare CPU seconds, not seconds."
        );
    }

    let mut rows: Vec<Row> = lines.into_iter().filter_map(Line::measured).collect();
    if args.save_baseline {
        if busy.is_some() {
            // Other processes slowed this one down, so its times do not count.
            rows.iter_mut().for_each(|row| row.seconds = None);
        }
        save(baseline, &rows, peers)?;
    }
    let failed: Vec<String> = rows
        .iter()
        .filter(|row| row.fails())
        .map(|row| format!("{} {}", row.size, row.case))
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join("; ")).into()) }
}

impl Args {
    fn cases(&self) -> Result<Vec<&'static Case>, Box<dyn Error>> {
        let only = self.only.as_deref();
        let meant = |case: &&Case| only.is_none_or(|only| case.is_called(only));
        let cases: Vec<&Case> = CASES.iter().filter(meant).collect();
        if cases.is_empty() {
            let names: Vec<String> = CASES.iter().map(Case::name).collect();
            return Err(format!(
                "no case has that name; there are:\n  {}\n  {}\n  {}\n  {}\n  {}",
                names.join("\n  "),
                decide::NAME,
                topics::NAME,
                limited::NAME,
                replays::NAME
            )
            .into());
        }
        Ok(cases)
    }
}

impl Line {
    fn measured(self) -> Option<Row> {
        match self {
            Self::Measured(row) => Some(row),
            Self::NotInThisBuild { .. } => None,
        }
    }
}

/// The load of the last five minutes, if it is more than this task causes by itself.
fn busy() -> Option<f64> {
    let loads = fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = loads.split(' ').nth(1)?.parse().ok()?;
    (load > 1.5).then_some(load)
}

fn save(mut baseline: Figures, rows: &[Row], peers: Option<&Figures>) -> Outcome {
    baseline.take(rows);
    baseline.figures.sort_by_key(|row| {
        (row.size(), CASES.iter().position(|case| case.name() == row.case), row.case.clone())
    });
    baseline.write(&python::script("baseline.json"))?;
    document::write(&baseline, peers)
}

struct Bench {
    binary: PathBuf,
    runs: usize,
    seed: u64,
    /// The folder for plans.
    folder: tempfile::TempDir,
    /// For each planner, what the binary lacks for it.
    lacks: BTreeMap<&'static str, Option<String>>,
}

impl Bench {
    fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let binary = match &args.binary {
            // Commands run in a temporary folder, so the path must be absolute.
            Some(binary) => fs::canonicalize(binary)?,
            None => project::topicmappr(&["--release"])?,
        };
        let folder = tempfile::tempdir()?;
        let lacks = BTreeMap::new();
        Ok(Self { binary, runs: args.runs, seed: args.seed, folder, lacks })
    }

    fn line(&mut self, case: &Case, size: Size) -> Result<Line, Box<dyn Error>> {
        if let Some(lacks) = self.lacks(case.planner)? {
            return Ok(Line::NotInThisBuild { size, case: case.name(), lacks });
        }
        let cluster = Cluster::of(case.scenario, size, self.seed)?;
        eprintln!("{} {}", size.name(), case.name());
        let first = self.plan_file("first");
        let ended = measure::warm_up(&mut self.command(case, &cluster, &first))?;
        let code = ended.status.and_then(|status| status.code());
        let (cost, answer) = match code {
            Some(0) => self.rated(case, &cluster)?,
            Some(NO_PLAN) => {
                let right = case.no_room.contains(&size);
                let answer = Answer::NoPlan { no_plan: why(&ended), right };
                (self.measured(case, &cluster)?, answer)
            }
            _ => (ended.cost, Answer::NoPlan { no_plan: why(&ended), right: false }),
        };
        Ok(Line::Measured(Row {
            tool: OURS.to_owned(),
            size: size.name().to_owned(),
            case: case.name(),
            seconds: Some(rounded(cost.seconds, 4)),
            cpu_seconds: Some(rounded(cost.cpu_seconds, 4)),
            memory_mib: Some(rounded(cost.memory_mib, 1)),
            answer,
        }))
    }

    fn plan_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.json"))
    }

    fn command(&self, case: &Case, cluster: &Cluster, plan: &Path) -> Command {
        let args = cluster.fill(case.planner.words());
        let mut command = self.program();
        let (name, flags) = args.split_at(1);
        command.args(name).arg("--snapshot").arg(&cluster.file).args(flags);
        command.arg("--out-file").arg(plan).current_dir(self.folder.path()).stdout(Stdio::null());
        command
    }

    fn program(&self) -> Command {
        Command::new(&self.binary)
    }

    fn measured(&self, case: &Case, cluster: &Cluster) -> Result<Cost, Box<dyn Error>> {
        let again = self.plan_file("again");
        measure::several(self.runs, |_| self.command(case, cluster, &again), |_| Ok(()))
    }

    /// Rates the first run's output. Every other run must write the same.
    fn rated(&self, case: &Case, cluster: &Cluster) -> Result<(Cost, Answer), Box<dyn Error>> {
        let (first, again) = (self.plan_file("first"), self.plan_file("again"));
        let mut same = true;
        let cost = measure::several(
            self.runs,
            |_| self.command(case, cluster, &again),
            |_| {
                same &= measure::same(&first, &again)?;
                Ok(())
            },
        )?;
        let mut quality = score::score(&cluster.file, &first)?;
        if !same {
            let errors = quality.errors.into_iter().chain(["differs between runs".to_owned()]);
            quality = Quality { errors: Some(errors.collect::<Vec<_>>().join(" ")), ..quality };
        }
        fs::remove_file(&first)?;
        fs::remove_file(&again)?;
        Ok((cost, Answer::Plan(quality)))
    }

    /// The command or the flag that this binary does not have, because its help fails.
    fn lacks(&mut self, planner: &'static Planner) -> Result<Option<String>, Box<dyn Error>> {
        if let Some(known) = self.lacks.get(planner.name) {
            return Ok(known.clone());
        }
        let name = planner.args[0];
        let out = Command::new(&self.binary).args([name, "--help"]).output()?;
        let help = String::from_utf8_lossy(&out.stdout);
        let knows = |flag: &str| help.split([' ', '\n', ',', '[', '=']).any(|word| word == flag);
        let mut flags = planner.words().filter(|arg| arg.starts_with("--"));
        let lacks = if out.status.success() {
            flags.find(|flag| !knows(flag)).map(str::to_owned)
        } else {
            Some(name.to_owned())
        };
        self.lacks.insert(planner.name, lacks.clone());
        Ok(lacks)
    }
}

/// The first line of a process's output, and the meaning of an exit code other than the one for no plan.
fn why(ended: &Ended) -> String {
    let said = ended.stderr.lines().map(str::trim).find(|line| !line.is_empty());
    let said = said.unwrap_or("it says nothing").trim_start_matches("error: ");
    let said = said.trim_start_matches("no plan: ");
    match ended.status {
        None => "stopped: it takes too long".to_owned(),
        Some(status) if status.code() == Some(NO_PLAN) => said.to_owned(),
        Some(status) => format!("{status}: {said}"),
    }
}
