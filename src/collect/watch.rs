//! A kind's watches as events: what is there, what changes, what is gone.
//!
//! The library lists, watches and comes back after a break or a 410. Here what it says is made
//! into facts: after a new listing that which is not there any more is said to be gone, what did
//! not change is not said twice, and a pod of the same name but another uid is another pod.
//!
//! A kind may be watched in two places (pods of the services, and Knative's own). The markers
//! [`Event::Listing`] and [`Event::Listed`] enclose the first listing of all places together;
//! later listings need none, since their differences are told one by one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;

use futures::Stream;
use futures::StreamExt;
use kube::Api;
use kube::Client;
use kube::api::DynamicObject;
use kube::runtime::watcher;
use tokio_util::sync::CancellationToken;

use crate::bus::Sender;
use crate::event::Event;
use crate::event::cluster::Gone;
use crate::event::cluster::Id;
use crate::event::cluster::Kind;
use crate::event::cluster::Object;
use crate::event::source::State;

use super::backoff::Backoff;
use super::backoff::UNTIL_MENDED;
use super::health::Health;
use super::health::TELL_EVERY;
use super::health::Trouble;
use super::kinds;
use super::kubeconfig::words;
use super::meter::Meter;
use super::roster::Roster;

/// A server ends a watch after this long, and a connection that died silently is noticed.
const WATCH_SECS: u32 = 60;
/// The first minor version of Kubernetes that streams lists by default.
const STREAMS_SINCE: u32 = 32;

/// Where a kind is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The namespace; `None` is all of them.
    pub(crate) namespace: Option<String>,
    /// A label selector; empty is everything.
    pub(crate) labels: String,
    /// A field selector; empty is everything.
    pub(crate) fields: String,
}

impl Place {
    /// What carries these labels in a namespace, or in all.
    pub(crate) fn labelled(namespace: Option<&str>, labels: &str) -> Self {
        Self {
            namespace: namespace.map(str::to_owned),
            labels: labels.to_owned(),
            fields: String::new(),
        }
    }

    /// One object.
    pub(crate) fn named(namespace: &str, name: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            labels: String::new(),
            fields: format!("metadata.name={name}"),
        }
    }
}

/// The watches of one kind.
pub(crate) struct Watch {
    /// The kind.
    pub(crate) kind: Kind,
    /// Where.
    pub(crate) places: Vec<Place>,
    /// Whether the server streams lists.
    pub(crate) streams_lists: bool,
    /// Asks the server, metered.
    pub(crate) client: Client,
    /// Where the facts go.
    pub(crate) sender: Sender,
    /// The account of this source.
    pub(crate) health: Health,
    /// Who else wants to know of the pods.
    pub(crate) roster: Roster,
    /// The plain Deployment whose pods are in the first place: they have no revision's label.
    pub(crate) deployment: Option<String>,
}

/// Whether a server of this version streams lists unless told otherwise.
pub(crate) fn streams_lists(minor: &str) -> bool {
    let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().is_ok_and(|minor| STREAMS_SINCE <= minor)
}

/// What is known of an object that was told of.
#[derive(Debug)]
struct Told {
    uid: String,
    version: String,
    place: usize,
    listing: u64,
}

/// What was told, so that a new listing can be compared with it.
#[derive(Debug)]
struct Known {
    kind: Kind,
    told: HashMap<(String, String), Told>,
    listings: Vec<u64>,
    is_listed: Vec<bool>,
}

type Item = Result<watcher::Event<DynamicObject>, watcher::Error>;

