//! The autoscaler's log, followed through the API: where panic stands when no metrics do.
//!
//! A stock install exports no metrics since Knative 1.19, but at its default level the autoscaler
//! writes a line when panic begins and when it ends. The lines of the last minutes are read first,
//! so that a panic which goes on already is known.

use std::collections::HashMap;
use std::convert::Infallible;

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::cluster::Name;
use crate::event::scaler::AutoscalerLog;
use crate::event::scaler::LogLine;
use crate::tasks;
use crate::units::UnixMicros;
use crate::units::clean;

use super::backoff::Backoff;
use super::backoff::UNTIL_MENDED;
use super::health::Health;
use super::health::TELL_EVERY;
use super::health::Trouble;
use super::knative::MAX_NAME;
use super::kubeconfig::words;
use super::roster::Roster;

/// How far back the first reading goes.
const HISTORY_S: u32 = 600;
/// The longest line that is looked at; longer ones are skipped.
const MAX_LINE: usize = 64 << 10;

/// Follows the logs of all autoscaler pods while the metrics are silent. Only the owner of a
/// revision writes about it, so no line has to be chosen.
pub(crate) struct AutoscalerLogs {
    /// Asks the API server, metered.
    pub(crate) client: Client,
    /// Knative's own namespace.
    pub(crate) system: String,
    /// The namespace whose revisions are of interest; `None` is all.
    pub(crate) namespace: Option<String>,
    /// The pods.
    pub(crate) roster: Roster,
    /// Whether the metrics tell of panic.
    pub(crate) speaks: watch::Receiver<Option<bool>>,
    /// Where lines go.
    pub(crate) sender: Sender,
    /// Tells how far back the first reading goes.
    pub(crate) clock: Clock,
    /// The account of this source.
    pub(crate) health: Health,
}

/// What a follower says of itself.
enum Said {
    Opened,
    Lines { n_not_understood: u64 },
    Trouble(Trouble),
}

impl AutoscalerLogs {
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        self.health.describe("API server, followed", None);
        let (said_in, mut said) = mpsc::channel(64);
        let mut followers = HashMap::<String, AbortOnDropHandle<()>>::new();
        let mut tick = tokio::time::interval(TELL_EVERY);
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                Some(said) = said.recv() => match said {
                    Said::Opened => self.health.ok(None, 0).await,
                    Said::Lines { n_not_understood } => self.health.ok(None, n_not_understood).await,
                    Said::Trouble(trouble) => self.health.trouble(trouble).await,
                },
                _ = tick.tick() => self.follow(&mut followers, &said_in).await,
            }
        }
    }

    /// Begins to follow the pods that are new, and stops with those that are gone.
    async fn follow(
        &mut self,
        followers: &mut HashMap<String, AbortOnDropHandle<()>>,
        said: &mpsc::Sender<Said>,
    ) {
        let speaks = *self.speaks.borrow();
        match speaks {
            None => return self.health.tell().await,
            Some(true) => {
                followers.clear();
                return self.health.resting("standing by: the autoscaler's metrics speak").await;
            }
            Some(false) => {}
        }
        let pods = self.roster.component(&self.system, "autoscaler");
        followers.retain(|name, _| pods.iter().any(|pod| pod.id.name == *name));
        for pod in &pods {
            if followers.contains_key(&pod.id.name) {
                continue;
            }
            let follower = Follower {
                client: self.client.clone(),
                system: self.system.clone(),
                namespace: self.namespace.clone(),
                pod: pod.id.name.clone(),
                sender: self.sender.clone(),
                said: said.clone(),
                clock: self.clock,
                last: None,
            };
            followers.insert(pod.id.name.clone(), tasks::spawn(follower.run()));
        }
        let no_pod = self.roster.no_pod(&self.system, "autoscaler").filter(|_| pods.is_empty());
        if let Some(trouble) = no_pod {
            self.health.trouble(trouble).await;
        } else {
            self.health.tell().await;
        }
    }
}

/// Follows one pod.
struct Follower {
    client: Client,
    system: String,
    namespace: Option<String>,
    pod: String,
    sender: Sender,
    said: mpsc::Sender<Said>,
    clock: Clock,
    /// When the last line was written.
    last: Option<UnixMicros>,
}

