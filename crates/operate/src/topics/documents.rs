//! Reads definition documents: files, folders of files, and ConfigMaps by label.

use super::store::STATE_LABEL;
use crate::error::Error;
use crate::files::Document;
use ::kubernetes::{Access, Kubernetes};
use coordination::RECORDS_KEY;
use std::path::PathBuf;
use topics::Definitions;

/// Reads these files, and the `.yaml` and `.yml` files in these folders, sorted by name.
pub fn in_files(paths: &[PathBuf]) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    for path in paths {
        documents.extend(Document::in_files(path, &["yaml", "yml"])?);
    }
    Ok(documents)
}

/// Reads the documents of the ConfigMaps that match a selector, one for each key.
pub async fn in_config_maps(access: &Access, selector: &str) -> Result<Vec<Document>, Error> {
    let kubernetes = Kubernetes::connect(access).await?;
    let mut documents = Vec::new();
    for found in kubernetes.config_maps(kubernetes.namespace(), selector).await? {
        let place = format!("configmap:{}", found.name);
        if let Some(key) = found.binary.first() {
            let problem = format!("the value of {key} in {place} is binary, not text");
            let (flag, value) = ("--configmap-selector", selector.to_owned());
            return Err(local::Error::flag(flag, value, problem).into());
        }
        // A wide selector such as `managed-by=...` may match this program's own ConfigMaps, which are skipped.
        if ![STATE_LABEL, RECORDS_KEY].iter().any(|key| found.data.contains_key(*key)) {
            let data = found.data.into_iter();
            documents
                .extend(data.map(|(key, text)| Document { name: format!("{place}/{key}"), text }));
        }
    }
    Ok(documents)
}

/// Parses all documents as one set of definitions.
pub fn read_all(documents: &[Document]) -> Result<Definitions, Error> {
    let texts = documents.iter().map(|document| (document.name.as_str(), document.text.as_str()));
    Definitions::read(texts).map_err(Error::Definitions)
}
