//! The engine against a server that keeps its own log.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::bus::Bus;
use crate::bus::bus;
use crate::event::Event;
use crate::event::run::By;
use crate::event::run::Control as ControlEvent;
use crate::event::traffic::Interval;
use crate::scenario;
use crate::series::LatencyHistogram;

/// What the server does with one request; it has read the head.
type Script = Arc<dyn Fn(&mut TcpStream, u64) -> bool + Send + Sync>;

/// A server of one thread a connection.
struct Server {
    address: SocketAddr,
    n_requests: Arc<AtomicU64>,
    n_connections: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

impl Server {
    /// `script` gets each request's number and says whether to go on with the connection.
    fn start(script: impl Fn(&mut TcpStream, u64) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            n_requests: Arc::default(),
            n_connections: Arc::default(),
            is_over: Arc::default(),
        };
        let script: Script = Arc::new(script);
        let (n_requests, n_connections) =
            (Arc::clone(&server.n_requests), Arc::clone(&server.n_connections));
        let is_over = Arc::clone(&server.is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                n_connections.fetch_add(1, Ordering::Relaxed);
                let (script, n_requests) = (Arc::clone(&script), Arc::clone(&n_requests));
                std::thread::spawn(move || serve(stream.unwrap(), &script, &n_requests));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn n_requests(&self) -> u64 {
        self.n_requests.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, script: &Script, n_requests: &AtomicU64) {
    let mut head = Vec::new();
    let mut byte = [0; 4096];
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(0) | Err(_) => return,
                Ok(n) => head.extend_from_slice(&byte[..n]),
            }
        }
        head.clear();
        let number = n_requests.fetch_add(1, Ordering::Relaxed);
        if !script(&mut stream, number) {
            return;
        }
    }
}

fn answers(stream: &mut TcpStream, _number: u64) -> bool {
    stream.write_all(OK).is_ok()
}

/// A plan from the load part and the target part of a scenario.
fn plan(url: &str, target: &str, load: &str) -> Plan {
    let text = format!(
        "name: t\ntarget: {{url: '{url}'{target}}}\nrequest: {{path: /x, timeout: 500ms}}\nload: {load}\n"
    );
    scenario::parse(&text, "t").unwrap()
}

/// All that was said of a run.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) intervals: Vec<Interval>,
    stages: Vec<(String, f64)>,
    controls: Vec<ControlEvent>,
}

impl Heard {
    pub(super) fn sum(&self, field: fn(&Interval) -> u64) -> u64 {
        self.intervals.iter().map(field).sum()
    }

    pub(super) fn histogram(
        &self,
        field: fn(&Interval) -> &Option<crate::event::traffic::Histogram>,
    ) -> LatencyHistogram {
        let mut sum = LatencyHistogram::default();
        for encoded in self.intervals.iter().filter_map(|it| field(it).as_ref()) {
            sum.add(&LatencyHistogram::decode(encoded).unwrap());
        }
        sum
    }

    /// Requests that made a choice and were answered.
    fn split(&self, dimension: &str, choice: &str) -> u64 {
        self.intervals
            .iter()
            .filter_map(|it| Some(it.splits.get(dimension)?.get(choice)?.succeeded))
            .sum()
    }

    pub(super) fn errors(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.intervals.iter().flat_map(|it| it.errors.keys().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Traffic(interval) => self.intervals.push(*interval),
            Event::Stage(stage) => self.stages.push((stage.name, stage.at.as_secs_f64())),
            Event::Control(control) => self.controls.push(control),
            _ => {}
        }
    }

    /// What must hold of every run.
    fn check(&self) {
        let offered = self.sum(|it| it.offered);
        let ended = self.sum(|it| it.succeeded + it.failed + it.dropped);
        assert_eq!(offered, ended, "every request that fell due is accounted for");
        for pair in self.intervals.windows(2) {
            assert_eq!(pair[0].began + pair[0].lasted, pair[1].began, "without gap or overlap");
        }
    }
}

/// Runs a plan to its end, with what is to be done to the engine meanwhile.
pub(super) fn run_with(plan: Plan, act: impl AsyncFnOnce(&Engine)) -> Heard {
    let url = match &plan.target.address {
        plan::Address::Url { url, .. } => url.clone(),
        plan::Address::Service { .. } => unreachable!("a test has an address"),
    };
    let found = Found { url, host: None, via: String::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let (sender, mut bus): (Sender, Bus) = bus(1000, clock);
        let engine = Engine::start(EngineSpec::new(plan, &found, clock).unwrap(), sender).unwrap();
        let mut heard = Heard::default();
        let acting = async {
            act(&engine).await;
            engine.plan_done().await;
            engine.stop();
            engine.ended().await;
        };
        tokio::pin!(acting);
        loop {
            tokio::select! { biased;
                Some(stamped) = bus.recv() => heard.take(stamped.event),
                () = &mut acting => break,
            }
        }
        while let Some(stamped) = bus.try_recv() {
            heard.take(stamped.event);
        }
        heard.check();
        heard
    })
}

