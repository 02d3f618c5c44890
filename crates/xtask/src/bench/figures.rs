//! Figures of one tool on one task, in the common format of our baseline and the peers' file.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cases::Size;

/// The tool name of our own figures.
pub(super) const OURS: &str = "topicmappr";

/// A file of figures.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) version: u32,
    /// Where the figures come from.
    pub(super) about: Vec<String>,
    pub(super) figures: Vec<Row>,
}

/// The cost of one task with one tool, and the quality of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) tool: String,
    pub(super) size: String,
    pub(super) case: String,
    /// From start to end of the process. Unknown for the peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cpu_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory_mib: Option<f64>,
    #[serde(flatten)]
    pub(super) answer: Answer,
}

/// A plan with its quality, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    NoPlan {
        no_plan: String,
        /// Whether this is the right answer, because there is no room.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        right: bool,
    },
    Plan(Quality),
}

/// The quality of a plan, in the scorer's terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Quality {
    /// The errors that make the plan invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) errors: Option<String>,
    pub(super) gib_moved: f64,
    pub(super) replicas_moved: u64,
    /// Bytes moved, divided by the least that any plan moves for the same balance. Absent if that least is zero and the
    /// plan moved something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) move_ratio: Option<f64>,
    /// Bytes moved, divided by the bound that the plan itself proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own_ratio: Option<f64>,
    /// The fullest broker divided by the mean, before and after, and the lowest possible value.
    pub(super) max_over_mean_before: f64,
    pub(super) max_over_mean: f64,
    pub(super) floor: f64,
    /// The largest deviations above and below a broker's target.
    pub(super) above: f64,
    pub(super) below: f64,
    /// The broker with the most leaders, divided by the mean.
    pub(super) leaders: f64,
}

impl Quality {
    /// How far the fullest broker is above the lowest possible value.
    pub(super) fn over_floor(&self) -> f64 {
        (self.max_over_mean / self.floor - 1.0).max(0.0)
    }
}

impl Row {
    pub(super) fn size(&self) -> Option<Size> {
        Size::named(&self.size)
    }

    /// Whether the plan keeps every promise.
    pub(super) fn is_valid(&self) -> bool {
        matches!(&self.answer, Answer::Plan(quality) if quality.errors.is_none())
    }

    /// Whether the plan breaks a promise, or is missing although one exists.
    pub(super) fn fails(&self) -> bool {
        match &self.answer {
            Answer::Plan(quality) => quality.errors.is_some(),
            Answer::NoPlan { right, .. } => !right,
        }
    }
}

impl Figures {
    pub(super) fn read(file: &Path) -> Result<Self, Box<dyn Error>> {
        let name = |why: &dyn Error| format!("{}: {why}", file.display());
        let text = fs::read_to_string(file).map_err(|why| name(&why))?;
        let figures: Self = serde_json::from_str(&text).map_err(|why| name(&why))?;
        if figures.version != 1 {
            return Err(format!("{}: version {}", file.display(), figures.version).into());
        }
        Ok(figures)
    }

    /// Writes each figure on its own line, so that a diff shows each changed figure.
    pub(super) fn write(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let about = serde_json::to_string_pretty(&self.about)?.replace('\n', "\n ");
        let rows: Result<Vec<String>, _> = self.figures.iter().map(serde_json::to_string).collect();
        let rows = rows?.join(",\n  ");
        let version = self.version;
        let text = format!(
            "{{\n \"version\": {version},\n \"about\": {about},\n \"figures\": [\n  {rows}\n ]\n}}\n"
        );
        Ok(fs::write(file, text)?)
    }

    pub(super) fn of(&self, size: Size, case: &str) -> impl Iterator<Item = &Row> {
        self.figures.iter().filter(move |row| row.size == size.name() && row.case == case)
    }

    /// Adds newer rows. Rows of other cases stay.
    pub(super) fn take(&mut self, rows: &[Row]) {
        for row in rows {
            let same = |old: &&mut Row| old.size == row.size && old.case == row.case;
            match self.figures.iter_mut().find(same) {
                Some(old) => *old = row.clone(),
                None => self.figures.push(row.clone()),
            }
        }
    }
}

/// Rounds to the digits that a reader can use, so that noise does not change committed figures.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10f64.powi(digits);
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::python;

    #[test]
    fn the_peers_figures_can_be_read_and_name_the_cases_that_we_measure() {
        let peers = Figures::read(&python::script("peers.json")).unwrap();
        assert_eq!(peers.figures.len(), 112);
        for case in &crate::bench::cases::CASES {
            for name in case.peers {
                assert!(peers.figures.iter().any(|row| row.case == *name), "{name}");
            }
        }
    }

    #[test]
    fn a_file_of_figures_reads_as_it_was_written() {
        let mut peers = Figures::read(&python::script("peers.json")).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        peers.write(file.path()).unwrap();
        assert_eq!(Figures::read(file.path()).unwrap().figures, peers.figures);

        let newer = Row { cpu_seconds: Some(9.0), ..peers.figures[3].clone() };
        peers.take(std::slice::from_ref(&newer));
        assert_eq!(peers.figures[3], newer);
        assert_eq!(peers.figures.len(), 112);
    }
}
