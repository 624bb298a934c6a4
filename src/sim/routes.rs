//! Where requests for a Knative Service go, and what Configuration, Route and Service say of it.

use std::rc::Rc;

use serde_json::Value;
use serde_json::json;

use crate::sim::conditions;
use crate::sim::conditions::Condition;
use crate::sim::knative;
use crate::sim::plane::Share;
use crate::sim::resources;
use crate::sim::scaler;
use crate::sim::world::Deployed;
use crate::sim::world::World;

/// A line of a route's traffic.
struct Target {
    revision: String,
    percent: u32,
    tag: Option<String>,
    is_latest: bool,
}

/// How a service stands.
struct Standing {
    now: String,
    url: String,
    latest_created: String,
    latest_ready: Option<String>,
    is_newest_ready: bool,
    targets: Vec<Target>,
}

/// Writes what a service's revisions have come to into Configuration, Route and Service, and
/// sends requests accordingly.
pub(crate) fn sync(world: &World, namespace: &str, name: &str) {
    let Some(service) = world.get(&resources::KSERVICES, namespace, name) else { return };
    let is_of =
        |one: &Rc<Deployed>| one.key().namespace == namespace && one.revision.id.service == name;
    // In the order of their names, which is that of their making.
    let revisions: Vec<_> = world.all_revisions().into_iter().filter(is_of).collect();
    let Some(created) = revisions.last() else { return };
    let ready = revisions.iter().rev().find(|one| one.was_ready.get());
    let latest_ready = ready.map(|one| one.key().name.clone());
    let standing = Standing {
        now: world.now(),
        url: format!("http://{}", knative::host(world, namespace, name)),
        latest_created: created.key().name.clone(),
        is_newest_ready: created.was_ready.get(),
        targets: targets(&service, latest_ready.as_deref()),
        latest_ready,
    };
    route(world, (namespace, name), &standing.targets, &revisions);
    standing.configuration(world, (namespace, name));
    standing.route(world, (namespace, name), &service);
    standing.service(world, (namespace, name));
}

// === impl Standing ===

impl Standing {
    fn configuration(&self, world: &World, key: (&str, &str)) {
        let before = world.get(&resources::CONFIGURATIONS, key.0, key.1);
        world.modify(&resources::CONFIGURATIONS, key, |object| {
            self.status(object, &[self.configured("Ready")]);
            self.names(&mut object["status"]);
        });
        let Some(before) = before.filter(|_| self.is_newest_ready) else { return };
        if before["status"]["latestReadyRevisionName"] != self.latest_created.as_str() {
            let from = "configuration-controller";
            world.event(&before, from, "ConfigurationReady", "Configuration becomes ready");
            let message = format!("LatestReadyRevisionName updated to \"{}\"", self.latest_created);
            world.event(&before, from, "LatestReadyUpdate", &message);
        }
    }

    fn route(&self, world: &World, key: (&str, &str), service: &Value) {
        let wishes = wishes(service);
        world.modify(&resources::ROUTES, key, |object| object["spec"]["traffic"] = wishes);
        world.modify(&resources::ROUTES, key, |object| {
            let conditions = [
                self.routed("AllTrafficAssigned"),
                Condition::yes("CertificateProvisioned").info(),
                self.routed("IngressReady"),
                self.routed("Ready"),
            ];
            self.status(object, &conditions);
            self.addresses(&mut object["status"], key);
        });
    }

    fn service(&self, world: &World, key: (&str, &str)) {
        let whole =
            if self.is_newest_ready { self.routed("Ready") } else { self.configured("Ready") };
        world.modify(&resources::KSERVICES, key, |object| {
            let conditions =
                [self.configured("ConfigurationsReady"), whole, self.routed("RoutesReady")];
            self.status(object, &conditions);
            self.names(&mut object["status"]);
            self.addresses(&mut object["status"], key);
        });
    }

    /// Whether the newest revision is ready.
    const fn configured(&self, kind: &'static str) -> Condition {
        if self.is_newest_ready { Condition::yes(kind) } else { Condition::unknown(kind, ("", "")) }
    }

    /// Whether requests go anywhere.
    fn routed(&self, kind: &'static str) -> Condition {
        if self.targets.is_empty() {
            let message = "Configuration is waiting for a Revision to become ready.";
            Condition::unknown(kind, ("RevisionMissing", message))
        } else {
            Condition::yes(kind)
        }
    }

