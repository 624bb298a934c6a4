//! The one thing that a run may make in a cluster: its scenario's service, labelled with the run,
//! and deleted at the end.

use std::time::Duration;

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
use crate::journal::FolderError;
use crate::journal::RunFolder;
use crate::scenario::plan::Create;
use crate::tasks;
use crate::units::clean;

/// The label that says who made it.
const LABEL: &str = "rampscope.dev/run";

/// How long the service may take to be ready: an image may have to be fetched.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How often it is asked for.
const READY_EVERY: Duration = Duration::from_millis(250);
/// Characters of a condition's words that are shown.
const WORDS_MAX: usize = 300;

/// Where a change in a cluster is told: to the model, and before that to the run folder.
#[derive(Debug, Clone)]
pub struct Witness {
    /// The bus.
    pub sender: Sender,
    /// The run folder; `None` if the run is not recorded.
    pub folder: Option<RunFolder>,
}

/// A service that was made for this run.
pub struct Created {
    api: Api<DynamicObject>,
    service: Name,
    witness: Witness,
}

/// The service could not be made; nothing stays behind.
#[derive(Debug, Error)]
pub enum CreateError {
    /// Nothing may be written.
    #[error("the scenario makes a service, and --read-only forbids it: leave one of them out")]
    ReadOnly,
    /// What is to be undone could not be noted, so nothing was done.
    #[error(
        "the change cannot be noted in the run folder, without which it could not be undone after a crash"
    )]
    NotNoted(#[source] Option<FolderError>),
    /// It was made and did not become ready.
    #[error(
        "services.serving.knative.dev {namespace}/{name} was not ready within two minutes: {said}"
    )]
    NotReady {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What its condition says.
        said: String,
    },
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
    pub async fn make(
        cluster: &Cluster,
        service: &Name,
        create: &Create,
        witness: Witness,
    ) -> Result<Self, CreateError> {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("serving.knative.dev", "v1", "Service"),
            "services",
        );
        let api: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &service.namespace, &resource);
        let mut object = DynamicObject::new(&service.name, &resource).within(&service.namespace);
        object.metadata.labels = Some([(LABEL.to_owned(), witness.run())].into());
        object.data = json!({ "spec": { "template": template(create) } });
        let created = Self { api, service: service.clone(), witness };
        created.note("create", Some("delete"))?;
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

    /// Waits until the service is ready: before that it has no address, and its first pods would
    /// be a cold start that nobody asked for.
    pub async fn ready(&self) -> Result<(), CreateError> {
        let mut said = String::new();
        let wait = async {
            loop {
                // One answer that does not come says nothing about the service.
                if let Ok(service) = self.api.get(&self.service.name).await {
                    let ready = service.data["status"]["conditions"]
                        .as_array()
                        .and_then(|all| all.iter().find(|it| it["type"] == "Ready"));
                    let text =
                        |key: &str| ready.and_then(|it| it[key].as_str()).unwrap_or_default();
                    if text("status") == "True" {
                        return;
                    }
                    said = clean(&format!("{} {}", text("reason"), text("message")), WORDS_MAX);
                }
                tokio::time::sleep(READY_EVERY).await;
            }
        };
        let is_ready = tokio::time::timeout(READY_WITHIN, wait).await.is_ok();
        let Name { namespace, name } = self.service.clone();
        is_ready.then_some(()).ok_or(CreateError::NotReady { namespace, name, said })
    }

    /// Deletes the service. Returns it if that failed.
    pub async fn delete(self) -> Vec<String> {
        // A delete that cannot be noted is still better than none.
        let _ = self.note("delete", None);
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

    /// Notes a change before it is made, with what undoes it.
    fn note(&self, verb: &str, undo: Option<&str>) -> Result<(), CreateError> {
        let folder = self.witness.folder.as_ref().ok_or(CreateError::NotNoted(None))?;
        let Name { namespace, name } = &self.service;
        let object = json!({
            "resource": "services.serving.knative.dev",
            "namespace": namespace,
            "name": name,
        });
        let undo = undo.map(|verb| json!({ "verb": verb, "object": object }));
        folder
            .note_action(&json!({ "verb": verb, "object": object, "undo": undo }))
            .map_err(|error| CreateError::NotNoted(Some(error)))
    }

    async fn tell(&self, verb: &str, error: Option<String>) {
        let Name { namespace, name } = &self.service;
        let what = format!("{verb} services.serving.knative.dev {namespace}/{name}");
        self.witness.sender.send(Event::Action(Action { what, error })).await;
    }
}

impl Witness {
    /// The run's name, fit for a label's value.
    fn run(&self) -> String {
        let name = self.folder.as_ref().and_then(|folder| folder.path().file_name());
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = name.chars().filter(|c| fits(*c)).take(63).collect();
        name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
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
