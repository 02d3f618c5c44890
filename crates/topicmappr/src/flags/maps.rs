//! `--maps`, `--map`: the maps that an operator wrote.

use crate::error::Error;
use crate::files::{self, FileError};
use mapper::maps::{self, MapSet};
use std::fs;
use std::path::{Path, PathBuf};

const KUBERNETES: &str = "Kubernetes resolver";

/// The flags that bring maps.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Maps")]
pub(crate) struct MapArgs {
    /// Maps: a file, a folder of them, or a ConfigMap
    #[arg(long, value_name = "FILE|DIR|configmap:NS/NAME", global = true)]
    maps: Option<String>,
    /// One map in a line, 'NAME: "REGEX" => TARGET'; repeatable
    #[arg(long, value_name = "LINE", global = true)]
    map: Vec<String>,
    /// Kubernetes context of ConfigMaps and StatefulSets
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,
    /// Kubernetes namespace for names that carry none
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Option<String>,
}

impl MapArgs {
    /// Names no map.
    pub(crate) fn is_empty(&self) -> bool {
        self.maps.is_none() && self.map.is_empty()
    }

    /// All maps that the flags bring, in order; each name once.
    pub(crate) fn read(&self) -> Result<MapSet, Error> {
        let mut sets = Vec::new();
        match self.maps.as_deref() {
            Some(name) if name.starts_with("configmap:") => {
                return Err(Error::NotBuilt { what: format!("--maps {name}"), needs: KUBERNETES });
            }
            Some(path) => {
                for path in documents(Path::new(path))? {
                    let text = files::read_text(&path)?;
                    sets.push(MapSet::parse(&path.display().to_string(), &text)?);
                }
            }
            None => {}
        }
        if !self.map.is_empty() {
            let lines: Result<Vec<_>, _> =
                self.map.iter().map(|line| maps::parse_line("--map", line)).collect();
            sets.push(MapSet::new(lines?)?);
        }
        Ok(MapSet::merge(sets)?)
    }
}

/// The file itself, or the files of a folder by name.
fn documents(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |problem| FileError::Read { path: path.to_owned(), problem };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().and_then(|e| e.to_str());
        if matches!(extension, Some("yaml" | "yml" | "map" | "maps")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
