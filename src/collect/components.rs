//! Autoscaler, activators and queue-proxies: what to read of each, and what it means.

use std::time::Duration;

use tokio::sync::watch;

use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::cluster::Name;
use crate::event::scaler::QueueProxy;
use crate::event::source::State;
use crate::units::At;

use super::exposition;
use super::exposition::Exposition;
use super::fetch::FetchError;
use super::fetch::TEXT;
use super::health::Trouble;
use super::knative;
use super::lease::Owners;
use super::roster::Roster;
use super::scrape::Meaning;
use super::scrape::Reading;
use super::scrape::Target;
use super::scrape::proxy_path;
use super::stat;

/// The port of Prometheus text on autoscaler and activator, and of the Stat on a queue-proxy.
const METRICS_PORT: u16 = 9090;
/// The port of a queue-proxy's Prometheus text.
const USER_METRICS_PORT: u16 = 9091;
/// The most queue-proxies that are read in one round; of more, each round another part.
pub(crate) const MAX_QUEUE_PROXIES: usize = 20;
/// The share of an interval after which autoscaler and activators are read again while one Service
/// is looked at. What they say changes at a moment of its own in each second, which decides what
/// counts when; readings that wander over the second find it.
const CLOSELY: f64 = 0.45;
/// Of more pods than this none is read more than once an interval.
const CLOSELY_MAX: usize = 4;
/// How often the queue-proxies' texts are read: they say less than the Stat and cost more.
const TEXT_EVERY: Duration = Duration::from_secs(5);
/// How long the autoscaler's metrics may fail before its log is followed instead.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// How long the texts are left alone once they were not there.
const TEXT_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What turns the metrics on. The control plane reads the setting only when it starts.
pub(crate) fn metrics_remedy(system: &str, component: &str) -> String {
    format!(
        "kubectl -n {system} patch configmap/config-observability --type merge -p \
         '{{\"data\":{{\"metrics-protocol\":\"prometheus\"}}}}' && \
         kubectl -n {system} rollout restart deployment/{component}"
    )
}

/// What all three need.
#[derive(Clone)]
pub(crate) struct Common {
    /// Knative's own namespace.
    pub(crate) system: String,
    /// The namespace whose revisions are of interest; `None` is all.
    pub(crate) namespace: Option<String>,
    /// An address instead of the API server's pod proxy.
    pub(crate) url: Option<String>,
    /// The pods.
    pub(crate) roster: Roster,
    /// Where readings go.
    pub(crate) sender: Sender,
    /// The Service that is looked at; `None` is all.
    pub(crate) focus: watch::Receiver<Option<Name>>,
}

impl Common {
    pub(super) fn is_of_interest(&self, revision: &Name) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == revision.namespace)
    }

    /// The target where an address was given; its pod is known by that address only.
    fn by_url(&self) -> Option<Target> {
        let url = self.url.clone()?;
        let pod = Name { namespace: self.system.clone(), name: url.clone() };
        Some(Target { pod, pages: vec![(url, TEXT)] })
    }

    fn pod(&self, name: &str) -> Target {
        let pod = Name { namespace: self.system.clone(), name: name.to_owned() };
        let pages = vec![(proxy_path(&pod, METRICS_PORT), TEXT)];
        Target { pod, pages }
    }

    /// The text of the only page.
    fn text(&self, reading: &mut Reading, component: &str) -> Result<Exposition, Trouble> {
        match reading.pages.pop() {
            Some(Ok(body)) => {
                let text = String::from_utf8_lossy(&body);
                if !exposition::is_one(&text) {
                    let pod = &reading.target.pod.name;
                    return Err(Trouble::failing(format!("{pod}: the answer is no metrics text")));
                }
                Ok(exposition::parse(&text, knative::is_wanted))
            }
            Some(Err(error)) => Err(self.trouble(&error, component, &reading.target.pod)),
            None => Err(Trouble::failing("nothing was asked")),
        }
    }

    fn trouble(&self, error: &FetchError, component: &str, pod: &Name) -> Trouble {
        let namespace = &pod.namespace;
        if error.is_denied() {
            return Trouble::denied(
                format!("may not reach pods in {namespace} through the API server"),
                format!(
                    "ask for get on pods/proxy; check with `kubectl -n {namespace} auth can-i get pods/proxy`"
                ),
            );
        }
        if error.is_refused() && self.url.is_none() {
            return Trouble::absent(
                format!(
                    "{} does not listen on :{METRICS_PORT}: metrics are off in config-observability, as they are by default since Knative 1.19",
                    pod.name
                ),
                metrics_remedy(&self.system, component),
            );
        }
        Trouble::failing(format!("{}: {error}", pod.name))
    }

    /// The pause between rounds of so many pods.
    fn pause(&self, interval: Duration, n_pods: usize) -> Duration {
        let is_close = self.focus.borrow().is_some() && n_pods <= CLOSELY_MAX;
        if is_close { interval.mul_f64(CLOSELY) } else { interval }
    }

    /// One target a pod; none is a trouble, once all pods are known.
    fn pods(
        &self,
        names: impl Iterator<Item = String>,
        component: &str,
    ) -> Result<Vec<Target>, Trouble> {
        let targets: Vec<_> = names.map(|name| self.pod(&name)).collect();
        if targets.is_empty()
            && let Some(trouble) = self.roster.no_pod(&self.system, component)
        {
            return Err(trouble);
        }
        Ok(targets)
    }
}

