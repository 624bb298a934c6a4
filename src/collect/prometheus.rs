//! A Prometheus server in place of the scrapes of autoscaler and activators.
//!
//! It scrapes them as seldom as it was told to, so every reading carries the moment of its scrape
//! and how often there is one; what it is worth after a while is for the model to say.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::Event;
use crate::event::scaler::Origin;
use crate::units::At;
use crate::units::UnixMicros;

use super::components::Common;
use super::components::metrics_remedy;
use super::fetch::Door;
use super::fetch::FetchError;
use super::health::Health;
use super::health::Trouble;
use super::knative;
use super::lease::Owners;
use super::probe::Finding;
use super::probe::Verdict;
use super::promql;
use super::promql::AnswerError;
use super::promql::Generation;
use super::promql::Scrape;

/// Its name among the sources.
pub(crate) const SOURCE: &str = "prometheus";
/// The span of the first question: most servers scrape each fifteen or thirty seconds.
const FIRST_SPAN: Duration = Duration::from_secs(90);
/// The longest span of raw samples; of a longer one only steps are asked for.
const RAW_MAX: Duration = Duration::from_secs(120);
/// The longest outage that is filled.
const OUTAGE_MAX: Duration = Duration::from_secs(900);
/// Between two questions, at least and at most.
pub(crate) const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// How often its clock is compared with ours.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// Asks a Prometheus server.
pub(crate) struct Prometheus {
    /// See [`Common`].
    pub(crate) common: Common,
    /// How the server is reached.
    pub(crate) door: Door,
    /// What stands before the API's own path.
    pub(crate) base: String,
    /// Who decides for which revision.
    pub(crate) owners: watch::Receiver<Option<Owners>>,
    /// Whether it tells of panic; `None` until it is known.
    pub(crate) speaks: watch::Sender<Option<bool>>,
    /// The account of this source.
    pub(crate) health: Health,
    /// Our clock.
    pub(crate) clock: Clock,
}

/// What is known of the server from question to question.
#[derive(Debug, Default)]
struct Memory {
    generation: Generation,
    /// The newest scrape of each target that was told.
    told: BTreeMap<String, UnixMicros>,
    /// How often targets are scraped, as far as seen.
    every: Option<Duration>,
    /// How far its clock is ahead of ours, in microseconds, and when that was asked.
    ahead: Option<(i64, At)>,
}

