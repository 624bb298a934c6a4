//! Connections that the server closed while they idled, and a shard that has not heard of it yet:
//! driven by hand, since its own loop would mostly hear of it first.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;

use super::*;
use crate::event::run::Found;
use crate::load::pacer::Pacer;
use crate::scenario;

/// Enough to count beyond what a byte holds.
const N: u64 = 270;

/// How a server closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closes,
    Resets,
}

/// Answers one request on each of `n` connections, closes them in the opposite order when told to,
/// and answers on all that come later. The receiver hears that they are closed.
fn server(n: u64, end: End) -> (SocketAddr, mpsc::Sender<()>, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    let (close, closed) = mpsc::channel();
    std::thread::spawn(move || {
        let mut streams: Vec<TcpStream> = (0..n).map(|_| listener.accept().unwrap().0).collect();
        streams.iter_mut().for_each(answer);
        told.recv().unwrap();
        for stream in streams.into_iter().rev() {
            if end == End::Resets {
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
            }
        }
        close.send(()).unwrap();
        for stream in listener.incoming() {
            answer(&mut stream.unwrap());
        }
    });
    (address, tell, closed)
}

fn answer(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    if matches!(stream.read(&mut bytes), Ok(1..)) {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    }
}

/// A shard of which nothing is due by itself.
fn shard(address: SocketAddr, method: &str) -> Shard {
    let text = format!(
        "target: {{url: 'http://{address}'}}\nrequest: {{method: {method}}}\nload: {{stages: [{{for: 1s, at: 1/s}}]}}\n"
    );
    let plan = scenario::parse(&text, "t").unwrap();
    let found = Found { url: format!("http://{address}"), host: None, via: String::new() };
    let requests = Arc::new(Requests::new(&plan, &found).unwrap());
    let pacer = Box::new(Pacer::even(Course::silence(), (0, 1), None));
    let arrivals =
        Arrivals::Open { pacer, requests: Arc::clone(&requests), last_due: 0, is_stopped: false };
    let spec = ShardSpec {
        requests,
        arrivals,
        max_connections: 1000,
        max_in_flight: 1000,
        keep_alive: true,
        timeout: Duration::from_secs(9),
        method: plan.request.method,
        origin: clock::monotonic(),
    };
    let (_, orders) = mpsc::channel();
    let (answers, _) = mpsc::sync_channel(1);
    let tally = Box::new(Tally::new(0).unwrap());
    let mut shard = Shard::new(spec, Poll::new().unwrap(), orders, answers, tally).unwrap();
    shard.resolved(0, vec![address]);
    shard
}

fn send(shard: &mut Shard) {
    let now = shard.now();
    let due = Due { at: now, user: 0, variant: 0 };
    shard.dispatch(Job { due, started: 0, n_retries: 0 }, now);
}

/// Lets it hear of its sockets until so many requests are over.
fn pump(shard: &mut Shard, n_over: u64) {
    let mut events = Events::with_capacity(1024);
    while shard.tally.succeeded + shard.tally.failed < n_over {
        assert!(shard.now() < 20_000_000_000, "{:?}", shard.tally);
        shard.poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
        events.iter().filter(|it| it.token() != TIMER).for_each(|event| shard.ready(event));
    }
}

/// Requests sent, answered and failed: `n` before the connections are closed, and one after.
fn counted(n: u64, method: &str, end: End) -> (u64, u64, u64) {
    let (address, close, closed) = server(n, end);
    let mut shard = shard(address, method);
    (0..n).for_each(|_| send(&mut shard));
    pump(&mut shard, n);
    close.send(()).unwrap();
    closed.recv().unwrap();
    send(&mut shard);
    pump(&mut shard, n + 1);
    (shard.tally.sent, shard.tally.succeeded, shard.tally.failed)
}

#[test]
fn a_request_that_cannot_be_written_on_a_closed_connection_has_another() {
    for method in ["GET", "POST"] {
        assert_eq!(counted(1, method, End::Resets), (2, 2, 0), "{method}: none of it was written");
    }
}

#[test]
fn one_stale_connection_is_enough() {
    assert_eq!(counted(N, "GET", End::Closes), (N + 1, N + 1, 0));
    assert_eq!(counted(1, "POST", End::Closes), (2, 1, 1), "it may count twice");
}