impl Watch {
    /// Watches until asked to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let meters: Vec<_> = self.places.iter().map(|_| Meter::default()).collect();
        let mut streams = futures::stream::select_all(
            (0..self.places.len()).map(|idx| self.stream(idx, &meters[idx])),
        );
        let mut known = Known::new(self.kind, self.places.len());
        // Of each place that is in trouble, how many requests had gone well before.
        let mut in_trouble = vec![None; self.places.len()];
        let mut tick = tokio::time::interval(TELL_EVERY);
        // Where the objects themselves may not be seen, none is no news.
        let (mut is_closed, mut has_told) = (false, false);
        self.sender.send(Event::Listing(self.kind)).await;
        loop {
            let (place, item) = tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                Some(item) = streams.next() => item,
                _ = tick.tick() => {
                    // A watch that was taken up again says nothing until something changes.
                    let is_back = |(meter, before): (&Meter, &mut Option<u64>)| {
                        before.take_if(|before| *before < meter.n_successes()).is_some()
                    };
                    let n_back = meters.iter().zip(&mut in_trouble).map(is_back).filter(|b| *b).count();
                    if 0 < n_back && in_trouble.iter().all(Option::is_none) {
                        self.all_is_well().await;
                    }
                    self.health.tell().await;
                    continue;
                }
            };
            let was_listed = known.is_all_listed();
            match item {
                // Said before anything was asked.
                Ok(watcher::Event::Init) => known.listings[place] += 1,
                Ok(event) => {
                    // The first ones of a list are not yet all that there is.
                    let is_listing = matches!(event, watcher::Event::InitApply(_));
                    is_closed &= place != 0 || is_listing;
                    for mut fact in known.facts(place, event) {
                        if place == 0 {
                            self.adopt(&mut fact);
                        }
                        self.roster.note(&fact);
                        self.sender.send(fact).await;
                    }
                    in_trouble[place] = None;
                    // One place that answers does not make another one open.
                    if known.is_all_listed() && in_trouble.iter().all(Option::is_none) {
                        self.all_is_well().await;
                    }
                }
                // Most clusters have no KEDA, and miss nothing.
                Err(error)
                    if self.kind == Kind::ScaledObject && status_code(&error) == Some(404) =>
                {
                    known.is_listed[place] = true;
                    self.health.resting("KEDA is not installed: there are no ScaledObjects").await;
                }
                Err(error) => {
                    let trouble = self.trouble(&self.places[place], &error);
                    // A place that is closed must not keep the others from being complete.
                    known.is_listed[place] |= trouble.state != State::Failing;
                    if place == 0 {
                        is_closed = trouble.state == State::Denied;
                    }
                    in_trouble[place] = Some(meters[place].n_successes());
                    if self.kind == Kind::Pod && trouble.state == State::Denied {
                        self.roster.set_blind(true);
                    }
                    self.health.trouble(trouble).await;
                }
            }
            if !was_listed && known.is_all_listed() {
                self.roster.note(&Event::Listed(self.kind));
            }
            if !has_told && !is_closed && known.is_all_listed() {
                has_told = true;
                self.sender.send(Event::Listed(self.kind)).await;
            }
        }
    }

    /// A pod of the plain Deployment counts as one of a revision of that name.
    fn adopt(&self, fact: &mut Event) {
        if let (Some(deployment), Event::Seen(object)) = (&self.deployment, fact)
            && let Object::Pod(pod) = &mut **object
        {
            pod.revision.get_or_insert_with(|| deployment.clone());
        }
    }

    async fn all_is_well(&mut self) {
        if self.kind == Kind::Pod {
            self.roster.set_blind(false);
        }
        self.health.ok(None, 0).await;
    }

    fn stream(
        &self,
        idx: usize,
        meter: &Meter,
    ) -> Pin<Box<dyn Stream<Item = (usize, Item)> + Send>> {
        let (place, resource) = (&self.places[idx], kinds::resource(self.kind));
        let client = meter.client(&self.client);
        let api: Api<DynamicObject> = match &place.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let mut config = watcher::Config::default().timeout(WATCH_SECS);
        config.label_selector = (!place.labels.is_empty()).then(|| place.labels.clone());
        config.field_selector = (!place.fields.is_empty()).then(|| place.fields.clone());
        if self.streams_lists {
            config = config.streaming_lists();
        }
        paced(api, config).map(move |item| (idx, item)).boxed()
    }

    fn trouble(&self, place: &Place, error: &watcher::Error) -> Trouble {
        let resource = kinds::resource(self.kind);
        let what = if resource.group.is_empty() {
            resource.plural.clone()
        } else {
            format!("{}.{}", resource.plural, resource.group)
        };
        let (scope, flag) = match &place.namespace {
            Some(namespace) => (format!("in namespace {namespace}"), format!("-n {namespace}")),
            None => ("in all namespaces".to_owned(), "-A".to_owned()),
        };
        match status_code(error) {
            Some(401) => Trouble::denied(
                "the API server does not accept our credentials",
                "log in again; check with `kubectl auth whoami`",
            ),
            Some(403) => Trouble::denied(
                format!("may not list and watch {what} {scope}"),
                format!(
                    "ask for get, list and watch; check with `kubectl auth can-i watch {what} {flag}`"
                ),
            ),
            Some(404) => Trouble::absent(
                format!("this cluster has no {what}"),
                "install Knative Serving: `kubectl apply -f https://github.com/knative/serving/releases/latest/download/serving-crds.yaml`, then serving-core.yaml",
            ),
            _ => Trouble::failing(words(error)),
        }
    }
}