pub(super) fn run(plan: Plan) -> Heard {
    run_with(plan, async |_: &Engine| {})
}

#[test]
fn counts_agree_with_the_server_to_the_last_one() {
    let server = Server::start(answers);
    let load = "{arrivals: even, stages: [{name: a, for: 400ms, at: 100/s}, {name: b, for: 400ms, to: 900/s}]}";
    let heard = run(plan(&server.url(), "", load));
    assert_eq!(heard.sum(|it| it.offered), 40 + 200);
    assert_eq!(heard.sum(|it| it.succeeded), server.n_requests());
    assert_eq!(heard.sum(|it| it.sent), server.n_requests());
    let n_answered: u64 = heard.intervals.iter().filter_map(|it| it.status.get(&200)).sum();
    assert_eq!(n_answered, server.n_requests());
    assert_eq!(heard.histogram(|it| &it.response_time).count(), server.n_requests());
    assert_eq!(heard.sum(|it| it.bytes_received), server.n_requests() * OK.len() as u64);
    let names: Vec<&str> = heard.stages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!((heard.stages[1].1 - heard.stages[0].1 - 0.4).abs() < 0.05, "{:?}", heard.stages);
}

#[test]
fn a_stall_is_felt_in_the_response_time_and_hardly_in_the_service_time() {
    let server = Server::start(|stream, number| {
        if number == 50 {
            std::thread::sleep(Duration::from_millis(300));
        }
        answers(stream, number)
    });
    let load = "{arrivals: even, stages: [{name: a, for: 1s, at: 200/s}]}";
    let heard = run(plan(&server.url(), ", connections: 1", load));
    assert_eq!(server.n_requests(), 200);
    let response = heard.histogram(|it| &it.response_time);
    let service = heard.histogram(|it| &it.service_time);
    assert!(Duration::from_millis(150) < response.quantile(0.9), "{:?}", response.quantile(0.9));
    assert!(service.quantile(0.9) * 3 < response.quantile(0.9), "{:?}", service.quantile(0.9));
}

#[test]
fn what_hits_the_cap_is_dropped_and_counted() {
    let server = Server::start(|stream, number| {
        std::thread::sleep(Duration::from_millis(200));
        answers(stream, number)
    });
    let load = "{arrivals: poisson, seed: 3, stages: [{name: a, for: 300ms, at: 200/s}]}";
    let heard = run(plan(&server.url(), ", connections: 4, max_in_flight: 4", load));
    assert!(0 < heard.sum(|it| it.dropped));
    assert_eq!(heard.intervals.iter().map(|it| it.in_flight_max).max(), Some(4));
    assert_eq!(heard.sum(|it| it.sent), server.n_requests());
}

#[test]
fn every_fault_has_a_class_and_nothing_hangs() {
    let load = "{arrivals: even, stages: [{name: a, for: 200ms, at: 50/s}]}";
    type Fault = fn(&mut TcpStream, u64) -> bool;
    let faults: [(&str, Fault); 5] = [
        ("closed before the answer was whole", |stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            false
        }),
        ("answer is not HTTP/1.1", |stream, _| {
            stream.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").is_ok()
        }),
        ("status 5xx", |stream, _| {
            stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").is_ok()
        }),
        ("timeout", |_, _| true),
        ("head of the answer too large", |stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
            (0..90).all(|_| stream.write_all(line.as_bytes()).is_ok())
        }),
    ];
    for (class, fault) in faults {
        let server = Server::start(fault);
        let heard = run(plan(&server.url(), "", load));
        assert_eq!(heard.sum(|it| it.failed), 10, "{class}");
        assert_eq!(heard.errors(), [class]);
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let heard = run(plan(&format!("http://{closed}"), "", load));
    assert_eq!((heard.errors(), heard.sum(|it| it.sent)), (vec!["connect refused".to_owned()], 0));
    let heard = run(plan("http://name.invalid", "", load));
    assert_eq!(heard.errors(), ["dns: name does not resolve"]);
}

