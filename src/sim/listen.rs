//! The embedded cluster on loopback, in a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::sim::cluster::SimCluster;
use crate::sim::spec::SimSpec;

/// Which ports of loopback are taken; 0 is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// That of the API server.
    pub api: u16,
    /// That of the gateway.
    pub gateway: u16,
}

/// An embedded cluster that listens. It ends when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where the gateway is, as `http://127.0.0.1:PORT`.
    pub gateway_url: String,
    /// The host of its first service; empty without services.
    pub host: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Why a cluster could not listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The thread or its runtime could not be started.
    #[error("cannot start the embedded cluster's thread")]
    Thread(#[source] io::Error),
    /// A port could not be taken.
    #[error("cannot listen on {address}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The thread ended before it listened.
    #[error("the embedded cluster ended before it listened")]
    Ended,
}

/// Starts a cluster that listens on loopback.
pub fn listen(spec: SimSpec, ports: Ports) -> Result<Running, ListenError> {
    let stop = CancellationToken::new();
    let (tell, told) = mpsc::sync_channel(1);
    let until = stop.clone();
    let thread = std::thread::Builder::new()
        .name("sim".to_owned())
        .spawn(move || run(spec, ports, &tell, &until))
        .map_err(ListenError::Thread)?;
    let (gateway, host) = told.recv().map_err(|_| ListenError::Ended)??;
    Ok(Running { gateway_url: format!("http://{gateway}"), host, stop, thread: Some(thread) })
}

type Told = Result<(SocketAddr, String), ListenError>;

fn run(spec: SimSpec, ports: Ports, tell: &mpsc::SyncSender<Told>, stop: &CancellationToken) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Who asked is waiting for just this.
            let _ = tell.send(Err(ListenError::Thread(error)));
            return;
        }
    };
    let life = async {
        let gateway = match bind(ports.gateway).await {
            Ok(listener) => listener,
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
        let address = gateway.local_addr().unwrap_or(SimCluster::loopback(ports.gateway));
        let cluster = SimCluster::mount_at(spec, Clock::start(), Some(address));
        let _ = tell.send(Ok((address, cluster.first_host())));
        tokio::select! {
            () = stop.cancelled() => {}
            () = cluster.serve_gateway(gateway) => {}
        }
    };
    LocalSet::new().block_on(&runtime, life);
}

async fn bind(port: u16) -> Result<TcpListener, ListenError> {
    let address = SimCluster::loopback(port);
    TcpListener::bind(address).await.map_err(|source| ListenError::Bind { address, source })
}

// === impl Running ===

impl Running {
    /// Ends the cluster and waits for its thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the embedded cluster's thread panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::io::Write as _;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn it_answers_on_its_port_until_it_is_stopped() {
        let running = listen(SimSpec::default(), Ports::default()).unwrap();
        let address = running.gateway_url.strip_prefix("http://").unwrap().to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
        assert_eq!(running.host, "hello.default.sim.test");

        let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
        let taken = listen(SimSpec::default(), Ports { gateway: port, ..Ports::default() });
        assert!(matches!(taken, Err(ListenError::Bind { .. })), "the port is taken");
        running.stop();
        assert!(TcpStream::connect(&address).is_err());
    }
}