/// The library's watch, waiting after an error, and without streamed lists if the server
/// refuses them.
fn paced(api: Api<DynamicObject>, config: watcher::Config) -> impl Stream<Item = Item> + Send {
    struct Paced {
        api: Api<DynamicObject>,
        config: watcher::Config,
        inner: Pin<Box<dyn Stream<Item = Item> + Send>>,
        backoff: Backoff,
        wait: Option<std::time::Duration>,
    }
    let inner = watcher(api.clone(), config.clone()).boxed();
    let start = Paced { api, config, inner, backoff: Backoff::new(), wait: None };
    futures::stream::unfold(start, async |mut state| {
        if let Some(wait) = state.wait.take() {
            tokio::time::sleep(wait).await;
        }
        let item = state.inner.next().await?;
        match &item {
            // An `Init` is said before anything was asked.
            Ok(watcher::Event::Init) => {}
            Ok(_) => state.backoff.reset(),
            Err(error) => match status_code(error) {
                Some(400 | 422) if state.config != list_first(&state.config) => {
                    state.config = list_first(&state.config);
                    state.inner = watcher(state.api.clone(), state.config.clone()).boxed();
                }
                Some(401 | 403 | 404) => state.wait = Some(UNTIL_MENDED),
                // Listing anew cures it; there is nothing to wait for.
                Some(410) => {}
                _ => state.wait = Some(state.backoff.after_failure()),
            },
        }
        Some((item, state))
    })
}

fn list_first(config: &watcher::Config) -> watcher::Config {
    let mut config = config.clone();
    config.initial_list_strategy = watcher::InitialListStrategy::ListWatch;
    config
}

/// The API server's code, if it was the API server that said no.
fn status_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

// === impl Known ===

impl Known {
    fn new(kind: Kind, n_places: usize) -> Self {
        Self {
            kind,
            told: HashMap::new(),
            listings: vec![0; n_places],
            is_listed: vec![false; n_places],
        }
    }

    fn is_all_listed(&self) -> bool {
        self.is_listed.iter().all(|is_listed| *is_listed)
    }

    /// What is new in this.
    fn facts(&mut self, place: usize, event: watcher::Event<DynamicObject>) -> Vec<Event> {
        match event {
            watcher::Event::Init => Vec::new(),
            watcher::Event::InitApply(raw) | watcher::Event::Apply(raw) => self.seen(place, &raw),
            watcher::Event::InitDone => {
                self.is_listed[place] = true;
                self.vanished(place)
            }
            watcher::Event::Delete(raw) => {
                let id = kinds::id(&raw);
                match self.told.remove(&(id.namespace.clone(), id.name.clone())) {
                    Some(told) => vec![self.gone(&id.namespace, &id.name, told.uid)],
                    None => Vec::new(),
                }
            }
        }
    }

