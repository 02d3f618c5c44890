//! `--maps`, `--map`: the maps that an operator wrote.

use crate::error::Error;
use crate::files::{self, FileError};
use mapper::maps::{self, MapSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Before the name of a ConfigMap: `configmap:NAMESPACE/NAME`.
const CONFIG_MAP: &str = "configmap:";

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
}

impl MapArgs {
    /// Names no map.
    pub(crate) fn is_empty(&self) -> bool {
        self.maps.is_none() && self.map.is_empty()
    }

    /// All maps that the flags bring, in order; each name once. `read` fetches the ConfigMap that `--maps` names.
    pub(crate) fn read(
        &self,
        read: impl FnOnce(&str) -> Result<Vec<Document>, Error>,
    ) -> Result<MapSet, Error> {
        let documents = match self.maps.as_deref() {
            None => Vec::new(),
            Some(place) => match place.strip_prefix(CONFIG_MAP) {
                Some(name) => read(name)?,
                None => in_files(Path::new(place))?,
            },
        };
        let parse = |document: &Document| MapSet::parse(&document.name, &document.text);
        let mut sets: Vec<MapSet> = documents.iter().map(parse).collect::<Result<_, _>>()?;
        if !self.map.is_empty() {
            let lines: Result<Vec<_>, _> =
                self.map.iter().map(|line| maps::parse_line("--map", line)).collect();
            sets.push(MapSet::new(lines?)?);
        }
        Ok(MapSet::merge(sets)?)
    }

    /// Maps stand in a ConfigMap: Kubernetes is at hand.
    pub(crate) fn are_in_config_map(&self) -> bool {
        self.maps.as_deref().is_some_and(|place| place.starts_with(CONFIG_MAP))
    }
}

/// A text of maps, and what errors call it.
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) text: String,
}

fn in_files(path: &Path) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    for path in paths(path)? {
        let (name, text) = (path.display().to_string(), files::read_text(&path)?);
        documents.push(Document { name, text });
    }
    Ok(documents)
}

/// The file itself, or the files of a folder by name.
fn paths(path: &Path) -> Result<Vec<PathBuf>, FileError> {
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
