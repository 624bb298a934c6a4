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
pub(crate) struct Roster(watch::Sender<Pods>);

#[derive(Debug, Default)]
struct Pods {
    by_id: BTreeMap<Id, Pod>,
    is_complete: bool,
}

impl Roster {
    /// A roster without pods.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Pods::default()))
    }

    /// Takes in what a watch says, if it is about pods.
    pub(crate) fn note(&self, fact: &Event) {
        match fact {
            Event::Seen(object) => {
                if let Object::Pod(pod) = &**object {
                    self.0.send_modify(|pods| {
                        pods.by_id.insert(pod.id.clone(), pod.clone());
                    });
                }
            }
            Event::Gone(gone) if gone.kind == Kind::Pod => {
                self.0.send_modify(|pods| {
                    pods.by_id.remove(&gone.id);
                });
            }
            Event::Listed(Kind::Pod) => self.0.send_modify(|pods| pods.is_complete = true),
            _ => {}
        }
    }

    /// Whether all pods that may be seen are here: before that, none is no news.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.borrow().is_complete
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
        pods.by_id
            .values()
            .filter(|pod| pod.phase == Phase::Running && !pod.ip.is_empty() && is_wanted(pod))
            .cloned()
            .collect()
    }
}
