//! Faults on demand: what an API server and the way through it can do wrong.
//!
//! The handle is cheap to clone and may be used from any thread, while the cluster lives on its
//! own.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Switches faults of one cluster on and off.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<watch::Sender<Faulty>>);

/// What is wrong at the moment; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faulty {
    /// Connections to the API server are closed as soon as they are made, and those there are too.
    pub api_gone: bool,
    /// How often all watches were ended with 410 Gone.
    pub n_watches_ended: u64,
    /// What the pod proxy does, by port as it stands in the path.
    pub proxy: BTreeMap<String, ProxyFault>,
    /// Pods that do not answer through the pod proxy, by name, while others in the cluster reach
    /// them.
    pub silent: BTreeSet<String>,
    /// What the user may not, as `plural`, `plural.group` or `plural.group/subresource`; with a verb
    /// and a blank before it, that verb alone.
    pub forbidden: BTreeSet<String>,
    /// How long a list takes.
    pub slow_list: Duration,
    /// Lines of metrics that begin with this name are left out of what pods answer.
    pub vanished_metric: Option<String>,
}

/// What goes wrong with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFault {
    /// It never answers.
    Hang,
    /// It answers what is neither text nor protobuf.
    Garbage,
    /// It answers 64 MiB.
    Huge,
}

// === impl Faulty ===

impl Faulty {
    /// Whether the user may not do this with that resource.
    pub fn forbids(&self, verb: &str, resource: &str) -> bool {
        self.forbidden.contains(resource) || self.forbidden.contains(&format!("{verb} {resource}"))
    }
}

// === impl Faults ===

impl Faults {
    /// What is wrong at the moment.
    pub fn now(&self) -> Faulty {
        self.0.borrow().clone()
    }

    /// Tells when something goes wrong or is mended.
    pub fn subscribe(&self) -> watch::Receiver<Faulty> {
        self.0.subscribe()
    }

    /// Changes what is wrong.
    pub fn change(&self, change: impl FnOnce(&mut Faulty)) {
        self.0.send_modify(change);
    }

    /// Nothing is wrong any more.
    pub fn mend(&self) {
        self.change(|faulty| {
            // A counter only counts: going back to zero would be a change.
            let n_watches_ended = faulty.n_watches_ended;
            *faulty = Faulty { n_watches_ended, ..Faulty::default() };
        });
    }

    /// The API server goes away, or comes back.
    pub fn api_gone(&self, is_gone: bool) {
        self.change(|faulty| faulty.api_gone = is_gone);
    }

    /// Ends every watch there is with 410 Gone.
    pub fn end_watches_with_410(&self) {
        self.change(|faulty| faulty.n_watches_ended += 1);
    }

    /// What the pod proxy does with a port from now on; `None` mends it.
    pub fn proxy(&self, port: u16, fault: Option<ProxyFault>) {
        self.change(|faulty| {
            match fault {
                Some(fault) => faulty.proxy.insert(port.to_string(), fault),
                None => faulty.proxy.remove(&port.to_string()),
            };
        });
    }

    /// A pod does not answer through the pod proxy from now on.
    pub fn silence(&self, pod: &str) {
        self.change(|faulty| {
            faulty.silent.insert(pod.to_owned());
        });
    }

    /// Forbids a resource: `pods`, `pods/proxy`, `podautoscalers.autoscaling.internal.knative.dev`;
    /// or one verb of it: `delete pods`.
    pub fn forbid(&self, resource: &str) {
        self.change(|faulty| {
            faulty.forbidden.insert(resource.to_owned());
        });
    }

    /// Takes so long for each list.
    pub fn slow_list(&self, span: Duration) {
        self.change(|faulty| faulty.slow_list = span);
    }

    /// Leaves a metric out; `None` brings it back.
    pub fn vanish_metric(&self, name: Option<&str>) {
        self.change(|faulty| faulty.vanished_metric = name.map(str::to_owned));
    }
}
