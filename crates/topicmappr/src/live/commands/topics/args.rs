//! The flags that `apply` and `diff` share: definitions, state, and the topics of the run.

use crate::error::Error;
use crate::live::flags::patterns;
use crate::session::Session;
use ::kubernetes::Name;
use ::topics::Options;
use mapper::scope::TopicPattern;
use operate::cluster::Source;
use operate::maps::Maps;
use operate::pods::Pods;
use operate::record_place::RecordPlace;
use operate::runtime;
use operate::topics::{self, TopicsRun};
use std::path::{Path, PathBuf};

/// The flags of definitions.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Definitions")]
pub(super) struct DefinitionArgs {
    /// Read topic definitions from a file or a folder; repeatable
    ///
    /// In a folder, the .yaml files are read.
    #[arg(long, value_name = "FILE|DIR")]
    file: Vec<PathBuf>,
    /// Read topic definitions from the ConfigMaps with these labels
    ///
    /// Each key of a ConfigMap holds one document.
    #[arg(long, value_name = "KEY=VALUE,...")]
    configmap_selector: Option<String>,
    /// Restrict the run to topics that match these regexes
    ///
    /// A regex matches whole names. All definitions are checked anyway.
    #[arg(long, value_name = "REGEX,...")]
    only: Vec<String>,
    /// Keep the record of earlier runs here; none: keep no record
    ///
    /// Without a record, no topic is owned. Default: FILE.state, or with ConfigMaps configmap:topicmappr-state.
    #[arg(long, value_name = "FILE|configmap:NS/NAME|none")]
    state: Option<String>,
    /// Create deleted topics again if an earlier run created them
    #[arg(long)]
    recreate: bool,
}

impl DefinitionArgs {
    /// Reads the definitions and the maps.
    pub(super) fn asked(
        &self,
        source: &Source,
        session: &Session<'_, '_>,
    ) -> Result<TopicsRun, Error> {
        if self.file.is_empty() && self.configmap_selector.is_none() {
            let message =
                "this command needs definitions: --file FILE, or --configmap-selector KEY=VALUE";
            return Err(Error::flags(message));
        }
        if session.global.maps.is_empty() {
            let message = "this command needs maps, which say where topics go: --maps FILE";
            return Err(Error::flags(message));
        }
        let access = session.global.kubernetes.access(session.environment);
        let mut documents = topics::in_files(&self.file)?;
        if let Some(selector) = &self.configmap_selector {
            documents.extend(runtime::wait(topics::in_config_maps(&access, selector))??);
        }
        let definitions = topics::read_all(&documents)?;
        let replicas = runtime::wait(topics::replicas(&access, &definitions))??;
        let set = session.map_set()?;
        let pods = session.found_pods(&set, Some(source))?;
        let groups = pods.as_ref().map(Pods::groups).unwrap_or_default();
        Ok(TopicsRun {
            definitions,
            replicas,
            maps: Maps::new(set, groups),
            pods,
            options: Options { only: self.only()?, recreate: self.recreate, prune: None },
            state: self.state_place()?,
            access,
            documents: None,
            plan_wanted: false,
        })
    }

    fn only(&self) -> Result<Vec<TopicPattern>, Error> {
        patterns("--only", &self.only)
    }

    fn state_place(&self) -> Result<Option<RecordPlace>, Error> {
        let place = match (self.state.as_deref(), self.file.first()) {
            (Some("none"), _) => return Ok(None),
            (Some(""), _) => {
                return Err(Error::flags(
                    "--state needs FILE, configmap:NS/NAME, or none".to_owned(),
                ));
            }
            (Some(place), _) => place.into(),
            (None, Some(first)) if self.configmap_selector.is_none() => {
                RecordPlace::File(beside(first))
            }
            (None, _) => RecordPlace::ConfigMap(Name::new("", STATE)),
        };
        Ok(Some(place))
    }
}

/// The ConfigMap of the state, next to those of definitions.
const STATE: &str = "topicmappr-state";

/// `T.yaml.state` for `T.yaml`. For a folder it is a file next to it, so that it is not read as a definition.
fn beside(first: &Path) -> PathBuf {
    let text = first.as_os_str().to_string_lossy();
    PathBuf::from(format!("{}.state", text.trim_end_matches('/')))
}