    fn status(&self, object: &mut Value, conditions: &[Condition]) {
        let generation = object["metadata"]["generation"].clone();
        let status = &mut object["status"];
        status["conditions"] = conditions::render(status, &self.now, conditions);
        status["observedGeneration"] = generation;
    }

    fn names(&self, status: &mut Value) {
        status["latestCreatedRevisionName"] = self.latest_created.as_str().into();
        if let Some(ready) = &self.latest_ready {
            status["latestReadyRevisionName"] = ready.as_str().into();
        }
    }

    fn addresses(&self, status: &mut Value, (namespace, name): (&str, &str)) {
        let local = format!("http://{name}.{namespace}.svc.cluster.local");
        let traffic: Vec<_> = self.targets.iter().map(|target| target.render(&self.url)).collect();
        status["url"] = self.url.as_str().into();
        status["address"] = json!({ "url": local });
        status["traffic"] = traffic.into();
    }
}

// === impl Target ===

impl Target {
    fn render(&self, url: &str) -> Value {
        let mut target = json!({
            "latestRevision": self.is_latest, "percent": self.percent, "revisionName": self.revision,
        });
        if let Some(tag) = &self.tag {
            target["tag"] = tag.as_str().into();
            target["url"] = url.replacen("://", &format!("://{tag}-"), 1).into();
        }
        target
    }
}

/// The traffic that a service asks for; without a wish all goes to the newest ready revision.
pub(crate) fn wishes(service: &Value) -> Value {
    match &service["spec"]["traffic"] {
        Value::Array(wishes) if !wishes.is_empty() => wishes.clone().into(),
        _ => json!([{ "latestRevision": true, "percent": 100 }]),
    }
}

/// The same, with the revisions that there are.
fn targets(service: &Value, latest_ready: Option<&str>) -> Vec<Target> {
    let wishes = wishes(service);
    let wishes = wishes.as_array();
    wishes
        .into_iter()
        .flatten()
        .filter_map(|wish| {
            let named = wish["revisionName"].as_str().filter(|name| !name.is_empty());
            Some(Target {
                revision: named.or(latest_ready)?.to_owned(),
                percent: u32::try_from(wish["percent"].as_u64().unwrap_or(0))
                    .unwrap_or(100)
                    .min(100),
                tag: wish["tag"].as_str().filter(|tag| !tag.is_empty()).map(str::to_owned),
                is_latest: named.is_none(),
            })
        })
        .collect()
}

/// Sends requests to the targets, and tells each revision whether a route leads to it.
fn route(
    world: &World,
    (namespace, name): (&str, &str),
    targets: &[Target],
    revisions: &[Rc<Deployed>],
) {
    let find = |name: &str| revisions.iter().find(|one| one.key().name == name);
    let share = |target: &Target, percent| {
        Some(Share { percent, revision: Rc::clone(&find(&target.revision)?.revision) })
    };
    let host = knative::host(world, namespace, name);
    let main = targets.iter().filter(|target| 0 < target.percent);
    let main = main.filter_map(|one| share(one, one.percent)).collect();
    let tagged = targets.iter().filter_map(|target| {
        let host = format!("{}-{host}", target.tag.as_ref()?);
        Some((host, share(target, 100).into_iter().collect()))
    });
    let hosts = tagged.chain([(host.clone(), main)]).collect();
    world.plane.set_routes((namespace, name), hosts);
    for deployed in revisions {
        let key = deployed.key();
        let is_routed = targets.iter().any(|target| target.revision == key.name);
        let state = match (is_routed, deployed.was_ready.get()) {
            (true, _) => "active",
            (false, true) => "reserve",
            // Its time is yet to come.
            (false, false) => "pending",
        };
        world.modify(&resources::REVISIONS, (&key.namespace, &key.name), |object| {
            object["metadata"]["labels"]["serving.knative.dev/routingState"] = state.into();
        });
        let is_reachable = state != "reserve";
        if deployed.is_reachable.replace(is_reachable) != is_reachable {
            scaler::reconfigure(world, deployed);
        }
        let reachability = match state {
            "active" => "Reachable",
            "reserve" => "Unreachable",
            _ => "",
        };
        world.modify(&resources::POD_AUTOSCALERS, (&key.namespace, &key.name), |object| {
            object["spec"]["reachability"] = reachability.into();
        });
    }
}
