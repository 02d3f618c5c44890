//! Measures how long the daemon takes to decide one round of a large cluster.

use std::error::Error;
use std::process::Stdio;

use crate::project::{self, Outcome};

/// Its name among the cases.
pub(super) const NAME: &str = "decide";
/// In milliseconds.
const GOAL: f64 = 50.0;

#[derive(Debug, PartialEq)]
struct Figures {
    best_milliseconds: f64,
    median_milliseconds: f64,
}

pub(super) fn run() -> Outcome {
    let Figures { best_milliseconds: best, median_milliseconds: median } = measured()?;
    let mark = if best > GOAL { " !" } else { "" };
    println!(
        "autothrottle decides a round (500 brokers, 20,000 partitions on the move) in {best:.1} ms at best, {median:.1} ms \
         in the median; goal {GOAL} ms{mark}"
    );
    Ok(())
}

fn measured() -> Result<Figures, Box<dyn Error>> {
    let mut command =
        project::cargo(["bench", "--quiet", "--package", "mappr-throttle", "--bench", "decide"]);
    let out = command.stderr(Stdio::inherit()).output()?;
    if !out.status.success() {
        return Err(format!("cargo bench failed ({})", out.status).into());
    }
    let text = String::from_utf8(out.stdout)?;
    Ok(figures(&text).ok_or("the benchmark printed no figures")?)
}

/// Reads divan's table, which has the columns fastest, slowest, median and more.
fn figures(table: &str) -> Option<Figures> {
    let line = table.lines().find(|line| line.contains("─ round"))?;
    let mut columns = line.split('│');
    let best_milliseconds = milliseconds(columns.next()?.split("─ round").nth(1)?)?;
    let median_milliseconds = milliseconds(columns.nth(1)?)?;
    Some(Figures { best_milliseconds, median_milliseconds })
}

/// Parses `12.3 ms`, with any unit that divan uses.
fn milliseconds(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let in_one = match unit {
        "ns" => 1e6,
        "µs" => 1e3,
        "ms" => 1.0,
        "s" => 1e-3,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number / in_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_and_the_median_are_read() {
        let table = "Timer precision: 20 ns\n\
             decide    fastest       │ slowest       │ median        │ mean          │ samples │ iters\n\
             ╰─ round  900.5 µs      │ 1.03 s        │ 31.5 ms       │ 33.2 ms       │ 101     │ 101\n";
        let figures = figures(table).unwrap();
        assert_eq!(figures, Figures { best_milliseconds: 0.9005, median_milliseconds: 31.5 });
        assert_eq!(milliseconds("12 parsecs"), None);
    }
}