/// What came of one question.
struct Round {
    scrapes: Vec<Scrape>,
    n_not_understood: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Where a server is: an address, or `NAMESPACE/SERVICE:PORT` through the API server. What stands
/// before the API's own path, and how it is called on the screen.
pub(crate) fn place(url: &str) -> (String, String) {
    if url.contains("://") {
        return (url.trim_end_matches('/').to_owned(), without_password(url));
    }
    let (namespace, service) = url.split_once('/').unwrap_or(("default", url));
    let base = format!("/api/v1/namespaces/{namespace}/services/{service}/proxy");
    (base, format!("API server service proxy, {namespace}/{service}"))
}

/// Whether a place is behind the API server.
pub(crate) fn is_in_cluster(url: &str) -> bool {
    !url.contains("://")
}

/// An address without user and password.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let n_authority = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(n_authority);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

// === impl Prometheus ===

impl Prometheus {
    /// Asks until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let mut memory = Memory::default();
        loop {
            let began = self.clock.at();
            let asked = self.ask(&mut memory).await;
            let took = self.clock.at().since(began);
            match asked {
                Ok(round) => self.tell(&mut memory, round, took).await,
                Err(error) => {
                    self.speaks.send_replace(Some(false));
                    self.health.trouble(trouble(&error)).await;
                }
            }
            let every = memory.every.map_or(EVERY.0, |every| (every / 3).clamp(EVERY.0, EVERY.1));
            tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    async fn get(&self, path: &str) -> Result<bytes::Bytes, FetchError> {
        self.door.get(&format!("{}{path}", self.base), "application/json").await
    }

    /// The samples since the last question, in whichever generation there are any.
    async fn ask(&self, memory: &mut Memory) -> Result<Round, AskError> {
        self.compare_clocks(memory).await?;
        loop {
            let path = self.question(memory);
            let answer = match self.get(&path).await {
                Ok(body) => promql::scrapes(&body).map_err(AskError::from),
                Err(error) => Err(error.into()),
            };
            let (scrapes, n_not_understood) = match answer {
                Ok(answer) => answer,
                // An older server does not know quoted labels, and has none.
                Err(error) if !memory.generation.is_first() && is_syntax(&error) => (Vec::new(), 0),
                Err(error) => return Err(error),
            };
            if !scrapes.is_empty() || self.common.namespace.is_none() {
                return Ok(Round { scrapes, n_not_understood });
            }
            memory.generation = memory.generation.next();
            if memory.generation.is_first() {
                return Ok(Round { scrapes, n_not_understood });
            }
        }
    }

    /// What to ask: raw samples, or steps after a long outage of ours.
    fn question(&self, memory: &Memory) -> String {
        let namespace = self.common.namespace.as_deref();
        let now = memory.server(self.clock.wall());
        let newest = memory.told.values().max();
        let silent = newest.map(|newest| now.since(*newest).unwrap_or_default());
        let every = memory.every.unwrap_or(EVERY.1);
        match (silent, newest) {
            (Some(silent), Some(newest)) if RAW_MAX < silent && silent < OUTAGE_MAX => {
                promql::range(memory.generation, namespace, (*newest, now), every)
            }
            (Some(silent), _) if silent <= RAW_MAX => {
                promql::raw(memory.generation, namespace, silent + every * 2)
            }
            _ => promql::raw(memory.generation, namespace, FIRST_SPAN),
        }
    }

    async fn compare_clocks(&self, memory: &mut Memory) -> Result<(), AskError> {
        let before = self.clock.at();
        if memory.ahead.is_some_and(|(_, asked)| before.since(asked) < CLOCK_EVERY) {
            return Ok(());
        }
        let theirs = promql::number(&self.get(promql::CLOCK).await?)?;
        let ours = self.clock.wall().0 - micros(self.clock.at().since(before) / 2);
        #[expect(clippy::cast_possible_truncation, reason = "a clock")]
        let ahead = theirs.map(|seconds| (seconds * 1e6) as i64 - ours);
        // Less than a second is nothing: its answer has milliseconds, ours took some.
        let ahead = ahead.filter(|ahead| 1_000_000 < ahead.abs()).unwrap_or(0);
        memory.ahead = Some((ahead, before));
        Ok(())
    }

    async fn tell(&mut self, memory: &mut Memory, round: Round, took: Duration) {
        let news = memory.news(round.scrapes);
        for scrape in &news {
            self.offer(memory, scrape);
        }
        let now = memory.server(self.clock.wall());
        let newest = memory.told.values().max().copied();
        // Its clock may be a little ahead.
        let age = newest.map(|newest| now.since(newest).unwrap_or_default());
        let patience = memory.every.unwrap_or(FIRST_SPAN) * 3 + Duration::from_secs(5);
        match age {
            Some(age) if age < patience => {
                self.speaks.send_replace(Some(true));
                let every = memory.every.map_or_else(String::new, |every| {
                    format!("scraped every {} s", every.as_secs())
                });
                self.health.ok_but(Some(took), round.n_not_understood, &every).await;
            }
            Some(age) => {
                self.speaks.send_replace(Some(false));
                let reason = format!(
                    "its newest sample is {} s old: it does not scrape Knative's autoscaler now",
                    age.as_secs()
                );
                self.health.trouble(Trouble::failing(reason)).await;
            }
            None => {
                self.speaks.send_replace(Some(false));
                let trouble = self.nothing().await;
                match trouble {
                    Some(trouble) => self.health.trouble(trouble).await,
                    None => self.health.resting("no revision of this namespace yet").await,
                }
            }
        }
    }

    /// Why there is nothing: no series at all is a trouble, none of ours is not.
    async fn nothing(&self) -> Option<Trouble> {
        let body = match self.get(&promql::count()).await {
            Ok(body) => body,
            Err(error) => return Some(trouble(&error.into())),
        };
        match promql::number(&body) {
            Ok(Some(_)) => None,
            Ok(None) => Some(absent(&self.common.system)),
            Err(error) => Some(trouble(&error.into())),
        }
    }

    fn offer(&self, memory: &Memory, scrape: &Scrape) {
        let read = self.clock.anchor().at(memory.ours(scrape.at));
        let owners = self.owners.borrow();
        for mut autoscaler in knative::autoscalers(&scrape.text, &scrape.pod, read).0 {
            if self.common.is_of_interest(&autoscaler.revision) {
                let owner = owners.as_ref().and_then(|owners| owners.owner(&autoscaler.revision));
                // An address is no pod's name, and tells nothing of who owns what.
                autoscaler.owner =
                    owner.filter(|_| !scrape.pod.contains(':')).map(|owner| owner == scrape.pod);
                (autoscaler.origin, autoscaler.every) = (Origin::Prometheus, memory.every);
                self.common.sender.offer(Event::Autoscaler(Box::new(autoscaler)));
            }
        }
        for mut activator in knative::activators(&scrape.text, &scrape.pod, read).0 {
            if self.common.is_of_interest(&activator.revision) {
                activator.every = memory.every;
                self.common.sender.offer(Event::Activator(activator));
            }
        }
    }
}

// === impl Memory ===

impl Memory {
    /// The scrapes that were not told yet, the oldest first; and how far they lie apart.
    fn news(&mut self, scrapes: Vec<Scrape>) -> Vec<Scrape> {
        let mut last = BTreeMap::<String, UnixMicros>::new();
        let mut spans = Vec::new();
        let mut news = Vec::new();
        for scrape in scrapes {
            if let Some(before) = last.insert(scrape.pod.clone(), scrape.at) {
                spans.extend(scrape.at.since(before).filter(|span| !span.is_zero()));
            }
            if self.told.get(&scrape.pod).is_none_or(|told| *told < scrape.at) {
                self.told.insert(scrape.pod.clone(), scrape.at);
                news.push(scrape);
            }
        }
        // The middle one, so that a missed scrape does not count.
        spans.sort_unstable();
        if let Some(span) = spans.get(spans.len() / 2) {
            self.every = Some(*span);
        }
        // Pods come and go.
        let newest = self.told.values().max().copied();
        self.told.retain(|_, at| {
            newest.is_none_or(|newest| newest.since(*at).unwrap_or_default() < OUTAGE_MAX)
        });
        news
    }

