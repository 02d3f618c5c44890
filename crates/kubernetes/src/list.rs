//! Complete lists, read page by page.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error};
use kube::Api;
use kube::api::{ListParams, ObjectList, PartialObjectMeta};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The page size that kubectl uses.
const PAGE: u32 = 500;
/// How often a list starts again because the API dropped its continue token. After that, something else is wrong.
const ATTEMPTS: u32 = 3;

impl Kubernetes {
    /// Every object of `api` with these labels.
    pub(crate) async fn list<K>(
        &self,
        api: &Api<K>,
        request: &ApiRequest,
        labels: Option<&str>,
    ) -> Result<Vec<K>, Error>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let wanted = ListParams { label_selector: labels.map(str::to_owned), ..first_page() };
        self.pages(request, wanted, |params| async move { api.list(&params).await }).await
    }

    /// The metadata of every object of `api` with these fields.
    pub(crate) async fn list_metadata<K>(
        &self,
        api: &Api<K>,
        request: &ApiRequest,
        fields: Option<&str>,
    ) -> Result<Vec<PartialObjectMeta<K>>, Error>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let wanted = ListParams { field_selector: fields.map(str::to_owned), ..first_page() };
        self.pages(request, wanted, |params| async move { api.list_metadata(&params).await }).await
    }

    async fn pages<K, F>(
        &self,
        request: &ApiRequest,
        first: ListParams,
        page: impl Fn(ListParams) -> F,
    ) -> Result<Vec<K>, Error>
    where
        K: Clone,
        F: Future<Output = Result<ObjectList<K>, kube::Error>>,
    {
        let mut attempt = 1;
        let (mut params, mut found) = (first.clone(), Vec::new());
        loop {
            match self.read(request, || page(params.clone())).await {
                Ok(list) => {
                    found.extend(list.items);
                    match list.metadata.continue_.filter(|token| !token.is_empty()) {
                        Some(token) => params = first.clone().continue_token(&token),
                        None => return Ok(found),
                    }
                }
                Err(error) if error.is_expired() && attempt < ATTEMPTS => {
                    attempt += 1;
                    params = first.clone();
                    found.clear();
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn first_page() -> ListParams {
    ListParams::default().limit(PAGE)
}