    fn seen(&mut self, place: usize, raw: &DynamicObject) -> Vec<Event> {
        let mut facts = Vec::new();
        let Id { namespace, name, uid } = kinds::id(raw);
        let version = raw.metadata.resource_version.clone().unwrap_or_default();
        let key = (namespace, name);
        let now = Told { uid, version, place, listing: self.listings[place] };
        let before = self.told.get(&key).map(|told| (told.uid.clone(), told.version.clone()));
        let is_same = before.as_ref().is_some_and(|(uid, version)| {
            *uid == now.uid && *version == now.version && !version.is_empty()
        });
        if let Some((uid, _)) = before.filter(|(uid, _)| *uid != now.uid) {
            facts.push(self.gone(&key.0, &key.1, uid));
        }
        self.told.insert(key, now);
        if !is_same {
            facts.push(Event::Seen(Box::new(kinds::object(self.kind, raw))));
        }
        facts
    }

    /// What was there before this listing and is not in it.
    fn vanished(&mut self, place: usize) -> Vec<Event> {
        let listing = self.listings[place];
        let keys: Vec<_> = self
            .told
            .iter()
            .filter(|(_, told)| told.place == place && told.listing != listing)
            .map(|(key, _)| key.clone())
            .collect();
        keys.into_iter()
            .filter_map(|key| {
                let told = self.told.remove(&key)?;
                Some(self.gone(&key.0, &key.1, told.uid))
            })
            .collect()
    }

