//! `--maps`, `--map`: the maps that an operator wrote.

use crate::error::Error;
use local::files::Document;
use mapper::maps::{self, MapSet};
use std::path::Path;

/// Before the name of a ConfigMap: `configmap:NAMESPACE/NAME`.
const CONFIG_MAP: &str = "configmap:";
/// What the files in a folder of maps end in.
const ENDINGS: [&str; 4] = ["yaml", "yml", "map", "maps"];

/// The flags that bring maps.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Maps")]
pub(crate) struct MapArgs {
    /// Read maps from a file, a folder or a ConfigMap
    #[arg(long, value_name = "FILE|DIR|configmap:NS/NAME", global = true)]
    maps: Option<String>,
    /// Add one map as a line: 'NAME: "REGEX" => TARGET'
    ///
    /// Repeat the flag for more maps.
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
                None => in_files(place)?,
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

    /// The flags that bring the same maps to another command, by flag and value.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let file = self.maps.iter().map(|place| ("--maps", place.clone()));
        file.chain(self.map.iter().map(|line| ("--map", line.clone()))).collect()
    }

    /// The ConfigMap that holds the maps.
    pub(crate) fn config_map(&self) -> Option<&str> {
        self.maps.as_deref()?.strip_prefix(CONFIG_MAP)
    }

    /// Whether the maps are in a ConfigMap, so that Kubernetes can be asked.
    pub(crate) fn are_in_config_map(&self) -> bool {
        self.maps.as_deref().is_some_and(|place| place.starts_with(CONFIG_MAP))
    }
}

/// Reads all documents; a place without any is an error.
fn in_files(place: &str) -> Result<Vec<Document>, Error> {
    let documents = Document::in_files(Path::new(place), &ENDINGS)?;
    if !documents.is_empty() {
        return Ok(documents);
    }
    let endings = ENDINGS.map(|ending| format!(".{ending}")).join(", ");
    Err(local::Error::flag(
        "--maps",
        place.to_owned(),
        format!("there is no file in it whose name ends in one of {endings}"),
    )
    .into())
}