#[test]
fn a_connection_that_the_server_gives_up_costs_no_request() {
    // After each third answer the server closes.
    let server = Server::start(|stream, number| answers(stream, number) && number % 3 != 2);
    let load = "{arrivals: even, stages: [{name: a, for: 500ms, at: 200/s}]}";
    let heard = run(plan(&server.url(), "", load));
    assert_eq!((heard.sum(|it| it.succeeded), heard.errors()), (100, Vec::<String>::new()));
    assert!(30 <= server.n_connections.load(Ordering::Relaxed));
}

#[test]
fn nobody_thinks_after_the_last_request() {
    let server = Server::start(answers);
    let load = "{arrivals: closed, think: 10s, stages: [{name: a, for: 1h, at: 5 users}]}";
    let mut plan = plan(&server.url(), "", load);
    plan.load.max_requests = Some(5);
    let heard = run(plan);
    assert_eq!(heard.sum(|it| it.succeeded), 5);
    let last = heard.intervals.last().unwrap();
    assert!((last.began + last.lasted).as_secs_f64() < 5.0);
}

#[test]
fn an_engine_that_is_dropped_ends_also_where_its_target_has_a_name() {
    let server = Server::start(answers);
    let url = format!("http://localhost:{}", server.address.port());
    let plan = plan(&url, "", "{stages: [{name: a, for: 1h, at: 50/s}]}");
    let found = Found { url, host: None, via: String::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let (sender, _bus) = bus(1000, clock);
        let engine = Engine::start(EngineSpec::new(plan, &found, clock).unwrap(), sender).unwrap();
        while server.n_requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut life = engine.life.clone();
        drop(engine);
        let ended = life.wait_for(|life| *life == Life::Ended);
        assert!(tokio::time::timeout(Duration::from_secs(5), ended).await.is_ok());
    });
}

#[test]
fn threads_share_what_is_allowed_and_add_nothing() {
    for (target, n) in [
        (", threads: 8, connections: 4", 4),
        (", threads: 8, max_in_flight: 2", 2),
        (", connections: 1", 1),
        (", threads: 3", 3),
    ] {
        let plan = plan("http://a", target, "{stages: [{name: a, for: 1s, at: 100000/s}]}");
        let found = Found { url: "http://a".to_owned(), host: None, via: String::new() };
        assert_eq!(
            EngineSpec::new(plan, &found, Clock::start()).unwrap().n_shards(),
            n,
            "{target}"
        );
    }
}

#[test]
fn an_address_of_several_that_does_not_answer_costs_no_request() {
    let server = Server::start(answers);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let request = "{path: /x, timeout: 500ms, keep_alive: false}";
    let load = "{stages: [{name: a, for: 400ms, at: 100/s}]}";
    let addresses = vec![closed, server.address];
    let heard = run_with(matrix_plan(&server.url(), request, load), async |engine: &Engine| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let resolved = resolver::Resolved { target_idx: 0, addresses: Ok(addresses), took: None };
        engine.wishes.send(Wish::Resolved(resolved)).unwrap();
    });
    assert_eq!((heard.errors(), heard.sum(|it| it.succeeded)), (Vec::<String>::new(), 40));
}

#[test]
fn an_end_that_comes_with_an_answer_costs_no_request() {
    let server = Server::start(|stream, number| {
        // Held back, so that the answer and the end are one packet.
        rustix::net::sockopt::set_tcp_cork(&*stream, true).unwrap();
        answers(stream, number);
        false
    });
    let request = "{method: POST, path: /x, timeout: 500ms}";
    let load = "{stages: [{name: a, for: 300ms, at: 50/s}]}";
    let heard = run(matrix_plan(&server.url(), request, load));
    assert_eq!((heard.errors(), heard.sum(|it| it.succeeded)), (Vec::<String>::new(), 15));
}

#[test]
fn users_wait_for_their_answers() {
    let server = Server::start(|stream, number| {
        std::thread::sleep(Duration::from_millis(20));
        answers(stream, number)
    });
    let load = "{arrivals: closed, stages: [{name: a, for: 500ms, at: 4 users}]}";
    let heard = run(plan(&server.url(), "", load));
    let n = heard.sum(|it| it.succeeded);
    assert!((60..=110).contains(&n), "{n}");
    assert!(server.n_connections.load(Ordering::Relaxed) <= 4);
    assert!(heard.intervals.iter().all(|it| it.response_time.is_none() && it.send_lag.is_none()));
}

