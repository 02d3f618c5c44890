//! Development tasks: `cargo xtask doctor|test|demo|bench|dist|house|licences|pictures`. One file per task.

mod bench;
mod demo;
mod disk;
mod dist;
mod doctor;
mod house;
mod licences;
mod pictures;
mod project;
mod shipped;
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
    /// List what is missing on this machine, with the commands that install it.
    Doctor,
    /// Run every test: the fast ones, and the live ones on servers that it starts.
    Test(test::Args),
    /// Lose a broker of a real cluster, plan its repair, and let Kafka's own tool carry it out.
    Demo(demo::Args),
    /// Make what is installed: an archive, a Debian package, an image, checksums and a bill of materials.
    Dist,
    /// List the third-party code in the programs, with its licences and their texts.
    Licences(licences::Args),
    /// Make the pictures of docs/ again, from real runs.
    Pictures(pictures::Args),
    /// Measure how hard the project is to maintain; fail if a count is over its ceiling.
    House,
    /// Plan seeded clusters of every size, rate the plans, and compare times and memory.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Doctor => doctor::run(),
        Task::Test(args) => test::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Dist => dist::run(),
        Task::Licences(args) => licences::run(&args),
        Task::Pictures(args) => pictures::run(&args),
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
