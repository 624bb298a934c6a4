//! Which autoscaler pod owns which revision, by Knative's Leases.
//!
//! Revisions are spread over buckets by a consistent hash of their name; each bucket has a Lease,
//! and its holder decides for the revisions in it. A pod that lost a bucket goes on showing the
//! numbers it had, so only the owner's are worth anything.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::event::cluster::Name;
use crate::units::clean;

use super::fetch::Door;
use super::fetch::FetchError;
use super::health::Health;
use super::health::Trouble;
use super::knative::MAX_NAME;

/// How often the Leases are read: a handover is seen within this time.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
const PREFIX: &str = "autoscaler-bucket-";

/// The bucket's Lease and the pod that holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owners(BTreeMap<String, String>);

/// Reads the Leases until asked to stop.
pub(crate) struct Leases {
    /// Asks the API server, metered.
    pub(crate) client: Client,
    /// Knative's own namespace.
    pub(crate) system: String,
    /// Where the owners stand; `None` until they could be read.
    pub(crate) owners: watch::Sender<Option<Owners>>,
    /// The account of this source.
    pub(crate) health: Health,
}

impl Leases {
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let door = Door::ApiServer(self.client.clone());
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buckets = Vec::new();
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {}
            }
            let began = self.health.now();
            match self.read(&door, &mut buckets).await {
                Ok(owners) => {
                    self.owners.send_replace(Some(owners));
                    let took = self.health.now().since(began);
                    self.health.ok(Some(took), 0).await;
                }
                Err(trouble) => {
                    buckets.clear();
                    // Without the right to know there are no owners; after a hiccup they stay.
                    if trouble.state != crate::event::source::State::Failing {
                        self.owners.send_replace(None);
                    }
                    self.health.trouble(trouble).await;
                }
            }
        }
    }

    /// Lists all Leases once, to learn how many buckets there are; then gets those alone.
    async fn read(&self, door: &Door, buckets: &mut Vec<String>) -> Result<Owners, Trouble> {
        let all = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.system);
        let mut leases = Vec::new();
        if buckets.is_empty() {
            let answer = self.get(door, &all).await?;
            leases.extend(answer["items"].as_array().cloned().unwrap_or_default());
        } else {
            for bucket in buckets.iter() {
                leases.push(self.get(door, &format!("{all}/{bucket}")).await?);
            }
        }
        let owners = Owners::from_leases(&leases);
        if owners.pods().is_empty() {
            return Err(Trouble::absent(
                format!("no Lease {PREFIX}… in {}", self.system),
                format!("check with `kubectl -n {} get leases,pods`", self.system),
            ));
        }
        *buckets = owners.0.keys().cloned().collect();
        Ok(owners)
    }

    async fn get(&self, door: &Door, path: &str) -> Result<Value, Trouble> {
        let body =
            door.get(path, "application/json").await.map_err(|error| self.trouble(&error))?;
        serde_json::from_slice(&body).map_err(|error| Trouble::failing(error.to_string()))
    }

    fn trouble(&self, error: &FetchError) -> Trouble {
        if error.is_denied() {
            return Trouble::denied(
                format!(
                    "may not read Leases in {}; which autoscaler pod decides is unknown",
                    self.system
                ),
                format!(
                    "check with `kubectl -n {} auth can-i list leases.coordination.k8s.io`",
                    self.system
                ),
            );
        }
        Trouble::failing(error.to_string())
    }
}

// === impl Owners ===

impl Owners {
    /// From Lease objects; those of others are passed over. The holder is `POD_ADDRESS`, and empty
    /// from when an autoscaler gives a bucket up until another takes it.
    fn from_leases(leases: &[Value]) -> Self {
        let held = leases.iter().filter_map(|lease| {
            let name = lease.pointer("/metadata/name")?.as_str()?;
            let holder = lease.pointer("/spec/holderIdentity")?.as_str()?;
            let pod = holder.rsplit_once('_').map_or(holder, |(pod, _)| pod);
            name.starts_with(PREFIX).then(|| (clean(name, MAX_NAME), clean(pod, MAX_NAME)))
        });
        Self(held.take(100).collect())
    }

    /// The pods that hold a bucket.
    pub(crate) fn pods(&self) -> BTreeSet<&str> {
        self.0.values().map(String::as_str).filter(|pod| !pod.is_empty()).collect()
    }

