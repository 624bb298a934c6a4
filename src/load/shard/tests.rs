//! The engine over HTTP/2, against servers that count and servers that misbehave.

use std::convert::Infallible;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::ThreadId;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;

use crate::load::grpc;
use crate::load::h2::frame as wire;
use crate::load::h2::frame::Head;
use crate::load::h2::frame::Kind;
use crate::load::tests::Heard;
use crate::load::tests::run;
use crate::scenario;
use crate::scenario::plan::Plan;

const HEAD: u8 = wire::END_HEADERS;
const END: u8 = wire::END_HEADERS | wire::END_STREAM;
const FOREVER: &str = "{arrivals: even, stages: [{name: a, for: 300ms, at: 100/s}]}";

fn plan(url: &str, target: &str, request: &str, load: &str) -> Plan {
    let text = format!(
        "name: t\ntarget: {{url: '{url}', {target}}}\nrequest: {{{request}}}\nload: {load}\n"
    );
    scenario::parse(&text, "t").unwrap()
}

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::write_head(&mut out, kind, flags, stream, payload.len());
    out.extend_from_slice(payload);
    out
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(Kind::ResetStream, 0, stream, &code.to_be_bytes())
}

fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(Kind::GoAway, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// A field of a head, spelled out.
fn field(name: &str, value: &str) -> Vec<u8> {
    let len = |text: &str| u8::try_from(text.len()).unwrap();
    let mut out = vec![0, len(name)];
    out.extend_from_slice(name.as_bytes());
    out.push(len(value));
    out.extend_from_slice(value.as_bytes());
    out
}

/// A head of gRPC, and what follows it.
fn call(stream: u32, n_messages: usize, status: &str) -> Vec<u8> {
    let mut head = vec![0x88];
    head.extend(field("content-type", "application/grpc"));
    let trailers = field("grpc-status", status);
    if n_messages == 0 {
        // Trailers alone.
        head.extend(trailers);
        return frame(Kind::Headers, END, stream, &head);
    }
    [
        frame(Kind::Headers, HEAD, stream, &head),
        frame(Kind::Data, 0, stream, &grpc::framed(b"hello").repeat(n_messages)),
        frame(Kind::Headers, END, stream, &trailers),
    ]
    .concat()
}

/// A server that answers frames with frames.
struct Server {
    address: SocketAddr,
    n_requests: Arc<AtomicU64>,
    n_connections: Arc<AtomicU64>,
}

/// What comes back for a connection's `n`th request (from zero) on a stream; after `None` it is
/// closed.
type Script = Arc<dyn Fn(u64, u32) -> Option<Vec<u8>> + Send + Sync>;

impl Server {
    fn start(script: impl Fn(u64, u32) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::start_with(script, None)
    }

    fn start_with(
        script: impl Fn(u64, u32) -> Option<Vec<u8>> + Send + Sync + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            n_requests: Arc::default(),
            n_connections: Arc::default(),
        };
        let script: Script = Arc::new(script);
        let (n_requests, n_connections) =
            (Arc::clone(&server.n_requests), Arc::clone(&server.n_connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                n_connections.fetch_add(1, Ordering::Relaxed);
                let (script, n_requests) = (Arc::clone(&script), Arc::clone(&n_requests));
                let (stream, tls) = (stream.unwrap(), tls.clone());
                // Its end is the client's business.
                std::thread::spawn(move || match tls {
                    None => {
                        let mut end = stream.try_clone().unwrap();
                        let _ = serve(stream, &script, &n_requests);
                        // What is not read when a socket closes makes a reset of its end.
                        let _ = end.shutdown(std::net::Shutdown::Write);
                        let _ = std::io::copy(&mut end, &mut std::io::sink());
                    }
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config).unwrap();
                        let stream = rustls::StreamOwned::new(session, stream);
                        let _ = serve(stream, &script, &n_requests);
                    }
                });
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

    fn n_connections(&self) -> u64 {
        self.n_connections.load(Ordering::Relaxed)
    }
}

fn serve(
    mut stream: impl Read + Write,
    script: &Script,
    n_requests: &AtomicU64,
) -> std::io::Result<()> {
    let mut preface = [0; wire::PREFACE.len()];
    stream.read_exact(&mut preface)?;
    if preface != wire::PREFACE {
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    }
    stream.write_all(&frame(Kind::Settings, 0, 0, &[]))?;
    let mut n = 0;
    loop {
        let mut head = [0; wire::HEAD];
        stream.read_exact(&mut head)?;
        let head = Head::read(head);
        let mut payload = vec![0; head.len];
        stream.read_exact(&mut payload)?;
        match head.kind {
            Kind::Settings if !head.has(wire::ACK) => {
                stream.write_all(&frame(Kind::Settings, wire::ACK, 0, &[]))?;
            }
            Kind::Headers | Kind::Data if head.has(wire::END_STREAM) => {
                n_requests.fetch_add(1, Ordering::Relaxed);
                let Some(answer) = script(n, head.stream) else { return Ok(()) };
                stream.write_all(&answer)?;
                n += 1;
            }
            _ => {}
        }
    }
}

fn ok(_n: u64, stream: u32) -> Option<Vec<u8>> {
    Some(frame(Kind::Headers, END, stream, &[0x88]))
}

/// What any run must hold, and how many succeeded.
fn succeeded(heard: &Heard) -> u64 {
    assert_eq!(heard.errors(), Vec::<String>::new());
    assert_eq!(heard.sum(|it| it.sent), heard.sum(|it| it.succeeded));
    heard.sum(|it| it.succeeded)
}

#[test]
fn counts_agree_with_the_server_over_all_streams() {
    let server = Server::start(ok);
    let load = "{arrivals: even, stages: [{name: a, for: 400ms, at: 2000/s}]}";
    let heard = run(plan(&server.url(), "connections: 3, streams: 5", "path: /x", load));
    assert_eq!((succeeded(&heard), server.n_requests()), (800, 800));
    let n_answered: u64 = heard.intervals.iter().filter_map(|it| it.status.get(&200)).sum();
    assert_eq!(n_answered, 800);
    assert_eq!(heard.histogram(|it| &it.send_lag).count(), 800);
    assert_eq!(heard.histogram(|it| &it.response_time).count(), 800);
    assert!(server.n_connections() <= 3);
    // Each answer is nine bytes of a frame and one of its block; each greeting two frames.
    assert_eq!(heard.sum(|it| it.bytes_received), 800 * 10 + server.n_connections() * 18);
}

#[test]
fn users_share_connections_and_each_has_its_stream() {
    let server = Server::start(|n, stream| {
        std::thread::sleep(Duration::from_micros(200));
        ok(n, stream)
    });
    let load = "{arrivals: closed, stages: [{name: a, for: 1h, at: 20 users}]}";
    let mut plan = plan(&server.url(), "http2: true", "path: /x", load);
    assert_eq!((plan.target.streams, plan.target.connections), (Some(10), 7));
    plan.target.connections = 2;
    plan.load.max_requests = Some(600);
    let heard = run(plan);
    assert_eq!((succeeded(&heard), server.n_requests(), server.n_connections()), (600, 600, 2));
    assert_eq!(heard.intervals.iter().map(|it| it.in_flight_max).max(), Some(20));
}

#[test]
fn a_connection_for_each_request_if_so_asked() {
    let server = Server::start(ok);
    let request = "path: /x, keep_alive: false";
    let heard = run(plan(&server.url(), "streams: 10", request, FOREVER));
    assert_eq!((succeeded(&heard), server.n_connections()), (30, 30));
}

#[test]
fn a_server_that_goes_away_politely_costs_no_request() {
    // Each connection answers seven, the last three of them after it said that it goes.
    let server = Server::start(|n, stream| match n {
        3 => Some([go_away(stream + 6, 0), ok(n, stream)?].concat()),
        0..7 => ok(n, stream),
        _ => Some(Vec::new()),
    });
    let load = "{arrivals: even, stages: [{name: a, for: 400ms, at: 1000/s}]}";
    let heard = run(plan(&server.url(), "connections: 2, streams: 8", "path: /x", load));
    assert_eq!(succeeded(&heard), 400);
    assert!(40 < server.n_connections(), "{}", server.n_connections());
}

#[test]
fn each_failure_of_a_stream_names_its_cause() {
    type Fault = fn(u64, u32) -> Option<Vec<u8>>;
    let faults: [(&str, Fault); 6] = [
        ("stream reset by server: REFUSED_STREAM", |_, stream| Some(reset(stream, 7))),
        ("stream reset by server: ENHANCE_YOUR_CALM", |_, stream| Some(reset(stream, 11))),
        ("goaway: ENHANCE_YOUR_CALM", |_, _| Some(go_away(0, 11))),
        ("closed before the answer was whole", |_, _| None),
        ("answer breaks the rules of HTTP/2", |_, _| Some(frame(Kind::Headers, END, 2, &[0x88]))),
        ("status 5xx", |_, stream| Some(frame(Kind::Headers, END, stream, &[0x8e]))),
    ];
    for (class, fault) in faults {
        let server = Server::start(fault);
        let heard = run(plan(&server.url(), "connections: 1, streams: 4", "path: /x", FOREVER));
        assert_eq!((heard.errors(), heard.sum(|it| it.failed)), (vec![class.to_owned()], 30));
        // A stream that is reset leaves its connection as it was; a new one is no storm.
        let n_most = if class.starts_with("stream") { 1 } else { 31 };
        assert!(server.n_connections() <= n_most, "{class}: {}", server.n_connections());
    }
}

#[test]
fn a_timeout_gives_up_the_stream_and_not_the_connection() {
    let server = Server::start(|n, stream| match n % 2 {
        0 => ok(n, stream),
        _ => Some(Vec::new()),
    });
    let request = "path: /x, timeout: 60ms";
    let heard = run(plan(&server.url(), "connections: 1, streams: 10", request, FOREVER));
    assert_eq!(heard.errors(), ["timeout"]);
    assert_eq!((heard.sum(|it| it.succeeded), heard.sum(|it| it.failed)), (15, 15));
    assert_eq!(server.n_connections(), 1);
}

/// Whether it runs on the thread of the first connection.
fn is_first(first: &OnceLock<ThreadId>) -> bool {
    let own = std::thread::current().id();
    *first.get_or_init(|| own) == own
}

#[test]
fn a_connection_on_which_nothing_comes_any_more_is_left() {
    let first = OnceLock::new();
    let server = Server::start(move |n, stream| match is_first(&first) && 4 < n {
        true => Some(Vec::new()),
        false => ok(n, stream),
    });
    let request = "path: /x, timeout: 60ms";
    let heard = run(plan(&server.url(), "connections: 1, streams: 10", request, FOREVER));
    assert_eq!((heard.errors(), server.n_connections()), (vec!["timeout".to_owned()], 2));
    assert!(10 < heard.sum(|it| it.succeeded), "{}", heard.sum(|it| it.succeeded));
}

#[test]
fn what_a_server_has_not_looked_at_is_sent_again() {
    // It refuses every third stream, and closes its first connection after the twelfth.
    let first = OnceLock::new();
    let server = Server::start(move |n, stream| match n {
        12 if is_first(&first) => None,
        _ if n % 3 == 2 => Some(reset(stream, 7)),
        _ => ok(n, stream),
    });
    let target = "connections: 1, streams: 4";
    let heard = run(plan(&server.url(), target, "path: /x", FOREVER));
    assert_eq!((succeeded(&heard), server.n_connections()), (30, 2));
    let first = OnceLock::new();
    let server = Server::start(move |n, stream| match n {
        12 if is_first(&first) => None,
        _ => ok(n, stream),
    });
    let heard = run(plan(&server.url(), target, "path: /x, method: POST", FOREVER));
    assert_eq!(heard.errors(), ["closed before the answer was whole"], "it may count twice");
}

#[test]
fn a_server_without_http2_is_named_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let n_attempts: Arc<AtomicU64> = Arc::default();
    let counted = Arc::clone(&n_attempts);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let heard = run(plan(&url, "http2: true", "path: /x", FOREVER));
    assert_eq!(heard.errors(), ["server does not speak HTTP/2"]);
    assert_eq!((heard.sum(|it| it.sent), heard.sum(|it| it.failed)), (0, 30));
    // One before each rest, of 10, 20, 40, 80 and 160 ms, and one after them.
    let n_attempts = n_attempts.load(Ordering::Relaxed);
    assert!(n_attempts <= 7, "{n_attempts}");
}

