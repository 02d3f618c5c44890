//! `--forced`: where the operator lists what counts as ready by force.

use ::kubernetes::Access;
use operate::files::Document;
use operate::pods::config_map;
use operate::probes::{Forces, Subject, in_documents};
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

const CONFIG_MAP: &str = "configmap:";
const ENDINGS: [&str; 2] = ["yaml", "yml"];
/// The longest wait for Kubernetes; a probe then goes on without its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The flag.
#[derive(Debug, clap::Args)]
pub(crate) struct ForcedArgs {
    /// Read from a file or ConfigMap what counts as ready by force
    ///
    /// Its YAML entries are "cluster|map.NAME|broker.ID|pod.NAME: UNTIL REASON". The annotation force-ready of a pod
    /// or StatefulSet has the same effect.
    #[arg(long, value_name = "FILE|configmap:NS/NAME")]
    forced: Option<String>,
}

impl ForcedArgs {
    /// The entries for the subject, or for all subjects. Entries that cannot be read force nothing, so that a probe
    /// still answers.
    pub(crate) async fn read(&self, subject: Option<&Subject>, access: &Access) -> Forces {
        let Some(place) = self.forced.as_deref() else { return Forces::default() };
        let documents = match place.strip_prefix(CONFIG_MAP) {
            // There being none is the usual state.
            None if !Path::new(place).exists() => Ok(Vec::new()),
            None => Document::in_files(Path::new(place), &ENDINGS).map_err(|e| e.to_string()),
            Some(name) => match timeout(PATIENCE, config_map(access, name)).await {
                Ok(read) => read.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            },
        };
        match documents {
            Ok(documents) => in_documents(&documents, subject),
            Err(problem) => {
                Forces { found: Vec::new(), broken: vec![format!("{place}: {problem}")] }
            }
        }
    }
}
