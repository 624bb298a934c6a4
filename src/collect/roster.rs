//! The pods that there are, for the hands that read them.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::event::Event;
use crate::event::cluster::Id;
use crate::event::cluster::Kind;
use crate::event::cluster::Object;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;

use super::health::Trouble;

/// The pods, shared between the watch that learns of them and the hands that read them.
#[derive(Debug, Clone)]
pub(crate) struct Roster(watch::Sender<Pods>);

#[derive(Debug, Default)]
struct Pods {
    by_id: BTreeMap<Id, Pod>,
    is_complete: bool,
    is_blind: bool,
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

    /// Says whether pods may not be listed, in one place at least.
    pub(crate) fn set_blind(&self, is_blind: bool) {
        self.0.send_modify(|pods| pods.is_blind = is_blind);
    }

    /// Whether pods may not be listed, in one place at least.
    pub(crate) fn is_blind(&self) -> bool {
        self.0.borrow().is_blind
    }

    /// Why there is no pod, if that is a trouble.
    pub(crate) fn no_pod(&self, system: &str, app: &str) -> Option<Trouble> {
        let remedy = format!("kubectl -n {system} get pods -l app={app}");
        if self.is_blind() {
            let reason =
                format!("which {app} pods there are is unknown: may not list pods in {system}");
            return Some(Trouble::denied(reason, remedy));
        }
        let reason = format!("no running {app} pod in {system}");
        self.is_complete().then(|| Trouble::absent(reason, remedy))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cluster::Gone;
    use crate::event::source::State;

    #[test]
    fn pods_come_and_go() {
        let roster = Roster::new();
        assert_eq!(roster.no_pod("s", "a"), None, "nothing is known yet");
        let id = Id { namespace: "s".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
        let pod = Pod {
            id: id.clone(),
            app: Some("a".to_owned()),
            phase: Phase::Running,
            ip: "10.0.0.1".to_owned(),
            ..Pod::default()
        };
        roster.note(&Event::Seen(Box::new(Object::Pod(pod))));
        roster.note(&Event::Listed(Kind::Pod));
        assert_eq!(roster.component("s", "a").len(), 1);
        assert!(roster.component("other", "a").is_empty());
        assert!(roster.of_revisions(None).is_empty());
        roster.note(&Event::Gone(Gone { kind: Kind::Pod, id }));
        assert!(roster.component("s", "a").is_empty());
        assert_eq!(roster.no_pod("s", "a").unwrap().state, State::Absent);
        roster.set_blind(true);
        assert_eq!(roster.no_pod("s", "a").unwrap().state, State::Denied);
    }
}
