//! The one thing that a run may make in a cluster: its scenario's service, labelled with the run,
//! and deleted at the end.

use kube::api::Api;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::PostParams;
use kube::core::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::json;
use thiserror::Error;

use crate::bus::Sender;
use crate::collect::Cluster;
use crate::event::Event;
use crate::event::cluster::Name;
use crate::event::run::Action;
use crate::scenario::plan::Create;
use crate::tasks;

/// The label that says who made it.
const LABEL: &str = "rampscope.dev/run";

/// A service that was made for this run.
pub(super) struct Created {
    api: Api<DynamicObject>,
    service: Name,
    sender: Sender,
}

/// The service could not be made; nothing was.
#[derive(Debug, Error)]
pub(super) enum CreateError {
    /// Nothing may be written.
    #[error("the scenario makes a service, and --read-only forbids it: leave one of them out")]
    ReadOnly,
    /// The API server refused.
    #[error("the API server did not create services.serving.knative.dev {namespace}/{name}")]
    Refused {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What it answered.
        #[source]
        source: Box<kube::Error>,
    },
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Created {
    /// Makes the service. One that exists already is an error: it is somebody's.
    pub(super) async fn make(
        cluster: &Cluster,
        service: &Name,
        create: &Create,
        sender: Sender,
    ) -> Result<Self, CreateError> {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("serving.knative.dev", "v1", "Service"),
            "services",
        );
        let api: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &service.namespace, &resource);
        let mut object = DynamicObject::new(&service.name, &resource).within(&service.namespace);
        object.metadata.labels = Some([(LABEL.to_owned(), "true".to_owned())].into());
        object.data = json!({ "spec": { "template": template(create) } });
        let created = Self { api, service: service.clone(), sender };
        let made = created.api.create(&PostParams::default(), &object).await;
        let error = made.as_ref().err().map(|error| tasks::chain(error));
        created.tell("create", error).await;
        made.map_err(|source| CreateError::Refused {
            namespace: service.namespace.clone(),
            name: service.name.clone(),
            source: Box::new(source),
        })?;
        Ok(created)
    }

    /// Deletes the service. Returns it if that failed.
    pub(super) async fn delete(self) -> Vec<String> {
        let deleted =
            self.api.delete(&self.service.name, &DeleteParams::background()).await.map(drop);
        match deleted {
            Ok(()) => {
                self.tell("delete", None).await;
                Vec::new()
            }
            // Somebody was faster.
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => {
                let words = tasks::chain(&error);
                self.tell("delete", Some(words.clone())).await;
                let Name { namespace, name } = &self.service;
                vec![format!(
                    "services.serving.knative.dev {namespace}/{name} could not be deleted ({words}); \
                     delete it with: kubectl -n {namespace} delete services.serving.knative.dev {name}"
                )]
            }
        }
    }

    async fn tell(&self, verb: &str, error: Option<String>) {
        let Name { namespace, name } = &self.service;
        let what = format!("{verb} services.serving.knative.dev {namespace}/{name}");
        self.sender.send(Event::Action(Action { what, error })).await;
    }
}

/// The revision template of the service to make.
fn template(create: &Create) -> serde_json::Value {
    let annotations: serde_json::Map<_, _> = create
        .annotations
        .iter()
        .map(|(key, value)| (format!("autoscaling.knative.dev/{key}"), json!(value)))
        .collect();
    let env: Vec<_> =
        create.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let mut spec = json!({ "containers": [{ "image": create.image, "env": env }] });
    if let Some(limit) = create.container_concurrency {
        spec["containerConcurrency"] = json!(limit);
    }
    json!({ "metadata": { "annotations": annotations }, "spec": spec })
}
