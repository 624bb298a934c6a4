//! The pods that there are, for the hands that read them.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::event::Event;
use crate::event::cluster::Id;
use crate::event::cluster::Kind;
use crate::event::cluster::Object;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;

/// The pods, shared between the watch that learns of them and the hands that read them.
#[derive(Debug, Clone)]
pub(crate) struct Roster(watch::Sender<BTreeMap<Id, Pod>>);

impl Roster {
    /// A roster without pods.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }

    /// Takes in what a watch says, if it is about pods.
    pub(crate) fn note(&self, fact: &Event) {
        match fact {
            Event::Seen(object) => {
                if let Object::Pod(pod) = &**object {
                    self.0.send_modify(|pods| {
                        pods.insert(pod.id.clone(), pod.clone());
                    });
                }
            }
            Event::Gone(gone) if gone.kind == Kind::Pod => {
                self.0.send_modify(|pods| {
                    pods.remove(&gone.id);
                });
            }
            _ => {}
        }
    }

    /// The running pods of a component of Knative.
    pub(crate) fn component(&self, system: &str, app: &str) -> Vec<Pod> {
        self.running(|pod| pod.id.namespace == system && pod.app.as_deref() == Some(app))
    }

    /// The running pods of revisions; of one service only if it is named.
    pub(crate) fn of_revisions(&self, service: Option<&(String, String)>) -> Vec<Pod> {
        self.running(|pod| {
            pod.revision.is_some()
                && service.is_none_or(|(namespace, name)| {
                    pod.id.namespace == *namespace && pod.service.as_ref() == Some(name)
                })
        })
    }

    fn running(&self, is_wanted: impl Fn(&Pod) -> bool) -> Vec<Pod> {
        let pods = self.0.borrow();
        pods.values()
            .filter(|pod| pod.phase == Phase::Running && !pod.ip.is_empty() && is_wanted(pod))
            .cloned()
            .collect()
    }
}
