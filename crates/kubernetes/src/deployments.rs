//! The replicas of Deployments.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::facts::Name;
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

impl Kubernetes {
    /// The replicas that a Deployment should have (`spec.replicas`); `None` if it does not exist. Right: `get
    /// deployments.apps/scale`, which shows nothing else of it.
    ///
    /// # Errors
    /// Why it could not be read.
    pub fn replicas_of_deployment<'a>(
        &'a self,
        name: &'a Name,
    ) -> BoxFuture<'a, Result<Option<u32>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("get", "deployments.apps/scale", name);
            let api: Api<Deployment> = Api::namespaced(self.client(), &name.namespace);
            let found = if_found(self.read(&request, || api.get_scale(&name.name)).await)?;
            Ok(found.map(|scale| {
                // The API leaves out a 0.
                let replicas = scale.spec.and_then(|spec| spec.replicas).unwrap_or_default();
                u32::try_from(replicas).unwrap_or_default()
            }))
        })
    }
}