/// The autoscaler: the pods that hold a bucket, or all where no Lease can be read.
pub(crate) struct AutoscalerMetrics {
    /// See [`Common`].
    pub(crate) common: Common,
    /// Who decides for which revision.
    pub(crate) owners: watch::Receiver<Option<Owners>>,
    /// Whether the metrics tell of panic; `None` until it is known.
    pub(crate) speaks: watch::Sender<Option<bool>>,
    /// Since when no reading was understood.
    pub(crate) silent_since: Option<At>,
}

impl Meaning for AutoscalerMetrics {
    fn targets(&mut self) -> Result<Vec<Target>, Trouble> {
        if let Some(target) = self.common.by_url() {
            return Ok(vec![target]);
        }
        if let Some(owners) = &*self.owners.borrow() {
            return self.common.pods(owners.pods().into_iter().map(str::to_owned), "autoscaler");
        }
        let pods = self.common.roster.component(&self.common.system, "autoscaler");
        let targets = self.common.pods(pods.into_iter().map(|pod| pod.id.name), "autoscaler");
        if targets.is_err() {
            self.speaks.send_replace(Some(false));
        }
        targets
    }

    fn pause(&self, interval: Duration) -> Duration {
        let n_pods = self.owners.borrow().as_ref().map_or(1, |owners| owners.pods().len());
        self.common.pause(interval, n_pods)
    }

    fn take(&mut self, mut reading: Reading) -> Result<u64, Trouble> {
        let text = match self.common.text(&mut reading, "autoscaler") {
            Ok(text) => text,
            Err(trouble) => {
                // A hiccup says nothing about whether there are metrics.
                let silent_since = *self.silent_since.get_or_insert(reading.at);
                if trouble.state != State::Failing || SILENT_AFTER <= reading.at.since(silent_since)
                {
                    self.speaks.send_replace(Some(false));
                }
                return Err(trouble);
            }
        };
        self.silent_since = None;
        self.speaks.send_replace(Some(true));
        let pod = &reading.target.pod.name;
        let (readings, n_not_understood) = knative::autoscalers(&text, pod, reading.at);
        let owners = self.owners.borrow();
        for mut autoscaler in readings {
            if !self.common.is_of_interest(&autoscaler.revision) {
                continue;
            }
            if self.common.url.is_none() {
                let owner = owners.as_ref().and_then(|owners| owners.owner(&autoscaler.revision));
                autoscaler.owner = owner.map(|owner| owner == pod);
            }
            self.common.sender.offer(Event::Autoscaler(Box::new(autoscaler)));
        }
        Ok(n_not_understood)
    }
}

/// The activators, all of them: each counts what it proxies itself.
pub(crate) struct ActivatorMetrics(pub(crate) Common);