impl Follower {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        let mut is_first = true;
        loop {
            let wait = match self.open(is_first).await {
                Ok(body) => {
                    backoff.reset();
                    is_first = false;
                    self.read(body).await;
                    backoff.after_failure()
                }
                Err(trouble) => {
                    let is_denied = trouble.state == crate::event::source::State::Denied;
                    let _ = self.said.send(Said::Trouble(trouble)).await;
                    if is_denied { UNTIL_MENDED } else { backoff.after_failure() }
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn open(&self, is_first: bool) -> Result<Body, Trouble> {
        // The API wants whole seconds; lines of that second which were read already are left out.
        let since = match self.last {
            Some(last) => format!("sinceTime={last}"),
            None => format!("sinceSeconds={HISTORY_S}"),
        };
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/log?container=autoscaler&follow=true&{since}",
            self.system, self.pod
        );
        let request = http::Request::get(path)
            .body(Body::empty())
            .map_err(|error| Trouble::failing(words(&error)))?;
        let sent = self.client.send(request).await;
        let answer = sent.map_err(|error| Trouble::failing(words(&error)))?;
        match answer.status().as_u16() {
            200 => {}
            401 | 403 => {
                return Err(Trouble::denied(
                    format!(
                        "may not read logs in {}: without metrics and logs, panic is unknown",
                        self.system
                    ),
                    format!(
                        "ask for get on pods/log; check with `kubectl -n {} auth can-i get pods/log`",
                        self.system
                    ),
                ));
            }
            code => return Err(Trouble::failing(format!("log of {}: HTTP {code}", self.pod))),
        }
        if is_first {
            let line = AutoscalerLog {
                revision: Name::default(),
                pod: self.pod.clone(),
                written: UnixMicros(self.clock.wall().0 - i64::from(HISTORY_S) * 1_000_000),
                line: LogLine::FollowBegan,
            };
            self.sender.send(Event::AutoscalerLog(line)).await;
        }
        let _ = self.said.send(Said::Opened).await;
        Ok(answer.into_body())
    }

    async fn read(&mut self, mut body: Body) {
        let known_until = self.last;
        let mut lines = Lines::default();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            let mut n_not_understood = 0;
            for line in lines.push(&data) {
                let Ok(line) = serde_json::from_slice::<Value>(&line) else {
                    n_not_understood += 1;
                    continue;
                };
                self.take(&line, known_until).await;
            }
            let _ = self.said.send(Said::Lines { n_not_understood }).await;
        }
    }

    async fn take(&mut self, line: &Value, known_until: Option<UnixMicros>) {
        let Some(written) = line["timestamp"].as_str().and_then(UnixMicros::parse) else { return };
        if known_until.is_some_and(|until| written <= until) {
            return;
        }
        self.last = self.last.max(Some(written));
        let Some((revision, understood)) = understand(line) else { return };
        if self.namespace.as_ref().is_some_and(|namespace| *namespace != revision.namespace) {
            return;
        }
        let pod = self.pod.clone();
        let line = AutoscalerLog { revision, pod, written, line: understood };
        self.sender.send(Event::AutoscalerLog(line)).await;
    }
}

/// The revision that a line is about and what it says, if it says what we know.
fn understand(line: &Value) -> Option<(Name, LogLine)> {
    let (namespace, name) = line["knative.dev/key"].as_str()?.split_once('/')?;
    let message = line["message"].as_str()?;
    let understood = match message {
        "PANICKING." => LogLine::Panicking,
        "Un-panicking." => LogLine::UnPanicking,
        _ if message.starts_with("PA scale got=") => LogLine::PaScale {
            got: number_after(message, "got=")?,
            want: number_after(message, "want=")?,
            desired: number_after(message, "desiredPods=")?,
            ebc: number_after(message, "ebc=")?,
        },
        _ if message.starts_with("Scaling from ") => LogLine::Scaling {
            from: number_after(message, "from ")?,
            to: number_after(message, " to ")?,
        },
        _ => return None,
    };
    let revision = Name { namespace: clean(namespace, MAX_NAME), name: clean(name, MAX_NAME) };
    Some((revision, understood))
}

fn number_after(message: &str, word: &str) -> Option<i64> {
    let (_, rest) = message.split_once(word)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Cuts a stream into lines; a line that is too long is skipped.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    is_skipping: bool,
}

impl Lines {
    /// The lines that are complete now, without their ends.
    fn push(&mut self, data: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in data.split_inclusive(|byte| *byte == b'\n') {
            let is_end = part.ends_with(b"\n");
            if !self.is_skipping {
                self.rest.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            }
            if MAX_LINE < self.rest.len() {
                self.rest.clear();
                self.is_skipping = true;
            }
            if is_end {
                let line = std::mem::take(&mut self.rest);
                if !std::mem::take(&mut self.is_skipping) && !line.is_empty() {
                    lines.push(line);
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::collect::world;
    use crate::collect::world::Answer;
    use crate::collect::world::Then;
    use crate::collect::world::said;
    use crate::event::cluster::Id;
    use crate::event::cluster::Object;
    use crate::event::cluster::Phase;
    use crate::event::cluster::Pod;
    use crate::event::source::State;

    fn log_line(second: u32, message: &str) -> String {
        let stamp = format!("2026-01-01T00:00:{second:02}.5Z");
        let line = json!({"timestamp": stamp, "message": message, "knative.dev/key": "default/r"});
        format!("{line}\n")
    }

    fn follow(
        speaks: watch::Receiver<Option<bool>>,
        world: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (crate::bus::Bus, impl Drop) {
        let (sender, bus, clock) = world::room();
        let roster = Roster::new();
        let pod = Pod {
            id: Id {
                namespace: "knative-serving".to_owned(),
                name: "a".to_owned(),
                uid: "u".to_owned(),
            },
            app: Some("autoscaler".to_owned()),
            phase: Phase::Running,
            ip: "10.0.0.1".to_owned(),
            ..Pod::default()
        };
        roster.note(&Event::Seen(Box::new(Object::Pod(pod))));
        let health = Health::new("autoscaler log", sender.clone(), clock);
        let logs = AutoscalerLogs {
            client: health.meter().client(&world::client(world)),
            system: "knative-serving".to_owned(),
            namespace: None,
            roster,
            speaks,
            sender,
            clock,
            health,
        };
        (bus, tasks::spawn(logs.run(CancellationToken::new())))
    }

    fn lines(facts: Vec<Event>) -> Vec<LogLine> {
        facts
            .into_iter()
            .map(|fact| match fact {
                Event::AutoscalerLog(line) => line.line,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_breaks_off_is_followed_on_and_no_line_is_told_twice() {
        let (speaks_in, speaks) = watch::channel(Some(false));
        let (mut bus, _task) = follow(speaks, |n, path| match n {
            0 => {
                assert!(path.contains("sinceSeconds=600"), "{path}");
                let begun = log_line(1, "PANICKING.") + "not json\n";
                let more = log_line(2, "Scaling from 1 to 9");
                Answer::Stream(vec![(0, begun), (500, more)], Then::End)
            }
            1 => Answer::Refused,
            2 => {
                assert!(path.contains("sinceTime=2026-01-01T00:00:02"), "{path}");
                let again = log_line(2, "Scaling from 1 to 9");
                let more = log_line(9, "Un-panicking.");
                // The last one comes when nobody follows any more.
                let late = log_line(30, "PANICKING.");
                Answer::Stream(vec![(0, again), (0, more), (40_000, late)], Then::Hang)
            }
            _ => Answer::Hang,
        });
        let (facts, reports) = said(&mut bus, 20).await;
        assert_eq!(
            lines(facts),
            [
                LogLine::FollowBegan,
                LogLine::Panicking,
                LogLine::Scaling { from: 1, to: 9 },
                LogLine::UnPanicking
            ]
        );
        let last = reports.last().unwrap();
        assert_eq!((last.state, last.errors, last.not_understood), (State::Ok, 1, 1));
        // The metrics are back.
        speaks_in.send_replace(Some(true));
        let (facts, reports) = said(&mut bus, 60).await;
        assert!(facts.is_empty());
        assert!(reports.last().unwrap().reason.starts_with("standing by"));
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_can_be_known_it_says_so() {
        let (_speaks_in, speaks) = watch::channel(Some(false));
        let (mut bus, _task) = follow(speaks, |_, _| Answer::status(403, "forbidden"));
        let (facts, reports) = said(&mut bus, 10).await;
        assert!(facts.is_empty());
        let last = reports.last().unwrap();
        assert_eq!(last.state, State::Denied);
        assert!(last.reason.contains("panic is unknown"), "{}", last.reason);
    }

    #[test]
    fn lines_are_understood() {
        for (message, expected) in [
            ("PANICKING.", Some(LogLine::Panicking)),
            ("Un-panicking.", Some(LogLine::UnPanicking)),
            (
                "PA scale got=1, want=-1, desiredPods=9 ebc=-201",
                Some(LogLine::PaScale { got: 1, want: -1, desired: 9, ebc: -201 }),
            ),
            ("Scaling from 1 to 9", Some(LogLine::Scaling { from: 1, to: 9 })),
            ("Scaling from somewhere", None),
            ("PA scale got=", None),
            ("Probing activator = true", None),
        ] {
            let line = json!({"message": message, "knative.dev/key": "default/hello-00001"});
            let expected = expected.map(|line| {
                (Name { namespace: "default".to_owned(), name: "hello-00001".to_owned() }, line)
            });
            assert_eq!(understand(&line), expected, "{message}");
        }
        assert_eq!(understand(&json!({"message": "PANICKING."})), None);
        assert_eq!(understand(&json!(7)), None);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_are_cut(
            lines in prop::collection::vec("[a-z]{1,9}", 0..9),
            cut in 1..20usize,
        ) {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            let mut cutter = Lines::default();
            let read: Vec<_> =
                text.as_bytes().chunks(cut).flat_map(|data| cutter.push(data)).collect();
            let read: Vec<_> = read.into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
            prop_assert_eq!(read, lines);
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 4096]).is_empty());
            assert!(lines.rest.len() <= MAX_LINE);
        }
        assert_eq!(lines.push(b"\nshort\n"), [b"short".to_vec()]);
    }
}
