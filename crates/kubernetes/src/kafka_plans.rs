//! `KafkaPlan`: a custom resource that shows what `keep` proposes, and takes an operator's answer as an annotation.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error};
use crate::facts::Name;
use futures::future::BoxFuture;
use futures::{StreamExt, pin_mut};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::future::pending;

const GROUP: &str = "topicmappr.io";
const API_VERSION: &str = "v1alpha1";
const KIND: &str = "KafkaPlan";
const PLURAL: &str = "kafkaplans";
const RESOURCE: &str = "kafkaplans.topicmappr.io";
const STATUS: &str = "kafkaplans.topicmappr.io/status";
/// The label with the name of the notes of `keep`: several may run in one namespace.
const KEEP: &str = "topicmappr.io/keep";
/// In the name of server-side apply.
const MANAGER: &str = "topicmappr";

/// The annotations by which an operator answers. The value is a plan's id.
const ANSWERS: [&str; 2] = ["approve", "reject"];

/// A `KafkaPlan` as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaPlan {
    /// Its namespace and name.
    pub name: Name,
    /// The id of the plan that may be carried out.
    pub approved: Option<String>,
    /// The id of the plan that may not.
    pub rejected: Option<String>,
    /// What it shows.
    pub status: Value,
}

impl KafkaPlan {
    fn of(object: &DynamicObject, namespace: &str) -> Self {
        let [approved, rejected] = ANSWERS.map(|key| object.annotations().get(key).cloned());
        let status = object.data.get("status").cloned().unwrap_or_default();
        Self { name: Name::new(namespace, &object.name_any()), approved, rejected, status }
    }

    fn answers(&self) -> [Option<&str>; 2] {
        [self.approved.as_deref(), self.rejected.as_deref()]
    }

    /// The name of the object for a need, from the name of the notes.
    pub fn name_for(notes: &Name, need: &str) -> Name {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let need: String = need.chars().map(plain).collect();
        Name::new(&notes.namespace, &format!("{}-{need}", notes.name))
    }
}

impl Kubernetes {
    fn plans_api(&self, namespace: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(GROUP, API_VERSION, KIND);
        let resource = ApiResource::from_gvk_with_plural(&kind, PLURAL);
        Api::namespaced_with(self.client(), namespace, &resource)
    }

    /// The objects of one `keep`, by the name of its notes. Right: `list kafkaplans`.
    ///
    /// # Errors
    /// Why they could not be read.
    pub fn kafka_plans<'a>(
        &'a self,
        notes: &'a Name,
    ) -> BoxFuture<'a, Result<Vec<KafkaPlan>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about_all("list", RESOURCE, Some(&notes.namespace));
            let api = self.plans_api(&notes.namespace);
            let found = self.list(&api, &request, Some(&selector(notes))).await?;
            Ok(found.iter().map(|object| KafkaPlan::of(object, &notes.namespace)).collect())
        })
    }

    /// Shows a need and what becomes of it. Right: `create`, `patch kafkaplans`, `patch
    /// kafkaplans/status`.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn show_kafka_plan<'a>(
        &'a self,
        notes: &'a Name,
        need: &'a str,
        status: &'a Value,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let name = KafkaPlan::name_for(notes, need);
            let api = self.plans_api(&notes.namespace);
            let params = PatchParams::apply(MANAGER).force();
            let object = |mut rest: Value| {
                rest["apiVersion"] = json!(format!("{GROUP}/{API_VERSION}"));
                rest["kind"] = json!(KIND);
                Patch::Apply(rest)
            };
            let metadata = json!({"name": name.name, "labels": {KEEP: notes.name}});
            let spec = object(json!({"metadata": metadata, "spec": {"need": need}}));
            let request = ApiRequest::about("patch", RESOURCE, &name);
            self.send(&request, api.patch(&name.name, &params, &spec)).await?;
            let shown = object(json!({"metadata": {"name": name.name}, "status": status}));
            let request = ApiRequest::about("patch", STATUS, &name);
            self.send(&request, api.patch_status(&name.name, &params, &shown)).await?;
            Ok(())
        })
    }

    /// Answers to a plan. Right: `patch kafkaplans`.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn answer_kafka_plan<'a>(
        &'a self,
        plan: &'a Name,
        plan_id: &'a str,
        approved: bool,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let [approve, reject] = ANSWERS;
            let (yes, no) = if approved { (approve, reject) } else { (reject, approve) };
            let annotations = json!({yes: plan_id, no: null});
            let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
            let request = ApiRequest::about("patch", RESOURCE, plan);
            let api = self.plans_api(&plan.namespace);
            self.send(&request, api.patch(&plan.name, &PatchParams::default(), &patch)).await?;
            Ok(())
        })
    }

    /// Removes an object. Right: `delete kafkaplans`. One that is gone is no error.
    ///
    /// # Errors
    /// Why it could not be removed.
    pub fn remove_kafka_plan<'a>(&'a self, plan: &'a Name) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("delete", RESOURCE, plan);
            let api = self.plans_api(&plan.namespace);
            let removed =
                self.send(&request, api.delete(&plan.name, &DeleteParams::default())).await;
            match removed {
                Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    /// Ends when an operator has answered to a plan since these were read. Right: `list`, `watch kafkaplans`. Waits through
    /// failures of the API.
    pub fn kafka_plan_is_answered<'a>(
        &'a self,
        notes: &'a Name,
        read: &'a [KafkaPlan],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let config = Config::default().labels(&selector(notes));
            let events = watcher(self.plans_api(&notes.namespace), config).default_backoff();
            pin_mut!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::InitApply(object) | Event::Apply(object)) => {
                        let now = KafkaPlan::of(&object, &notes.namespace);
                        let before = read.iter().find(|plan| plan.name == now.name);
                        if before.map(KafkaPlan::answers).unwrap_or_default() != now.answers() {
                            return;
                        }
                    }
                    Ok(Event::Init | Event::InitDone | Event::Delete(_)) => {}
                    Err(error) => tracing::info!(%error, "watching KafkaPlans"),
                }
            }
            pending().await
        })
    }
}

fn selector(notes: &Name) -> String {
    format!("{KEEP}={}", notes.name)
}