impl Meaning for ActivatorMetrics {
    fn targets(&mut self) -> Result<Vec<Target>, Trouble> {
        if let Some(target) = self.0.by_url() {
            return Ok(vec![target]);
        }
        let pods = self.0.roster.component(&self.0.system, "activator");
        self.0.pods(pods.into_iter().map(|pod| pod.id.name), "activator")
    }

    fn pause(&self, interval: Duration) -> Duration {
        self.0.pause(interval, self.0.roster.component(&self.0.system, "activator").len())
    }

    fn take(&mut self, mut reading: Reading) -> Result<u64, Trouble> {
        let text = self.0.text(&mut reading, "activator")?;
        let pod = &reading.target.pod.name;
        let (readings, n_not_understood) = knative::activators(&text, pod, reading.at);
        for activator in readings {
            if self.0.is_of_interest(&activator.revision) {
                self.0.sender.offer(Event::Activator(activator));
            }
        }
        Ok(n_not_understood)
    }
}

/// The queue-proxies: the autoscaler's own input, there on every install.
pub(crate) struct QueueProxies {
    /// See [`Common`].
    pub(crate) common: Common,
    /// Tells when a text that was not there may be asked for again.
    pub(crate) clock: Clock,
    /// When the texts are worth asking for.
    pub(crate) text_after: At,
    /// Where the next part begins when not all pods can be read.
    pub(crate) next_pod: usize,
}

impl Meaning for QueueProxies {
    fn rests(&self) -> Option<&'static str> {
        self.common.roster.is_complete().then_some("no running pod")
    }

    fn targets(&mut self) -> Result<Vec<Target>, Trouble> {
        let focus = self.common.focus.borrow().clone().map(|name| (name.namespace, name.name));
        let pods = self.common.roster.of_revisions(focus.as_ref());
        if pods.is_empty() && self.common.roster.is_blind() {
            return Err(Trouble::denied(
                "which pods there are is unknown: may not list pods",
                "kubectl auth can-i list pods",
            ));
        }
        let wants_text = self.text_after <= self.clock.at();
        if wants_text && !pods.is_empty() {
            self.text_after = self.clock.at() + TEXT_EVERY;
        }
        let n_read = pods.len().min(MAX_QUEUE_PROXIES);
        let first_pod = if n_read < pods.len() { self.next_pod } else { 0 };
        self.next_pod = first_pod.wrapping_add(n_read);
        let part = (0..n_read).map(|idx| &pods[(first_pod + idx) % pods.len()]);
        Ok(part
            .map(|pod| {
                let pod = Name { namespace: pod.id.namespace.clone(), name: pod.id.name.clone() };
                let mut pages = vec![(proxy_path(&pod, METRICS_PORT), "application/protobuf")];
                if wants_text {
                    pages.push((proxy_path(&pod, USER_METRICS_PORT), TEXT));
                }
                Target { pod, pages }
            })
            .collect())
    }

    fn take(&mut self, reading: Reading) -> Result<u64, Trouble> {
        let Reading { target, pages, at, .. } = reading;
        let mut pages = pages.into_iter();
        let message = pages.next().unwrap_or(Err(FetchError::Transport("not asked".to_owned())));
        let stat = message.as_ref().ok().and_then(|body| stat::decode(body));
        let mut event =
            QueueProxy { pod: target.pod.clone(), read: at, stat, ..QueueProxy::default() };
        let mut n_not_understood = u64::from(message.is_ok() && stat.is_none());
        match pages.next() {
            Some(Ok(body)) => {
                let text = exposition::parse(&String::from_utf8_lossy(&body), knative::is_wanted);
                n_not_understood += text.n_not_understood;
                (event.queue_depth, event.requests_total) = knative::queue_proxy(&text);
            }
            Some(Err(_)) if message.is_ok() => self.text_after = at + TEXT_AGAIN_AFTER,
            Some(Err(_)) | None => {}
        }
        self.common.sender.offer(Event::QueueProxy(event));
        match message {
            Ok(_) => Ok(n_not_understood),
            Err(error) if error.is_denied() => {
                Err(self.common.trouble(&error, "queue-proxy", &target.pod))
            }
            Err(error) => Err(Trouble::failing(format!("{}: {error}", target.pod.name))),
        }
    }
}