#[test]
fn a_bounded_number_ends_the_plan() {
    let server = Server::start(answers);
    for arrivals in [
        "even, stages: [{name: a, for: 1h, at: 500/s}]",
        "closed, stages: [{name: a, for: 1h, at: 5 users}]",
    ] {
        let mut plan = plan(&server.url(), "", &format!("{{arrivals: {arrivals}}}"));
        plan.load.max_requests = Some(50);
        let before = server.n_requests();
        let heard = run(plan);
        assert_eq!(heard.sum(|it| it.succeeded), 50, "{arrivals}");
        assert_eq!(server.n_requests() - before, 50);
    }
}

#[test]
fn keys_take_effect_and_never_exceed_the_most_that_is_allowed() {
    let server = Server::start(answers);
    let load = "{arrivals: even, stages: [{name: a, for: 900ms, at: 10/s}]}";
    let heard =
        run_with(plan(&server.url(), ", max_rate: 200/s", load), async |engine: &Engine| {
            engine.command(LoadCommand::Set(5000.0));
            tokio::time::sleep(Duration::from_millis(500)).await;
            engine.command(LoadCommand::Pause);
            tokio::time::sleep(Duration::from_millis(200)).await;
            engine.command(LoadCommand::Hold);
        });
    let [set, pause, hold, over] = heard.controls.as_slice() else {
        panic!("{:?}", heard.controls)
    };
    assert_eq!((set.what.as_str(), set.to, set.by), ("set", 200.0, By::You));
    assert_eq!((pause.what.as_str(), pause.to), ("pause", 0.0));
    assert_eq!((hold.what.as_str(), hold.to), ("profile", 10.0));
    assert_eq!(
        (over.what.as_str(), over.from, over.to, over.by),
        ("plan over", 10.0, 0.0, By::Plan)
    );
    assert!(over.at.since(hold.at).abs_diff(Duration::from_millis(900)) < Duration::from_millis(5));
    let fast = pause.at.since(set.at).as_secs_f64();
    let expected = fast * 200.0 + 9.0;
    let offered = f64::from(u32::try_from(heard.sum(|it| it.offered)).unwrap());
    assert!((offered - expected).abs() < 3.0, "{offered} of {expected}");
}

#[test]
fn stopping_drains_what_is_in_flight() {
    let server = Server::start(|stream, number| {
        std::thread::sleep(Duration::from_millis(150));
        answers(stream, number)
    });
    let load = "{arrivals: even, stages: [{name: a, for: 1h, at: 50/s}]}";
    let heard = run_with(plan(&server.url(), "", load), async |engine: &Engine| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        engine.stop();
    });
    assert_eq!((heard.sum(|it| it.failed), heard.sum(|it| it.succeeded)), (0, server.n_requests()));
    // A rate over a few milliseconds would say nothing.
    let whole = heard.intervals.iter().rev().skip(1);
    assert!(whole.clone().all(|it| Duration::from_millis(400) <= it.lasted), "{whole:?}");
}

#[test]
fn tls_is_spoken_and_certificates_are_checked() {
    let address = tls_server();
    let load = "{arrivals: even, stages: [{name: a, for: 200ms, at: 50/s}]}";
    let url = format!("https://localhost:{}", address.port());
    let heard = run(plan(&url, ", insecure: true", load));
    assert_eq!((heard.errors(), heard.sum(|it| it.succeeded)), (Vec::<String>::new(), 10));
    let heard = run(plan(&url, "", load));
    assert_eq!(heard.errors(), ["tls certificate not trusted"]);
}

/// A server with a certificate of its own making.
fn tls_server() -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || {
                let mut tls = rustls::StreamOwned::new(session, stream.unwrap());
                let mut bytes = [0; 4096];
                while matches!(tls.read(&mut bytes), Ok(n) if 0 < n) {
                    let _ = tls.write_all(OK);
                }
            });
        }
    });
    address
}

/// What each request was: its first line, its `Host` and the length of its body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Said {
    line: String,
    host: String,
    n_body: usize,
}

/// A server that notes what comes, bodies included, and can tell how many were at it at once.
fn listens() -> (SocketAddr, mpsc::Receiver<(Said, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    let at_once = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell, at_once) = (stream.unwrap(), tell.clone(), Arc::clone(&at_once));
            std::thread::spawn(move || {
                while let Some(said) = hear(&mut stream) {
                    let n = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                    std::thread::sleep(Duration::from_millis(3));
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    if tell.send((said, n)).is_err() || stream.write_all(OK).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

fn hear(stream: &mut TcpStream) -> Option<Said> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let n = stream.read(&mut piece).ok().filter(|n| 0 < *n)?;
        bytes.extend_from_slice(&piece[..n]);
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let field = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name).map(|it| it.trim().to_owned()))
        };
        let n_body = field("Content-Length:").map_or(0, |n| n.parse().unwrap());
        while bytes.len() < end + 4 + n_body {
            let n = stream.read(&mut piece).ok().filter(|n| 0 < *n)?;
            bytes.extend_from_slice(&piece[..n]);
        }
        let line = head.lines().next()?.to_owned();
        return Some(Said { line, host: field("Host:").unwrap_or_default(), n_body });
    }
}