#[test]
fn http2_over_tls_is_agreed_on() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = |protocol: &[u8]| {
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols =
            [protocol].into_iter().filter(|it| !it.is_empty()).map(<[u8]>::to_vec).collect();
        Arc::new(config)
    };
    for (protocol, errors) in [
        (&b"h2"[..], vec![]),
        (b"http/1.1", vec!["server does not speak HTTP/2"]),
        (b"", vec!["server does not speak HTTP/2"]),
    ] {
        let server = Server::start_with(ok, Some(config(protocol)));
        let url = format!("https://localhost:{}", server.address.port());
        let heard = run(plan(&url, "http2: true, insecure: true", "path: /x", FOREVER));
        assert_eq!(heard.errors(), errors, "{}", String::from_utf8_lossy(protocol));
        assert_eq!(heard.sum(|it| it.succeeded), if errors.is_empty() { 30 } else { 0 });
    }
}

const CALL: &str =
    "grpc: {method: load_worker.LoadWorker/InvokeWorker, json: '{\"duration_ms\": 1}'}";

#[test]
fn calls_of_grpc_are_counted_by_status() {
    // Of each four: an answer, trailers alone, another refusal, and silence.
    let server = Server::start(|n, stream| {
        Some(match n % 4 {
            0 => call(stream, 1, "0"),
            1 => call(stream, 0, "14"),
            2 => call(stream, 1, "8"),
            _ => Vec::new(),
        })
    });
    let request = CALL.replace("}'}", "}', deadline: 60ms}");
    let load = "{arrivals: even, stages: [{name: a, for: 400ms, at: 100/s}]}";
    let heard = run(plan(&server.url(), "connections: 1, streams: 40", &request, load));
    assert_eq!(server.n_requests(), 40);
    assert_eq!((heard.sum(|it| it.succeeded), heard.sum(|it| it.failed)), (10, 30));
    let errors = ["grpc 14 UNAVAILABLE", "grpc 4 DEADLINE_EXCEEDED", "grpc 8 RESOURCE_EXHAUSTED"];
    assert_eq!(heard.errors(), errors);
    let n_of = |status: &str| -> u64 {
        heard.intervals.iter().filter_map(|it| it.grpc_status.get(status)).sum()
    };
    let counted = ["0 OK", "14 UNAVAILABLE", "8 RESOURCE_EXHAUSTED", "4 DEADLINE_EXCEEDED"];
    // The deadline is ours: no server has said so.
    assert_eq!(counted.map(n_of), [10, 10, 10, 0]);
    assert_eq!(heard.sum(|it| it.messages_received), 20);
}