    fn gone(&self, namespace: &str, name: &str, uid: String) -> Event {
        let id = Id { namespace: namespace.to_owned(), name: name.to_owned(), uid };
        Event::Gone(Gone { kind: self.kind, id })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bus::Bus;
    use crate::collect::world;
    use crate::collect::world::Answer;
    use crate::collect::world::Then;
    use crate::collect::world::line;
    use crate::collect::world::list;
    use crate::collect::world::pod;
    use crate::collect::world::said;
    use crate::event::source::Report;
    use crate::tasks;

    /// Watches pods in a world; the watch ends when the handle is dropped.
    fn watch_pods(
        streams_lists: bool,
        world: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (Bus, impl Drop) {
        let (sender, bus, clock) = world::room();
        let health = Health::new("watch pods", sender.clone(), clock);
        let watch = Watch {
            kind: Kind::Pod,
            places: vec![Place::labelled(Some("default"), "")],
            streams_lists,
            client: health.meter().client(&world::client(world)),
            sender,
            health,
            roster: Roster::new(),
            deployment: None,
        };
        (bus, tasks::spawn(watch.run(CancellationToken::new())))
    }

    /// The facts in short.
    fn short(facts: &[Event]) -> Vec<String> {
        facts
            .iter()
            .map(|fact| match fact {
                Event::Seen(object) => match &**object {
                    crate::event::cluster::Object::Pod(pod) => format!("+{}", pod.id.uid),
                    other => panic!("{other:?}"),
                },
                Event::Gone(gone) => format!("-{}", gone.id.uid),
                Event::Listing(_) => "listing".to_owned(),
                Event::Listed(_) => "listed".to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn states(reports: &[Report]) -> Vec<State> {
        let mut states: Vec<_> = reports.iter().map(|report| report.state).collect();
        states.dedup();
        states
    }

    #[tokio::test(start_paused = true)]
    async fn after_410_only_the_differences_are_told() {
        let gone = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old resource version", "reason": "Expired", "code": 410});
        let (mut bus, _watch) = watch_pods(false, move |n, path| match n {
            0 => list(&[pod("a", "a1", 1), pod("b", "b1", 2), pod("c", "c1", 3)], 10),
            1 => {
                assert!(path.contains("resourceVersion=10"), "{path}");
                let added = line("ADDED", &pod("d", "d1", 11));
                Answer::Stream(vec![(1000, added), (1000, line("ERROR", &gone))], Then::End)
            }
            2 => list(&[pod("a", "a1", 1), pod("c", "c2", 12), pod("d", "d1", 11)], 20),
            _ => Answer::Hang,
        });
        let (facts, _) = said(&mut bus, 30).await;
        assert_eq!(
            short(&facts),
            ["listing", "+a1", "+b1", "+c1", "listed", "+d1", "-c1", "+c2", "-b1"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_went_away_is_found_again() {
        let (mut bus, _watch) = watch_pods(false, |n, path| match n {
            0 => list(&[pod("a", "a1", 1)], 10),
            1 => Answer::Stream(vec![(1000, String::new())], Then::End),
            // Refused for a while: each attempt waits longer.
            2..=6 => Answer::Refused,
            7 => {
                assert!(path.contains("resourceVersion=10"), "it goes on where it was: {path}");
                let deleted = line("DELETED", &pod("a", "a1", 11));
                Answer::Stream(
                    vec![(50_000, line("ADDED", &pod("b", "b1", 10))), (0, deleted)],
                    Then::Hang,
                )
            }
            _ => Answer::Hang,
        });
        // Nothing has changed yet, but the watch is known to be there again.
        let (facts, reports) = said(&mut bus, 30).await;
        assert_eq!(short(&facts), ["listing", "+a1", "listed"]);
        assert_eq!(states(&reports), [State::Connecting, State::Ok, State::Failing, State::Ok]);
        let last = reports.last().unwrap();
        assert_eq!((last.errors, last.requests >= 8, last.bytes > 100), (5, true, true));
        assert!(reports.iter().any(|report| report.reason.contains("connection refused")));
        let (facts, _) = said(&mut bus, 60).await;
        assert_eq!(short(&facts), ["+b1", "-a1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_kind_says_what_to_do_and_is_tried_again() {
        let (mut bus, _watch) = watch_pods(true, |n, _| match n {
            0 => Answer::status(403, "pods is forbidden"),
            1 => Answer::Stream(
                vec![(0, line("ADDED", &pod("a", "a1", 1))), (0, initial_end())],
                Then::Hang,
            ),
            _ => Answer::Hang,
        });
        let (facts, reports) = said(&mut bus, 40).await;
        assert_eq!(short(&facts), ["listing", "+a1", "listed"], "before, none is no news");
        assert_eq!(states(&reports), [State::Connecting, State::Denied, State::Ok]);
        let denied = reports.iter().find(|report| report.state == State::Denied).unwrap();
        assert_eq!(denied.reason, "may not list and watch pods in namespace default");
        assert!(denied.remedy.contains("kubectl auth can-i watch pods -n default"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_is_not_installed_is_absent() {
        let (mut bus, _watch) = watch_pods(false, |_, _| Answer::status(404, "not found"));
        let (_, reports) = said(&mut bus, 20).await;
        assert_eq!(states(&reports), [State::Connecting, State::Absent]);
        assert!(reports.last().unwrap().remedy.contains("install Knative"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_refuses_to_stream_is_asked_for_a_list() {
        let (mut bus, _watch) = watch_pods(true, |n, path| match n {
            0 => {
                assert!(path.contains("sendInitialEvents=true"), "{path}");
                Answer::status(422, "sendInitialEvents is forbidden")
            }
            1 => list(&[pod("a", "a1", 1)], 10),
            _ => Answer::Hang,
        });
        let (facts, reports) = said(&mut bus, 20).await;
        assert_eq!(short(&facts), ["listing", "+a1", "listed"]);
        assert_eq!(reports.last().unwrap().state, State::Ok);
    }

    fn initial_end() -> String {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": "10",
            "annotations": {"k8s.io/initial-events-end": "true"}}});
        line("BOOKMARK", &object)
    }

    #[test]
    fn lists_are_streamed_where_servers_do() {
        for (minor, expected) in [("36", true), ("32+", true), ("31", false), ("", false)] {
            assert_eq!(streams_lists(minor), expected, "{minor}");
        }
    }
}
