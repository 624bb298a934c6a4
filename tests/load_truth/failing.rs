//! Servers that fail as they are told to, one thread a connection.

use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// What a server does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It answers.
    None,
    /// It closes as soon as it has accepted.
    ClosesAtOnce,
    /// It resets when it has read a request.
    Resets,
    /// It resets when half of the answer has been written.
    ResetsInBody,
    /// It closes within a chunk.
    ClosesInChunk,
    /// It closes within the head.
    ClosesInHead,
    /// A chunk's size is none.
    BrokenChunk,
    /// There are two lengths.
    TwoLengths,
    /// A byte of the head now and then, without an end.
    DripsHead,
    /// A byte of the body now and then, without an end.
    DripsBody,
    /// It reads nothing and answers nothing.
    Mute,
}

/// A server that fails. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Failing {
    address: SocketAddr,
    fault: Fault,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    is_over: AtomicBool,
    n_accepted: AtomicU64,
    n_requests: AtomicU64,
}

impl Failing {
    pub(crate) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Self {
            address: listener.local_addr().unwrap(),
            fault,
            state: Arc::default(),
            thread: None,
        };
        server.listen(listener);
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that were made.
    pub(crate) fn n_accepted(&self) -> u64 {
        self.state.n_accepted.load(Ordering::Relaxed)
    }

    /// Requests that were read.
    pub(crate) fn n_requests(&self) -> u64 {
        self.state.n_requests.load(Ordering::Relaxed)
    }

    /// Ends all connections and listens no more.
    pub(crate) fn go_away(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        // Its own knock ends the waiting for others.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Listens again where it did before.
    pub(crate) fn come_back(&mut self) {
        self.state.is_over.store(false, Ordering::Relaxed);
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    fn listen(&mut self, listener: TcpListener) {
        let (fault, state) = (self.fault, Arc::clone(&self.state));
        self.thread = Some(std::thread::spawn(move || {
            let mut serving: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming() {
                if state.is_over.load(Ordering::Relaxed) {
                    break;
                }
                state.n_accepted.fetch_add(1, Ordering::Relaxed);
                let (stream, state) = (stream.unwrap(), Arc::clone(&state));
                serving.push(std::thread::spawn(move || serve(stream, fault, &state)));
            }
            // Nobody can connect while the last of them are ended.
            drop(listener);
            for thread in serving {
                thread.join().unwrap();
            }
        }));
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn serve(mut stream: TcpStream, fault: Fault, state: &State) {
    if fault == Fault::ClosesAtOnce {
        return;
    }
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut head = Vec::new();
    let mut bytes = [0; 4096];
    while !state.is_over.load(Ordering::Relaxed) {
        if fault == Fault::Mute {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        }
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => head.extend_from_slice(&bytes[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            state.n_requests.fetch_add(1, Ordering::Relaxed);
            if !answer(&mut stream, fault, state) {
                return;
            }
        }
    }
}

/// Answers as `fault` has it; whether the connection goes on.
fn answer(stream: &mut TcpStream, fault: Fault, state: &State) -> bool {
    let mut write = |text: &str| stream.write_all(text.as_bytes()).is_ok();
    match fault {
        Fault::None => write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        Fault::ClosesInChunk => {
            write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf");
            false
        }
        Fault::ClosesInHead => {
            write("HTTP/1.1 200 OK\r\nContent-Le");
            false
        }
        Fault::BrokenChunk => {
            write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\nbytes")
        }
        Fault::TwoLengths => {
            write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok")
        }
        Fault::Resets | Fault::ResetsInBody => {
            if fault == Fault::ResetsInBody {
                write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                // What has been sent is to be read before the reset.
                std::thread::sleep(Duration::from_millis(20));
            }
            // A linger of no time turns the close into a reset.
            let none = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(&*stream, none).unwrap();
            false
        }
        Fault::DripsHead | Fault::DripsBody => {
            let is_head = fault == Fault::DripsHead;
            write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n");
            while !state.is_over.load(Ordering::Relaxed)
                && write(if is_head { "X-Drip: y\r\n" } else { "\r\n" })
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            false
        }
        Fault::ClosesAtOnce | Fault::Mute => false,
    }
}