const MATRIX: &str = "{method: POST, path: '/p', timeout: 5s, matrix: [\
    {vary: query sleep, of: ['0', '10', '100'], weights: [8, 1, 1]},\
    {name: payload, vary: body, of: [none, 1KiB, 200KiB]},\
    {vary: host, of: [a.example.com, b.example.com]}]}";

fn matrix_plan(url: &str, request: &str, load: &str) -> Plan {
    let text = format!("name: t\ntarget: {{url: '{url}'}}\nrequest: {request}\nload: {load}\n");
    scenario::parse(&text, "t").unwrap()
}

#[test]
fn dimensions_are_drawn_alike_for_any_number_of_threads_and_bodies_are_really_sent() {
    let said = |threads: u32| {
        let (address, told) = listens();
        let load = "{seed: 5, stages: [{name: a, for: 300ms, at: 1000/s}]}";
        let mut plan = matrix_plan(&format!("http://{address}"), MATRIX, load);
        plan.target.threads = Some(threads);
        let heard = run(plan);
        assert_eq!(heard.sum(|it| it.succeeded), 300, "{:?}", heard.errors());
        let mut said: Vec<Said> = told.try_iter().map(|(said, _)| said).collect();
        said.sort();
        (said, heard)
    };
    let (alone, heard) = said(1);
    assert_eq!(alone, said(3).0, "the same requests");
    let n_bytes: usize = alone.iter().map(|said| said.n_body).sum();
    assert!(n_bytes as u64 <= heard.sum(|it| it.bytes_sent), "payloads are sent, and counted");
    assert_eq!(
        alone.iter().filter(|said| said.n_body == 200 * 1024).count() as u64,
        heard.split("payload", "200KiB")
    );
    let n_of = |part: &str| alone.iter().filter(|said| said.line.contains(part)).count();
    assert!((200..280).contains(&n_of("/p?sleep=0 ")), "{}", n_of("/p?sleep=0 "));
    assert_eq!(n_of("/p?sleep=10 ") as u64, heard.split("sleep", "10"));
    let n_a = alone.iter().filter(|said| said.host == "a.example.com").count();
    assert_eq!(n_a as u64, heard.split("host", "a.example.com"));
}

#[test]
fn a_batch_goes_together_within_its_caps() {
    let (address, told) = listens();
    let request = "{path: /, matrix: [{vary: host, of: [a, b]}]}";
    let load = "{arrivals: closed, think: 0s..2ms, batch: {of: 15, parallel: 8, per_host: 3}, \
        stages: [{name: a, for: 400ms, at: 1 users}]}";
    let heard = run(matrix_plan(&format!("http://{address}"), request, load));
    let told: Vec<(Said, usize)> = told.try_iter().collect();
    assert_eq!(told.len() as u64, heard.sum(|it| it.succeeded));
    assert!(30 < told.len(), "{}", told.len());
    let most = told.iter().map(|(_, n)| *n).max();
    assert!(most.is_some_and(|n| (4..=6).contains(&n)), "three to each of two hosts: {most:?}");
}

#[test]
fn phases_are_those_of_new_connections() {
    let server = Server::start(|stream, _| {
        std::thread::sleep(Duration::from_millis(30));
        answers(stream, 0)
    });
    let load = "{stages: [{name: a, for: 500ms, at: 20/s}]}";
    let heard = run(plan(&server.url(), ", connections: 1", load));
    let phases = heard.intervals.iter().find_map(|it| it.phases.clone()).unwrap();
    let of = |it: &Option<crate::event::traffic::Histogram>| {
        LatencyHistogram::decode(it.as_ref().unwrap()).unwrap()
    };
    assert_eq!((of(&phases.connect).count(), of(&phases.wait).count()), (1, 1));
    let wait = of(&phases.wait).max();
    assert!((30..300).contains(&wait.as_millis()), "{wait:?}");
    assert!(of(&phases.receive).max() < wait);
    assert_eq!((phases.dns, phases.tls), (None, None), "an address has no name to ask for");
}
