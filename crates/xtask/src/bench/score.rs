//! The scorer's rating of a plan. The scorer shares neither code nor language with the planners.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::figures::{Quality, rounded};
use super::python;

/// How many bytes to read from a plan's end. The bound comes after the moves, and little follows it.
const TAIL: u64 = 1 << 20;

/// The scorer's output.
#[derive(Deserialize)]
struct Marks {
    valid: bool,
    errors: serde_json::Map<String, Value>,
    not_allowed_replicas_left: u64,
    bytes_moved: u64,
    gib_moved: f64,
    replicas_moved: u64,
    move_ratio: Option<f64>,
    max_over_mean_before: f64,
    max_over_mean: f64,
    balance_floor: f64,
    eps_hi: f64,
    eps_lo: f64,
    leaders: Spread,
}

#[derive(Deserialize)]
struct Spread {
    max_over_mean: f64,
}

/// Rates a plan.
pub(super) fn score(snapshot: &Path, plan: &Path) -> Result<Quality, Box<dyn Error>> {
    let out = python::command("score.py").arg(snapshot).arg(plan).output()?;
    if !out.status.success() {
        return Err(format!("score.py: {}", String::from_utf8_lossy(&out.stderr)).into());
    }
    let marks: Marks = serde_json::from_slice(&out.stdout)?;
    let bound = bound(plan)?.filter(|bound| *bound > 0);
    Ok(Quality {
        errors: marks.errors(),
        gib_moved: marks.gib_moved,
        replicas_moved: marks.replicas_moved,
        move_ratio: marks.move_ratio,
        own_ratio: bound.map(|bound| rounded(marks.bytes_moved as f64 / bound as f64, 5)),
        max_over_mean_before: marks.max_over_mean_before,
        max_over_mean: marks.max_over_mean,
        floor: marks.balance_floor,
        above: marks.eps_hi,
        below: marks.eps_lo,
        leaders: marks.leaders.max_over_mean,
    })
}

impl Marks {
    fn errors(&self) -> Option<String> {
        let mut errors: Vec<String> =
            self.errors.iter().map(|(name, count)| format!("{name}={count}")).collect();
        if self.not_allowed_replicas_left > 0 {
            errors.push(format!("not_allowed_replicas_left={}", self.not_allowed_replicas_left));
        }
        if !self.valid && errors.is_empty() {
            errors.push("invalid".to_owned());
        }
        (!errors.is_empty()).then(|| errors.join(" "))
    }
}

/// The `bound_bytes` of a plan file, read from its end. The memory that this process may use is too small for a whole
/// large plan.
fn bound(plan: &Path) -> Result<Option<u64>, Box<dyn Error>> {
    const KEY: &str = "\"bound_bytes\":";
    let mut file = File::open(plan)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let Some((_, number)) = tail.rsplit_once(KEY) else { return Ok(None) };
    let number = number.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    Ok(number[..end].parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SNAPSHOT: &str = r#"{"brokers": [
        {"id": 1, "rack": "a", "storage_total_bytes": 1000, "storage_free_bytes": 850},
        {"id": 2, "rack": "a", "storage_total_bytes": 1000, "storage_free_bytes": 950}],
        "topics": [{"name": "t", "partitions": [{"id": 0, "replicas": [1], "size_bytes": 50},
            {"id": 1, "replicas": [1], "size_bytes": 100}, {"id": 2, "replicas": [2], "size_bytes": 50}]}]}"#;

    fn rated(plan: &str) -> Quality {
        let folder = tempfile::tempdir().unwrap();
        let (s, p) = (folder.path().join("s"), folder.path().join("p"));
        fs::write(&s, SNAPSHOT).unwrap();
        fs::write(&p, plan).unwrap();
        score(&s, &p).unwrap()
    }

    #[test]
    fn a_plan_is_rated_by_the_scorer_and_by_its_own_bound() {
        let plan = r#"{"partitions": [{"topic": "t", "partition": 0, "replicas": [2]}],
            "plan": {"moves": [], "bound_bytes": 40, "solver": {}}}"#;
        let quality = rated(plan);
        assert_eq!(quality.errors, None);
        assert_eq!((quality.replicas_moved, quality.move_ratio), (1, Some(1.0)));
        assert_eq!(quality.own_ratio, Some(1.25));
        assert_eq!((quality.max_over_mean_before, quality.over_floor()), (1.5, 0.0));
    }

    #[test]
    fn what_breaks_a_promise_is_named() {
        let plan = r#"{"partitions": [{"topic": "t", "partition": 0, "replicas": [9]}]}"#;
        let errors = rated(plan).errors.unwrap();
        assert_eq!(errors, "dead_broker=1 new_rack_violation=1 not_allowed_replicas_left=1");
    }
}