    fn ahead(&self) -> i64 {
        self.ahead.map_or(0, |(ahead, _)| ahead)
    }

    /// A moment of our clock by the server's.
    fn server(&self, ours: UnixMicros) -> UnixMicros {
        UnixMicros(ours.0.saturating_add(self.ahead()))
    }

    /// A moment of the server's clock by ours.
    fn ours(&self, theirs: UnixMicros) -> UnixMicros {
        UnixMicros(theirs.0.saturating_sub(self.ahead()))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Whether the server did not understand the question.
fn is_syntax(error: &AskError) -> bool {
    match error {
        AskError::Fetch(FetchError::Status { code, .. }) => *code == 400,
        AskError::Answer(AnswerError::Refused(_)) => true,
        _ => false,
    }
}

fn trouble(error: &AskError) -> Trouble {
    match error {
        AskError::Fetch(error) if error.is_denied() => Trouble::denied(
            "may not reach the Prometheus server through the API server",
            "ask for get on services/proxy in its namespace, or give its address",
        ),
        AskError::Fetch(FetchError::Status { code: code @ (401 | 403), .. }) => Trouble::denied(
            format!("the Prometheus server wants a login (HTTP {code})"),
            "write user and password into the address: https://USER:PASSWORD@HOST",
        ),
        error => Trouble::failing(error.to_string()),
    }
}

fn absent(system: &str) -> Trouble {
    Trouble::absent(
        "the Prometheus server has no series of Knative's autoscaler: it does not scrape it, or its metrics are off",
        metrics_remedy(system, "autoscaler"),
    )
}

/// What `doctor` says of a server.
pub(super) async fn examine(door: &Door, base: &str, system: &str) -> Finding {
    let name = "panic, by Prometheus";
    let body = match door.get(&format!("{base}{}", promql::count()), "application/json").await {
        Ok(body) => body,
        Err(error) => return Finding::new(name, Verdict::Bad, error.to_string()),
    };
    match promql::number(&body) {
        Ok(Some(n)) => Finding::new(name, Verdict::Good, format!("{n} series of Knative's")),
        Ok(None) => {
            let trouble = absent(system);
            Finding::new(name, Verdict::Poor, trouble.reason).remedy(trouble.remedy)
        }
        Err(error) => Finding::new(name, Verdict::Bad, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::bus::Bus;
    use crate::collect::roster::Roster;
    use crate::collect::world;
    use crate::collect::world::Answer;
    use crate::event::scaler::Autoscaler;
    use crate::event::source::State;
    use crate::tasks;

    /// A small Prometheus server in virtual time: it scrapes `text` every so many seconds while it
    /// does, and answers the handful of questions that we ask.
    struct Server {
        clock: Clock,
        every: u32,
        /// From when on it does not scrape.
        stops: u32,
        ahead: i64,
        text: fn(u32) -> String,
        asked: mpsc::Sender<String>,
    }

    impl Server {
        fn new(
            (clock, asked): (Clock, mpsc::Sender<String>),
            every: u32,
            text: fn(u32) -> String,
        ) -> Self {
            Self { clock, every, stops: u32::MAX, ahead: 0, text, asked }
        }

        fn now(&self) -> f64 {
            #[expect(clippy::cast_precision_loss, reason = "a clock")]
            let now = (self.clock.wall().0 + self.ahead) as f64;
            now / 1e6
        }

        fn answer(&self, path: &str) -> Answer {
            let path = percent(path);
            let _ = self.asked.send(path.clone());
            if path.ends_with("query=time()") {
                let now = self.now();
                return success(&json!([now, now.to_string()]));
            }
            let is_of_namespace = path.contains("k8s_namespace_name=\"default\"");
            if path.contains("count(") {
                return success(&json!([{"metric": {}, "value": [self.now(), "17"]}]));
            }
            if !is_of_namespace {
                return success(&json!([]));
            }
            let began = self.now() - self.clock.at().as_secs_f64();
            let span = match path.split_once("}[") {
                Some((_, rest)) => rest.split('s').next().unwrap().parse::<f64>().unwrap(),
                // A range: as long as there is anything.
                None => 1e6,
            };
            let now = self.clock.at().as_secs_f64();
            let moments = (0..).map(|n| n * self.every);
            let moments = moments.take_while(|at| f64::from(*at) <= now && *at <= self.stops);
            let mut all: Vec<Value> = Vec::new();
            for at in moments.filter(|at| now - span < f64::from(*at)) {
                let body = promql::tests::answer(&(self.text)(at), "a", &[began + f64::from(at)]);
                all.extend(body["data"]["result"].as_array().unwrap().clone());
            }
            success(&json!(all))
        }
    }

    fn success(result: &Value) -> Answer {
        Answer::json(&json!({"status": "success", "data": {"resultType": "", "result": result}}))
    }

    /// An address as it was before it was encoded.
    fn percent(path: &str) -> String {
        let mut plain = Vec::new();
        let mut bytes = path.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                let hex = std::str::from_utf8(&hex).unwrap().to_owned();
                plain.push(u8::from_str_radix(&hex, 16).unwrap());
            } else {
                plain.push(byte);
            }
        }
        String::from_utf8(plain).unwrap()
    }

    fn text(at: u32) -> String {
        let labels = "k8s_namespace_name=\"default\",kn_revision_name=\"r\"";
        let panics = u8::from((20..40).contains(&at));
        format!(
            "kn_revision_panic_mode{{{labels}}} {panics}\n\
             kn_revision_pods_desired{{{labels}}} {at}\n\
             kn_revision_request_concurrency{{{labels}}} 3\n"
        )
    }

    /// The hand before such a server.
    fn hand(
        server: impl FnOnce((Clock, mpsc::Sender<String>)) -> Server,
    ) -> (Bus, watch::Receiver<Option<bool>>, mpsc::Receiver<String>, impl Drop) {
        let (sender, bus, clock) = world::room();
        let (asked_in, asked) = mpsc::channel();
        let server = server((clock, asked_in));
        let health = Health::new(SOURCE, sender.clone(), clock);
        let client = health.meter().client(&world::client(move |_, path| server.answer(path)));
        let (speaks_in, speaks) = watch::channel(None);
        let (_, owners) = watch::channel(None);
        let common = Common {
            system: "knative-serving".to_owned(),
            namespace: Some("default".to_owned()),
            url: None,
            roster: Roster::new(),
            sender,
            focus: watch::channel(None).1,
        };
        let (base, _) = place("monitoring/prometheus:9090");
        let door = Door::ApiServer(client);
        let hand = Prometheus { common, door, base, owners, speaks: speaks_in, health, clock };
        (bus, speaks, asked, tasks::spawn(hand.run(CancellationToken::new())))
    }

    fn readings(facts: &[Event]) -> Vec<&Autoscaler> {
        facts
            .iter()
            .filter_map(|fact| match fact {
                Event::Autoscaler(reading) => Some(&**reading),
                _ => None,
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn every_scrape_is_told_once_with_its_own_moment() {
        let (mut bus, speaks, asked, _task) = hand(|clock| Server::new(clock, 15, text));
        let (facts, reports) = world::said(&mut bus, 61).await;
        let told: Vec<_> =
            readings(&facts).iter().map(|it| (it.read.as_secs_f64().round(), it.panic)).collect();
        let expected = [(0.0, false), (15.0, false), (30.0, true), (45.0, false), (60.0, false)];
        assert_eq!(told, expected.map(|(at, panics)| (at, Some(panics))));
        let last = readings(&facts).last().copied().unwrap().clone();
        assert_eq!((last.origin, last.every), (Origin::Prometheus, Some(Duration::from_secs(15))));
        assert_eq!((last.pod.as_str(), last.desired), ("a", Some(60.0)));
        let n_activators = facts.iter().filter(|it| matches!(it, Event::Activator(_))).count();
        assert_eq!(n_activators, 5);
        let report = reports.last().unwrap();
        assert_eq!((report.state, report.reason.as_str()), (State::Ok, "scraped every 15 s"));
        assert!(0 < report.requests && 0 < report.bytes, "its cost is counted: {report:?}");
        assert_eq!(*speaks.borrow(), Some(true));
        let asked: Vec<String> = asked.try_iter().collect();
        assert!(asked[0].starts_with(
            "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?"
        ));
        assert!(asked.len() < 30, "seldom, where scrapes are seldom: {}", asked.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_no_longer_scrapes_is_failing_with_the_age() {
        let (mut bus, speaks, _, _task) =
            hand(|clock| Server { stops: 30, ..Server::new(clock, 2, text) });
        let (facts, reports) = world::said(&mut bus, 60).await;
        assert_eq!(readings(&facts).len(), 16);
        let report = reports.last().unwrap();
        assert_eq!(report.state, State::Failing);
        assert!(report.reason.starts_with("its newest sample is "), "{}", report.reason);
        assert_eq!(*speaks.borrow(), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_ahead_is_put_right() {
        let (mut bus, _, _, _task) =
            hand(|clock| Server { ahead: 90_000_000, ..Server::new(clock, 5, text) });
        let (facts, _) = world::said(&mut bus, 11).await;
        let told: Vec<_> =
            readings(&facts).iter().map(|it| it.read.as_secs_f64().round()).collect();
        assert_eq!(told, [0.0, 5.0, 10.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_knative_is_absent_and_one_without_ours_is_not() {
        let none = |_: u32| String::new();
        let (mut bus, _, _, _task) = hand(|clock| Server::new(clock, 5, none));
        let (_, reports) = world::said(&mut bus, 5).await;
        let report = reports.last().unwrap();
        assert_eq!(
            (report.state, report.reason.as_str()),
            (State::Ok, "no revision of this namespace yet")
        );
        let (sender, mut bus, clock) = world::room();
        let health = Health::new(SOURCE, sender.clone(), clock);
        let client = health.meter().client(&world::client(|_, path| {
            if path.contains("time()") {
                return success(&json!([1.0, "1.0"]));
            }
            success(&json!([]))
        }));
        let door = Door::ApiServer(client);
        let finding = examine(&door, "", "knative-serving").await;
        assert_eq!(finding.verdict, Verdict::Poor);
        assert!(finding.remedy.contains("metrics-protocol"), "{}", finding.remedy);
        drop(sender);
        let _ = world::said(&mut bus, 1).await;
    }

    #[test]
    fn a_password_is_not_shown() {
        let (base, shown) = place("https://me:secret@host:9090/prom/");
        assert_eq!(
            (base.as_str(), shown.as_str()),
            ("https://me:secret@host:9090/prom", "https://host:9090/prom/")
        );
        let (base, _) = place("monitoring/prometheus-operated:9090");
        assert_eq!(base, "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy");
        assert!(is_in_cluster("monitoring/x") && !is_in_cluster("http://x"));
    }
}
