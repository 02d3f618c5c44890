//! Development tasks: `cargo xtask doctor|test|demo|bench|house|licences`. One file per task.

mod bench;
mod demo;
mod doctor;
mod house;
mod licences;
mod project;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Name what is missing on this machine, and the command that installs it.
    Doctor,
    /// Run every test: the fast ones, and the live ones on servers started for them.
    Test(test::Args),
    /// Lose a broker of a real cluster, plan its repair, let Kafka's own tool carry it out.
    Demo(demo::Args),
    /// Write down whose code the programs hold, under which licences, with the texts.
    Licences(licences::Args),
    /// Count how hard the project is to live in, and fail where a count is over its ceiling.
    House,
    /// Plan seeded clusters of every size, rate the plans, compare times and memory.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Doctor => doctor::run(),
        Task::Test(args) => test::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Licences(args) => licences::run(&args),
        Task::House => house::run(),
        Task::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            let mut cause = why.source();
            while let Some(why) = cause {
                eprintln!("  {why}");
                cause = why.source();
            }
            ExitCode::FAILURE
        }
    }
}
