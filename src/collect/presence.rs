//! Whether a Knative Service is there, and if not, which ones are: a name may be mistyped.

use serde_json::Value;

use super::fetch::Door;
use super::fetch::FetchError;
use super::kubeconfig::Cluster;
use super::probe::json_at;
use crate::event::cluster::DEPLOYMENT;
use crate::event::cluster::Name;
use crate::units::clean;

/// Services that are looked through for one that may have been meant.
const OTHERS_MAX: usize = 500;
/// The longest name that Kubernetes knows.
const NAME_CHARS: usize = 253;

/// Whether a service is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is not; these are, as far as they may be listed.
    Absent(Vec<Name>),
    /// The cluster does not know of Knative Services.
    NoKnative,
    /// The cluster does not say: it does not answer, or we may not ask.
    NotKnown,
}

/// Asks the cluster for a service.
pub async fn presence(cluster: &Cluster, service: &Name) -> Presence {
    let door = Door::ApiServer(cluster.client.clone());
    let Name { namespace, name } = service;
    let path = match name.strip_prefix(DEPLOYMENT) {
        Some(name) => format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
        None => format!("/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}"),
    };
    match json_at(&door, &path).await {
        Ok(_) => Presence::There,
        // The API server speaks of an object that it does not have, and in plain text of a path.
        Err(FetchError::Api(status)) if status.code == 404 => {
            Presence::Absent(others(&door, namespace).await)
        }
        Err(FetchError::Status { code: 404, .. }) => Presence::NoKnative,
        Err(_) => Presence::NotKnown,
    }
}

/// The services of all namespaces, or of this one where that is all that we may see.
async fn others(door: &Door, namespace: &str) -> Vec<Name> {
    let query = format!("services?limit={OTHERS_MAX}");
    for place in [String::new(), format!("namespaces/{namespace}/")] {
        let path = format!("/apis/serving.knative.dev/v1/{place}{query}");
        if let Ok(list) = json_at(door, &path).await {
            return names(&list);
        }
    }
    Vec::new()
}

fn names(list: &Value) -> Vec<Name> {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |item: &Value, field: &str| {
        item["metadata"][field].as_str().map(|text| clean(text, NAME_CHARS))
    };
    items
        .iter()
        .take(OTHERS_MAX)
        .filter_map(|item| {
            Some(Name { namespace: text(item, "namespace")?, name: text(item, "name")? })
        })
        .collect()
}
