//! nginx with one worker on one core: a server that nobody tuned for us, and that counts.

use std::cell::Cell;
use std::fs;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::peer::Call;

/// nginx at work. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    /// Where it speaks HTTP/2.
    h2c: SocketAddr,
    /// Lives as long as it does.
    _folder: TempDir,
    /// How often it was asked for its counts: each question is a request too.
    n_asked: Cell<u64>,
}

/// One message of gRPC: not compressed, two bytes long, 1 in its first field.
const MESSAGE: [u8; 7] = [0, 0, 0, 0, 2, 8, 1];
/// Where the message lies, by the method that answers with it.
const METHOD: (&str, &str) = ("load_worker.LoadWorker", "InvokeWorker");

impl Nginx {
    /// nginx on a port of its own, kept on `core`.
    pub(crate) fn start(core: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
        let (address, h2c) = (free()?, free()?);
        let (path, service) = (folder.path().display(), METHOD.0);
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid {path}/pid; error_log {path}/error;
             events {{ worker_connections 4096; }}
             http {{
               access_log off; keepalive_requests 1000000000; keepalive_timeout 3600;
               client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
               fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
               server {{
                 listen {address} backlog=4096;
                 location / {{ default_type text/plain; return 200 'ok'; }}
                 location = /counts {{ stub_status; }}
               }}
               open_file_cache max=10 inactive=600s;
               server {{
                 listen {h2c} http2 backlog=4096;
                 location / {{ default_type text/plain; return 200 'ok'; }}
                 location /{service}/ {{
                   root {path}/grpc; default_type application/grpc;
                   add_trailer grpc-status 0 always; error_page 405 =200 $uri;
                 }}
               }}
             }}"
        );
        let answers = folder.path().join("grpc").join(service);
        fs::create_dir_all(&answers)?;
        fs::write(answers.join(METHOD.1), MESSAGE)?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string(), "nginx", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let nginx = Self { child, address, h2c, _folder: folder, n_asked: Cell::new(0) };
        for _ in 0..100 {
            if nginx.n_requests().is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other("nginx did not come up"))
    }

    /// Where it listens for a call, as a URL.
    pub(crate) fn url(&self, call: Call) -> String {
        let address = if call == Call::Http1 { self.address } else { self.h2c };
        format!("http://{address}/")
    }

    /// Requests it has counted, without questions like this one.
    pub(crate) fn n_requests(&self) -> io::Result<u64> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /counts HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        // Below a line of words stand: accepted, handled, requests.
        let counts = answer.lines().skip_while(|line| !line.contains("requests")).nth(1);
        let requests = counts.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
        let requests: u64 = requests.ok_or_else(|| io::Error::other("nginx tells no counts"))?;
        self.n_asked.set(self.n_asked.get() + 1);
        Ok(requests.saturating_sub(self.n_asked.get()))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
