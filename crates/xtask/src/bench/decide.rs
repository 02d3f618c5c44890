//! How long the daemon takes to decide one round of a large cluster.

use std::error::Error;
use std::process::Stdio;

use serde::Deserialize;

use crate::project::{self, Outcome};

/// Its name among the cases.
pub(super) const NAME: &str = "decide";
/// In milliseconds.
const GOAL: f64 = 50.0;

#[derive(Deserialize)]
struct Figures {
    best_milliseconds: f64,
    median_milliseconds: f64,
}

pub(super) fn run() -> Outcome {
    let Figures { best_milliseconds: best, median_milliseconds: median } = measured()?;
    let mark = if best > GOAL { " !" } else { "" };
    println!(
        "autothrottle decides a round (500 brokers, 20,000 partitions on the move) in {best} ms at best, {median} ms in \
         the median; goal {GOAL} ms{mark}"
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
    let line = text.lines().find(|line| line.starts_with('{'));
    Ok(serde_json::from_str(line.ok_or("the benchmark printed no figures")?)?)
}
