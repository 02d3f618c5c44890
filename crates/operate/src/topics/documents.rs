//! Reads definition documents: files, folders of files, and ConfigMaps by label. And the Deployments that they name.

use super::store::STATE_LABEL;
use crate::error::Error;
use crate::files::Document;
use ::kubernetes::{Access, Kubernetes, Name};
use coordination::RECORDS_KEY;
use std::path::PathBuf;
use topics::{Definitions, DeploymentReplicas};

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

/// Reads the replicas of the Deployments that definitions name. Without such a definition, Kubernetes is not asked.
pub async fn replicas(
    access: &Access,
    definitions: &Definitions,
) -> Result<DeploymentReplicas, Error> {
    let mut replicas = DeploymentReplicas::new();
    let named = definitions.deployments();
    if named.is_empty() {
        return Ok(replicas);
    }
    let kubernetes = Kubernetes::connect(access).await?;
    for deployment in named {
        let name = Name::new(&deployment.namespace, &deployment.name);
        let found = kubernetes.replicas_of_deployment(&name).await?;
        replicas.extend(found.map(|found| (deployment.clone(), found)));
    }
    Ok(replicas)
}
