//! What only a process of its own can meet: a limit of descriptors, and certificates that its
//! environment trusts but for one thing.

use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use rcgen::CertificateParams;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use serde_json::Value;

use crate::server::ANSWER;
use crate::server::Script;
use crate::server::Server;
use crate::server::Spec;

const RAMPSCOPE: &str = env!("CARGO_BIN_EXE_rampscope");

/// Runs `rampscope load` headless, and gives its summary's traffic.
fn load(before: &str, args: &str, (name, value): (&str, &str)) -> Value {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let line = format!("{before} exec {RAMPSCOPE} load {args} --headless --out {}", out.display());
    let ended = Command::new("sh").args(["-c", &line]).env(name, value).output().unwrap();
    let summary = fs::read(out.join("summary.json"));
    let summary = summary.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&ended.stderr)));
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let traffic = summary["traffic"].clone();
    let n = |name: &str| traffic[name].as_u64().unwrap();
    assert_eq!(n("offered"), n("succeeded") + n("failed") + n("dropped"), "{traffic}");
    traffic
}

fn classes(traffic: &Value) -> Vec<&str> {
    traffic["errors"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_limit_of_descriptors_is_named() {
    let script = Script::Fixed(std::time::Duration::from_millis(50));
    let server = Server::start(Spec { script, n_moments: 0, core: None }).unwrap();
    let args = format!("-c 200 -z 1s {}", server.url());
    let traffic = load("ulimit -n 64;", &args, ("LANG", "C"));
    assert!(0 < traffic["succeeded"].as_u64().unwrap(), "those that have one go on: {traffic}");
    let classes = classes(&traffic);
    assert!(classes.iter().all(|it| *it == "out of file descriptors here"), "{classes:?}");
    assert_eq!(traffic["sent"].as_u64().unwrap(), server.counts().n_requests());
}

#[test]
fn what_is_wrong_with_a_certificate_is_named() {
    for (name, years, class) in [
        ("127.0.0.1", (2000, 2001), "tls certificate expired"),
        ("127.0.0.1", (2100, 2101), "tls certificate not valid yet"),
        ("elsewhere.example", (2000, 2101), "tls certificate is for another name"),
    ] {
        let (address, certificate) = tls_server(name, years);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots.pem");
        fs::write(&file, certificate).unwrap();
        let args = format!("-c 2 -n 4 https://127.0.0.1:{}/", address.port());
        let traffic = load("", &args, ("SSL_CERT_FILE", file.to_str().unwrap()));
        assert_eq!((classes(&traffic), &traffic["sent"]), (vec![class], &Value::from(0)));
    }
}

/// A server with a certificate for `name` that is valid from the first year until the second; and
/// the certificate, for those who are to trust it.
fn tls_server(name: &str, (from, until): (i32, i32)) -> (SocketAddr, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream.unwrap());
            let mut bytes = [0; 4096];
            while matches!(tls.read(&mut bytes), Ok(n) if 0 < n) {
                let _ = tls.write_all(ANSWER);
            }
        }
    });
    (address, certificate.pem())
}
