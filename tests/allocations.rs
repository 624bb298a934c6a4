//! What a request costs the allocator: nothing.
//!
//! Counted over the whole process, so the server and the test itself allocate nothing for a request
//! either. An interval may allocate; hence two loads of one length are compared.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::System;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;

use rampscope::bus;
use rampscope::clock::Clock;
use rampscope::event::Event;
use rampscope::event::run::Found;
use rampscope::load::Engine;
use rampscope::load::EngineSpec;
use rampscope::scenario;
use stats_alloc::INSTRUMENTED_SYSTEM;
use stats_alloc::Region;
use stats_alloc::StatsAlloc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations for a request that are no fault: histograms grow with what they hold.
const FEW: f64 = 0.02;

/// Answers everything that is one read long.
fn serve(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer) {
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// Answers every head of a request with a head, in HTTP/2.
fn serve_http2(mut stream: TcpStream) {
    let mut buffer = [0; 16_384];
    let mut n_there = 0;
    let mut to_skip = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
    // Settings, and later the answers.
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    loop {
        if stream.write_all(&out).is_err() {
            return;
        }
        out.clear();
        let Ok(n @ 1..) = stream.read(&mut buffer[n_there..]) else { return };
        n_there += n;
        let mut at = to_skip.min(n_there);
        to_skip -= at;
        while let Some([a, b, c, kind, flags, s0, s1, s2, s3]) = buffer[at..n_there].first_chunk() {
            let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            if n_there < at + 9 + len {
                break;
            }
            match (kind, flags & 1) {
                (1, 1) => out.extend_from_slice(&[0, 0, 1, 1, 5, *s0, *s1, *s2, *s3, 0x88]),
                (4, 0) => out.extend_from_slice(&[0, 0, 0, 4, 1, 0, 0, 0, 0]),
                _ => {}
            }
            at += 9 + len;
        }
        buffer.copy_within(at..n_there, 0);
        n_there -= at;
    }
}

fn server(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// Requests that succeeded, and allocations meanwhile.
fn cost(address: SocketAddr, spoken: &str, load: &str) -> (u64, usize) {
    let url = format!("http://{address}");
    let text = format!(
        "name: t\ntarget: {{url: '{url}', connections: 4{spoken}}}\nrequest: {{path: /, matrix: \
         [{{vary: query a, of: [x, y]}}]}}\nload: {load}\n"
    );
    let plan = scenario::parse(&text, "t").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let (sender, mut bus) = bus::bus(bus::CAPACITY, clock);
        let found = Found { url, host: None, via: String::new() };
        let spec = EngineSpec::new(plan, &found, clock).unwrap();
        let region = Region::new(ALLOCATOR);
        let engine = Engine::start(spec, sender).unwrap();
        let mut succeeded = 0;
        loop {
            let stamped = tokio::select! { biased;
                stamped = bus.recv() => stamped,
                () = engine.ended() => None,
                () = engine.plan_done() => { engine.stop(); None }
            };
            let Some(stamped) = stamped else { break };
            if let Event::Traffic(interval) = stamped.event {
                succeeded += interval.succeeded;
            }
        }
        (succeeded, region.change().allocations)
    })
}

#[test]
fn no_request_allocates() {
    for (serve, spoken) in [(serve as fn(TcpStream), ""), (serve_http2, ", streams: 2")] {
        none_allocates(server(serve), spoken);
    }
}

fn none_allocates(address: SocketAddr, spoken: &str) {
    for (load, fast) in [
        ("{stages: [{for: 1s, at: 200/s}]}", "{stages: [{for: 1s, at: 4000/s}]}"),
        (
            "{arrivals: closed, think: 100ms, stages: [{for: 1s, at: 4 users}]}",
            "{arrivals: closed, stages: [{for: 1s, at: 4 users}]}",
        ),
    ] {
        let (few, many) = (cost(address, spoken, load), cost(address, spoken, fast));
        let n_requests = many.0 - few.0;
        assert!(1000 < n_requests, "{few:?} {many:?}");
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let each = many.1.saturating_sub(few.1) as f64 / n_requests as f64;
        assert!(each < FEW, "{each:.3} allocations a request: {few:?} and {many:?}{spoken}");
    }
}
