//! The one thing that a run may make in a cluster: its scenario's service, labelled with the run,
//! and deleted at the end.

use std::time::Duration;

use kube::api::Api;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::PostParams;
use kube::api::Preconditions;
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

/// How long the API server may take to answer when something is made, looked for or deleted: an
/// ending waits for it.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
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

/// A service that is made for this run.
pub struct Created {
    api: Api<DynamicObject>,
    resource: ApiResource,
    service: Name,
    witness: Witness,
    made: Made,
}

/// Whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    /// Not asked for, or refused.
    No,
    /// Asked for, and the answer did not come: it may be there.
    Perhaps,
    /// It is: its uid.
    Yes(Option<String>),
}

/// The service could not be made.
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
    /// The API server did not answer.
    #[error(
        "the API server did not answer within {} s whether it created services.serving.knative.dev \
         {namespace}/{name}",
        ANSWER_WITHIN.as_secs()
    )]
    NoAnswer {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Created {
    /// What will be made; nothing is yet.
    pub fn planned(cluster: &Cluster, service: &Name, witness: Witness) -> Self {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("serving.knative.dev", "v1", "Service"),
            "services",
        );
        let api = Api::namespaced_with(cluster.client.clone(), &service.namespace, &resource);
        Self { api, resource, service: service.clone(), witness, made: Made::No }
    }

    /// Makes the service. One that exists already is an error: it is somebody's. Whatever comes
    /// back, [`Self::delete`] takes away what there is.
    pub async fn make(&mut self, create: &Create) -> Result<(), CreateError> {
        let Name { namespace, name } = self.service.clone();
        let mut object = DynamicObject::new(&name, &self.resource).within(&namespace);
        object.metadata.labels = Some([(LABEL.to_owned(), self.witness.run())].into());
        object.data = json!({ "spec": { "template": template(create) } });
        self.note("create", Some("delete"))?;
        self.made = Made::Perhaps;
        let params = PostParams::default();
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.api.create(&params, &object)).await;
        let made = match answer {
            Ok(Ok(object)) => {
                self.made = Made::Yes(object.metadata.uid);
                Ok(())
            }
            Ok(Err(source)) => {
                // Only a refusal says for sure that there is nothing.
                if is_refusal(&source) {
                    self.made = Made::No;
                }
                Err(CreateError::Refused { namespace, name, source: Box::new(source) })
            }
            Err(_) => Err(CreateError::NoAnswer { namespace, name }),
        };
        self.tell("create", made.as_ref().err().map(|error| tasks::chain(error))).await;
        made
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

    /// Deletes what was made. Returns what a person has to do if that failed.
    pub async fn delete(mut self) -> Vec<String> {
        if self.made == Made::Perhaps {
            match self.look().await {
                Ok(made) => self.made = made,
                Err(words) => return vec![self.left_behind("may be there", &words)],
            }
        }
        let Made::Yes(uid) = self.made.clone() else { return Vec::new() };
        // A delete that cannot be noted is still better than none.
        let _ = self.note("delete", None);
        // One of the same name that somebody made since is theirs.
        let ours = Preconditions { uid, resource_version: None };
        let params = DeleteParams { preconditions: Some(ours), ..DeleteParams::background() };
        let deleting = self.api.delete(&self.service.name, &params);
        let words = match tokio::time::timeout(ANSWER_WITHIN, deleting).await {
            Ok(Ok(_)) => {
                self.tell("delete", None).await;
                return Vec::new();
            }
            // Somebody was faster.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                return Vec::new();
            }
            Ok(Err(error)) => tasks::chain(&error),
            Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
        };
        self.tell("delete", Some(words.clone())).await;
        vec![self.left_behind("could not be deleted", &words)]
    }

    /// Whether what was asked for without an answer is there, and is ours.
    async fn look(&self) -> Result<Made, String> {
        let looking = self.api.get_opt(&self.service.name);
        match tokio::time::timeout(ANSWER_WITHIN, looking).await {
            Ok(Ok(Some(found))) => {
                let label = found.metadata.labels.unwrap_or_default().remove(LABEL);
                let is_ours = label.is_some_and(|label| label == self.witness.run());
                Ok(if is_ours { Made::Yes(found.metadata.uid) } else { Made::No })
            }
            Ok(Ok(None)) => Ok(Made::No),
            Ok(Err(error)) => Err(tasks::chain(&error)),
            Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
        }
    }

    fn left_behind(&self, what: &str, words: &str) -> String {
        let Name { namespace, name } = &self.service;
        format!(
            "services.serving.knative.dev {namespace}/{name} {what} ({words}); delete it with: \
             kubectl -n {namespace} delete services.serving.knative.dev {name}"
        )
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

/// Whether the API server said that nothing was made; what failed on the way, or inside of it, may
/// have been made.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code))
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