#[test]
fn a_status_does_not_make_an_answer_one_of_grpc() {
    let server = Server::start(|_, stream| {
        let head = [vec![0x88], field("content-type", "text/plain"), field("grpc-status", "0")];
        Some(frame(Kind::Headers, END, stream, &head.concat()))
    });
    let heard = run(plan(&server.url(), "connections: 1, streams: 4", CALL, FOREVER));
    assert_eq!(heard.errors(), ["answer is not gRPC by its content-type"]);
}

#[test]
fn a_stream_of_messages_is_one_call() {
    let server = Server::start(|_, stream| Some(call(stream, 3, "0")));
    let request = CALL.replace("}'}", "}', streaming: true}");
    let heard = run(plan(&server.url(), "streams: 4", &request, FOREVER));
    assert_eq!((succeeded(&heard), heard.sum(|it| it.messages_received)), (30, 90));
    let heard = run(plan(&server.url(), "streams: 4", CALL, FOREVER));
    assert_eq!(heard.errors(), ["grpc message missing or cut off"], "it should have been one");
}

/// hyper's server: it answers with as many bytes as the path says, and counts those that it got.
fn hyper_server(n_streams: u32) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let n_bytes: Arc<AtomicU64> = Arc::default();
    let counted = Arc::clone(&n_bytes);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        listener.set_nonblocking(true).unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                let service = hyper::service::service_fn(
                    move |request: http::Request<hyper::body::Incoming>| {
                        let counted = Arc::clone(&counted);
                        async move {
                            let n_wanted = request.uri().path()[1..].parse().unwrap_or(0);
                            let body = request.into_body().collect().await;
                            let n_got = body.map_or(0, |body| body.to_bytes().len());
                            counted.fetch_add(n_got as u64, Ordering::Relaxed);
                            let answer = Full::new(Bytes::from(vec![b'y'; n_wanted]));
                            Ok::<_, Infallible>(http::Response::new(answer))
                        }
                    },
                );
                let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                server.max_concurrent_streams(n_streams);
                connections.spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    (url, n_bytes)
}

#[test]
fn large_bodies_go_both_ways_and_are_counted_on_both_sides() {
    let (url, n_bytes) = hyper_server(3);
    let request = "method: POST, path: /200000, body: {random: 300KiB}, timeout: 20s";
    let load = "{arrivals: even, stages: [{name: a, for: 200ms, at: 200/s}]}";
    // The server allows three at once; we would have sent ten.
    let heard = run(plan(&url, "connections: 2, streams: 10", request, load));
    assert_eq!(succeeded(&heard), 40);
    let n_sent = 40 * 300 * 1024;
    assert_eq!(n_bytes.load(Ordering::Relaxed), n_sent);
    let (sent, received) = (heard.sum(|it| it.bytes_sent), heard.sum(|it| it.bytes_received));
    assert!((n_sent..n_sent * 101 / 100).contains(&sent), "{sent}");
    assert!((40 * 200_000..40 * 202_000).contains(&received), "{received}");
}
