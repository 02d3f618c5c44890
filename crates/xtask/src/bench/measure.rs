//! Runs a program as a whole process and measures its cost, as an operator sees it.
//!
//! The figures are the kernel's own account of that child (`wait4`), so they are exact and not sampled. There is one
//! limit: a child starts with the peak memory of its parent. This process must therefore stay smaller than the measured
//! one, so it never reads a whole snapshot or plan.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use wait4::{ResUse, Wait4};

/// The longest run. A program that takes longer is stopped.
const LONGEST: Duration = Duration::from_secs(600);
/// A case whose runs took this long together is not run again.
const ENOUGH: Duration = Duration::from_secs(30);
const MIB: f64 = 1_048_576.0;

/// The cost of one process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    /// From start to end.
    pub(super) seconds: f64,
    /// User and system time of all threads.
    pub(super) cpu_seconds: f64,
    /// The peak of the resident memory.
    pub(super) memory_mib: f64,
}

/// How a process ended, and its output.
pub(super) struct Ended {
    /// `None`: it was stopped because it took too long.
    pub(super) status: Option<ExitStatus>,
    pub(super) cost: Cost,
    pub(super) stderr: String,
}

/// Runs a command once, up to the time limit.
pub(super) fn warm_up(command: &mut Command) -> Result<Ended, Box<dyn Error>> {
    ended(command, |mut child, start| {
        loop {
            if let Some(used) = child.try_wait4()? {
                return Ok((Some(used.status), used));
            }
            if start.elapsed() > LONGEST {
                child.kill()?;
                return Ok((None, child.wait4()?));
            }
            thread::sleep(Duration::from_millis(1));
        }
    })
}

/// Runs a command several times. Returns the median of the times and the largest of the peaks.
///
/// `after` inspects the result of each run.
pub(super) fn several(
    runs: usize,
    mut command: impl FnMut(usize) -> Command,
    mut after: impl FnMut(usize) -> Result<(), Box<dyn Error>>,
) -> Result<Cost, Box<dyn Error>> {
    let start = Instant::now();
    let mut costs = Vec::new();
    for run in 0..runs.max(1) {
        let ended = ended(&mut command(run), |child, _| {
            let used = child.wait4()?;
            Ok((Some(used.status), used))
        })?;
        costs.push(ended.cost);
        after(run)?;
        if start.elapsed() > ENOUGH {
            break;
        }
    }
    Ok(together(&costs))
}

fn ended(
    command: &mut Command,
    wait: impl FnOnce(Child, Instant) -> std::io::Result<(Option<ExitStatus>, ResUse)>,
) -> Result<Ended, Box<dyn Error>> {
    // A file, not a pipe: the child must not block on a reader.
    let mut stderr = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stderr(stderr.try_clone()?);
    let start = Instant::now();
    let child = command.spawn()?;
    let (status, used) = wait(child, start)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut said = String::new();
    stderr.seek(SeekFrom::Start(0))?;
    stderr.read_to_string(&mut said)?;
    let cost = Cost {
        seconds,
        cpu_seconds: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        memory_mib: used.rusage.maxrss as f64 / MIB,
    };
    Ok(Ended { status, cost, stderr: said })
}

/// The median of the times, the largest of the peaks.
pub(super) fn together(costs: &[Cost]) -> Cost {
    let all = |of: fn(&Cost) -> f64| costs.iter().map(of).collect::<Vec<f64>>();
    Cost {
        seconds: median(all(|cost| cost.seconds)),
        cpu_seconds: median(all(|cost| cost.cpu_seconds)),
        memory_mib: all(|cost| cost.memory_mib).into_iter().fold(0.0, f64::max),
    }
}

/// The middle value. For an even number, the lower of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

/// Whether two files hold the same bytes.
pub(super) fn same(a: &Path, b: &Path) -> Result<bool, Box<dyn Error>> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut of_a, mut of_b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = a.read(&mut of_a)?;
        if count == 0 {
            return Ok(true);
        }
        b.read_exact(&mut of_b[..count])?;
        if of_a[..count] != of_b[..count] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_is_charged_with_what_it_took_and_not_with_more() {
        let quick = warm_up(&mut shell("exit 3")).unwrap();
        assert_eq!(quick.status.unwrap().code(), Some(3));
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done >&2";
        let busy = warm_up(&mut shell(busy)).unwrap();
        assert!(busy.cost.cpu_seconds > 10.0 * quick.cost.cpu_seconds.max(0.001));
        assert!(busy.cost.seconds >= 0.5 * busy.cost.cpu_seconds);
        assert_eq!(busy.stderr, "done\n");
    }

    #[test]
    fn costs_of_several_runs_are_their_median_and_their_peak() {
        let cost = |seconds| Cost { seconds, cpu_seconds: 2.0 * seconds, memory_mib: seconds };
        let costs = [cost(3.0), cost(1.0), cost(9.0)];
        let together = together(&costs);
        assert_eq!((together.seconds, together.cpu_seconds, together.memory_mib), (3.0, 6.0, 9.0));
    }
}
