//! Stores what `heal` remembers between runs, in a file or a ConfigMap. A ConfigMap is written only if it has not
//! changed since it was read.

use crate::error::Error;
use crate::record_place::{RecordPlace, read_file, write_file};
use ::kubernetes::{About, Access, ConfigMap, Kubernetes, in_time};
use execute::heal::Notes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

const KEY: &str = "heal.json";
const VERSION: u32 = 1;
/// The time limit to write an Event.
const TOLD: Duration = Duration::from_secs(5);

/// Writes an Event on the ConfigMap of the notes, for operators who describe it or watch Events. Notes in a file have
/// no Events. A failed Event is only logged.
pub async fn announce(place: &RecordPlace, access: &Access, reason: &str, note: &str) {
    let RecordPlace::ConfigMap(name) = place else { return };
    let told = async {
        let kubernetes = Kubernetes::connect(access).await?;
        let name = name.within(kubernetes.namespace());
        let Some(map) = kubernetes.config_map(&name).await? else { return Ok(()) };
        let announcer = kubernetes.announcer("topicmappr", "heal", About::config_map(&map));
        announcer.tell(reason, note).await
    };
    in_time(TOLD, reason, told).await;
}

/// The place of the notes, with the version that was read. The connection to Kubernetes ends with the runtime that it was
/// created in, so a write opens a new one.
pub struct StoredNotes {
    /// A ConfigMap has its namespace here.
    place: RecordPlace,
    /// The ConfigMap that was read; `None`: there was none, and a write creates it.
    read: Option<ConfigMap>,
}

impl StoredNotes {
    /// Reads the notes; missing notes are no error.
    pub async fn open(place: &RecordPlace, access: &Access) -> Result<(Self, Notes), Error> {
        let (opened, text) = match place {
            RecordPlace::File(path) => {
                (Self { place: place.clone(), read: None }, read_file(path)?)
            }
            RecordPlace::ConfigMap(name) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let name = name.within(kubernetes.namespace());
                let read = kubernetes.config_map(&name).await?;
                let text = read.as_ref().and_then(|map| map.data.get(KEY).cloned());
                (Self { place: RecordPlace::ConfigMap(name), read }, text)
            }
        };
        let notes = text.map(|text| parse(place, &text)).transpose()?.unwrap_or_default();
        Ok((opened, notes))
    }

    /// Writes the notes.
    pub async fn write(self, notes: &Notes, access: &Access) -> Result<(), Error> {
        let text = written(notes).map_err(io::Error::from).map_err(local::Error::Stream)?;
        match (self.place, self.read) {
            (RecordPlace::File(path), _) => write_file(&path, &text)?,
            (RecordPlace::ConfigMap(name), None) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let data = [(KEY.to_owned(), text)].into();
                kubernetes.create_config_map(&name, &BTreeMap::new(), data).await?;
            }
            (RecordPlace::ConfigMap(_), Some(read)) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let mut data = read.data.clone();
                data.insert(KEY.to_owned(), text);
                kubernetes.replace_config_map(&read, data).await?;
            }
        }
        Ok(())
    }
}

fn written(notes: &Notes) -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(notes)?;
    document["version"] = json!(VERSION);
    serde_json::to_string_pretty(&document)
}

fn parse(place: &RecordPlace, text: &str) -> Result<Notes, Error> {
    let wrong =
        |problem: String| Error::from(local::Error::flag("--notes", place.to_string(), problem));
    let document: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if document["version"] != VERSION {
        let version = &document["version"];
        return Err(wrong(format!("version {version} is none that this program reads")));
    }
    // The notes always have this key. Every other file of this program has a version as well, so a version alone does
    // not identify notes.
    if document.get("lost_since_seconds").is_none() {
        return Err(wrong("these are not the notes of heal".to_owned()));
    }
    serde_json::from_value(document).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::BrokerId;
    use std::path::PathBuf;

    #[test]
    fn what_is_noted_is_read_back_and_other_versions_are_not() {
        let place = RecordPlace::File(PathBuf::from("notes"));
        let notes = Notes {
            cluster_id: "c".to_owned(),
            looked_at_seconds: Some(6),
            lost_since_seconds: [(BrokerId(1003), 5)].into(),
            healed_at_seconds: Some(7),
        };
        let text = written(&notes).unwrap();
        assert_eq!(parse(&place, &text).unwrap(), notes);
        assert!(parse(&place, &text.replace("\"version\": 1", "\"version\": 2")).is_err());
        assert!(parse(&place, "{}").is_err());
        let plan = r#"{"version":1,"cluster_id":"c","partitions":[]}"#;
        assert!(parse(&place, plan).unwrap_err().to_string().contains("not the notes of heal"));
    }
}