    /// The pod that decides for a revision; `None` while nobody does.
    pub(crate) fn owner(&self, revision: &Name) -> Option<&str> {
        let bucket = bucket(self.0.keys(), &format!("{}/{}", revision.namespace, revision.name))?;
        self.0.get(bucket).map(String::as_str).filter(|pod| !pod.is_empty())
    }
}

/// Knative's consistent hash (its `hash.ChooseSubset` for one): buckets stand at angles of a
/// circle of 2048, other ones for each key, and the first at or after the key's angle has it.
fn bucket<'a>(buckets: impl Iterator<Item = &'a String>, key: &str) -> Option<&'a str> {
    const CIRCLE: u64 = 2048;
    let mut angles = BTreeMap::<u64, &str>::new();
    for bucket in buckets {
        let mut seed = format!("{bucket}{key}");
        let mut hash = fnv1a(&seed);
        while angles.contains_key(&(hash % CIRCLE)) {
            seed = format!("{seed}{hash:x}");
            hash = fnv1a(&seed);
        }
        angles.insert(hash % CIRCLE, bucket);
    }
    if angles.len() <= 1 {
        return angles.into_values().next();
    }
    let start = fnv1a(&format!("{key}start-angle-salt")) % CIRCLE;
    let at_or_after = angles.range(start..).next();
    at_or_after.or_else(|| angles.iter().next()).map(|(_, bucket)| *bucket)
}

/// FNV-1a of 64 bits.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_holder_is_the_pod() {
        let owners = Owners::from_leases(&[
            json!({"metadata": {"name": "autoscaler-bucket-00-of-01"},
                   "spec": {"holderIdentity": "autoscaler-586f99b66b-r4c2q_10.244.0.5"}}),
            json!({"metadata": {"name": "webhook.00-of-01"}, "spec": {"holderIdentity": "x_y"}}),
            json!({"metadata": {"name": "autoscaler-bucket-broken"}}),
        ]);
        let revision = Name { namespace: "default".to_owned(), name: "hello-00001".to_owned() };
        assert_eq!(owners.owner(&revision), Some("autoscaler-586f99b66b-r4c2q"));
        assert_eq!(owners.pods().len(), 1);
        assert_eq!(Owners::default().owner(&revision), None);
    }

    #[test]
    fn a_bucket_given_up_stays_a_bucket_and_nobody_decides_in_it() {
        let lease = |idx: u32, holder: &str| {
            json!({"metadata": {"name": format!("autoscaler-bucket-{idx:02}-of-02")},
                   "spec": {"holderIdentity": holder}})
        };
        let named = |name: &str| Name { namespace: "default".to_owned(), name: name.to_owned() };
        // Of two, `hello-00001` is in the second and `ns/π` in the first.
        let owners = Owners::from_leases(&[lease(0, "one_1"), lease(1, "")]);
        assert_eq!(owners.owner(&named("hello-00001")), None);
        assert_eq!(owners.pods(), BTreeSet::from(["one"]));
        let other = Name { namespace: "ns".to_owned(), name: "π".to_owned() };
        assert_eq!(owners.owner(&other), Some("one"));
    }

    #[test]
    fn revisions_are_spread_as_knative_spreads_them() {
        for (n_buckets, key, expected) in VECTORS {
            let buckets: Vec<_> = (0..*n_buckets)
                .map(|idx| format!("autoscaler-bucket-{idx:02}-of-{n_buckets:02}"))
                .collect();
            let expected = format!("autoscaler-bucket-{expected:02}-of-{n_buckets:02}");
            assert_eq!(
                bucket(buckets.iter(), key),
                Some(expected.as_str()),
                "{key} of {n_buckets}"
            );
        }
    }

    /// Number of buckets, key, and the owner that Knative's own code gave.
    const VECTORS: &[(u32, &str, u32)] = &[
        (2, "default/hello-00001", 1),
        (2, "default/hello-00002", 1),
        (2, "a/b", 0),
        (2, "team-x/checkout-00017", 0),
        (2, "ns/π", 0),
        (3, "default/hello-00001", 0),
        (3, "default/hello-00002", 1),
        (3, "a/b", 2),
        (3, "team-x/checkout-00017", 1),
        (3, "ns/π", 2),
        (5, "default/hello-00001", 0),
        (5, "default/hello-00002", 1),
        (5, "a/b", 4),
        (5, "team-x/checkout-00017", 4),
        (5, "ns/π", 1),
        (10, "default/hello-00001", 5),
        (10, "default/hello-00002", 8),
        (10, "a/b", 4),
        (10, "team-x/checkout-00017", 8),
        (10, "ns/π", 2),
    ];
}
