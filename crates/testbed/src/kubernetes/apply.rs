//! Applies manifests of any kind with server-side apply.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::Failure;

/// The manager of the fields that tests set.
const MANAGER: &str = "testbed";

/// Applies every document, in order.
pub(super) async fn all(client: Client, manifests: String) -> Result<(), Failure> {
    for document in serde_saphyr::from_multiple::<Value>(&manifests)? {
        if !document.is_null() {
            one(&client, serde_json::from_value(document)?).await?;
        }
    }
    Ok(())
}

/// Waits until the API server serves the kind that a CustomResourceDefinition describes.
pub(super) async fn until_served(client: Client, definition: &str) -> Result<(), Failure> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    await_condition(definitions, definition, conditions::is_crd_established()).await?;
    Ok(())
}

async fn one(client: &Client, object: DynamicObject) -> Result<(), Failure> {
    let types = object.types.clone().ok_or("a manifest without apiVersion and kind")?;
    let (resource, able) = pinned_kind(client, &GroupVersionKind::try_from(&types)?).await?;
    let api: Api<DynamicObject> = match able.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
            Api::namespaced_with(client.clone(), &namespace, &resource)
        }
    };
    // An unknown key is an error in the manifest, and must not be dropped silently.
    let how = PatchParams::apply(MANAGER).force().validation_strict();
    let name = object.name_any();
    let applied = api.patch(&name, &how, &Patch::Apply(object)).await;
    applied.map(drop).map_err(|why| format!("{} {name}: {why}", types.kind).into())
}
