//! ConfigMaps: read, list, and write them only if they have not changed since they were read.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::facts::{Keys, Name};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap as Object;
use kube::Api;
use kube::api::PostParams;

const RESOURCE: &str = "configmaps";

/// A ConfigMap at the time of reading.
#[derive(Debug, Clone)]
pub struct ConfigMap {
    /// Its namespace and name.
    pub name: Name,
    /// Its texts by key.
    pub data: Keys,
    /// Keys with binary values (`binaryData`). This program does not read them.
    pub binary: Vec<String>,
    object: Object,
}

impl ConfigMap {
    /// Its `resourceVersion`, which changes with each write by any client.
    pub fn version(&self) -> &str {
        self.object.metadata.resource_version.as_deref().unwrap_or_default()
    }

    /// Its uid, which distinguishes it from earlier or later ConfigMaps with the same name.
    pub fn uid(&self) -> Option<&str> {
        self.object.metadata.uid.as_deref()
    }
}

impl From<Object> for ConfigMap {
    fn from(object: Object) -> Self {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let name =
            Name { namespace: text(&object.metadata.namespace), name: text(&object.metadata.name) };
        Self {
            name,
            data: object.data.clone().unwrap_or_default(),
            binary: object.binary_data.iter().flat_map(|data| data.keys().cloned()).collect(),
            object,
        }
    }
}

impl Kubernetes {
    /// One ConfigMap, if it exists. Right: `get configmaps`.
    ///
    /// # Errors
    /// Why it could not be read.
    pub fn config_map<'a>(
        &'a self,
        name: &'a Name,
    ) -> BoxFuture<'a, Result<Option<ConfigMap>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("get", RESOURCE, name);
            let api: Api<Object> = Api::namespaced(self.client(), &name.namespace);
            let found = if_found(self.read(&request, || api.get(&name.name)).await)?;
            Ok(found.map(ConfigMap::from))
        })
    }

    /// The ConfigMaps of a namespace that `selector` (`app=topics`) selects, sorted by name. Right: `list configmaps`.
    ///
    /// # Errors
    /// Why they could not be read.
    pub fn config_maps<'a>(
        &'a self,
        namespace: &'a str,
        selector: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ConfigMap>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about_all("list", RESOURCE, Some(namespace));
            let api: Api<Object> = Api::namespaced(self.client(), namespace);
            let found = self.list(&api, &request, Some(selector)).await?;
            let mut found: Vec<ConfigMap> = found.into_iter().map(ConfigMap::from).collect();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        })
    }

    /// Creates a ConfigMap. Right: `create configmaps`. Sent once.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it exists already.
    pub fn create_config_map<'a>(
        &'a self,
        name: &'a Name,
        labels: &'a Keys,
        data: Keys,
    ) -> BoxFuture<'a, Result<ConfigMap, Error>> {
        Box::pin(async move {
            let mut object = Object { data: Some(data), ..Object::default() };
            object.metadata.name = Some(name.name.clone());
            object.metadata.namespace = Some(name.namespace.clone());
            object.metadata.labels = Some(labels.clone());
            let request = ApiRequest::about("create", RESOURCE, name);
            let api: Api<Object> = Api::namespaced(self.client(), &name.namespace);
            Ok(self.send(&request, api.create(&PostParams::default(), &object)).await?.into())
        })
    }

    /// Replaces a ConfigMap's data if it has not changed since it was read. Right: `update configmaps`. Sent once.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another client has changed it since.
    pub fn replace_config_map<'a>(
        &'a self,
        read: &'a ConfigMap,
        data: Keys,
    ) -> BoxFuture<'a, Result<ConfigMap, Error>> {
        Box::pin(async move {
            let mut object = read.object.clone();
            object.data = Some(data);
            let request = ApiRequest::about("update", RESOURCE, &read.name);
            let api: Api<Object> = Api::namespaced(self.client(), &read.name.namespace);
            let params = PostParams::default();
            Ok(self.send(&request, api.replace(&read.name.name, &params, &object)).await?.into())
        })
    }
}
