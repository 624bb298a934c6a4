use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::task::LocalSet;

use super::*;
use crate::clock::Clock;
use crate::sim::plane::Share;
use crate::sim::pod::Pod;
use crate::sim::revision::Identity;
use crate::sim::revision::Key;
use crate::sim::revision::Revision;
use crate::sim::task;

/// A plane with one pod, named `pod`, behind host `h`.
fn plane() -> (Rc<Plane>, Rc<Revision>) {
    let clock = Clock::start();
    let plane = Rc::new(Plane::new(clock, 7));
    let id = Identity {
        key: Key { namespace: "default".to_owned(), name: "h-00001".to_owned() },
        service: "h".to_owned(),
        container_concurrency: 0,
        timeout: Duration::from_secs(5),
        cores: 1.0,
    };
    let revision = Rc::new(Revision::new(clock, id));
    revision.add(Rc::new(Pod::new(clock, &revision.id, "pod", [10, 0, 0, 1])));
    let share = Share { percent: 100, revision: Rc::clone(&revision) };
    plane.set_routes(("default", "h"), vec![("h".to_owned(), vec![share])]);
    (plane, revision)
}

fn connect(plane: &Rc<Plane>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(1 << 20);
    task::detach(serve(Rc::clone(plane), far));
    near
}

/// Sends everything, then reads until the gateway closes.
async fn talk(text: &str) -> String {
    let (plane, _revision) = plane();
    let mut stream = connect(&plane);
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(60), read).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn what_clients_send_is_understood() {
    let served = "\r\n\r\npod\n";
    for (request, n_served, must_have) in [
        (String::new(), 1, "HTTP/1.1 200 OK\r\n"),
        ("GET /?sleep=20 HTTP/1.1\r\nhost: H:8080\r\n\r\n".to_owned(), 2, "content-length: 4\r\n"),
        ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 1, "content-length: 4\r\n"),
        ("GET /?bytes=3 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 1, "\r\n\r\npod\nxxx"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 2, "200"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             5;x=y\r\nhello\r\na\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
                .to_owned(),
            2,
            "200",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"
                .to_owned(),
            2,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200",
        ),
        ("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n".to_owned(), 1, "404 Not Found\r\n"),
        ("GET /?sleep=6000 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 1, "504 Gateway Timeout\r\n"),
    ] {
        let text = format!("{request}{CLOSE}");
        let answer = LocalSet::new().run_until(talk(&text)).await;
        let n = answer.matches(served).count() - answer.matches("pod\nx").count();
        assert_eq!(n, n_served, "{request:?}: {answer}");
        assert!(answer.contains(must_have), "{request:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_http_is_refused() {
    for (text, status) in [
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200)), "431"),
        (format!("GET /{} ", "x".repeat(MOST_HEAD)), "431"),
    ] {
        let answer = LocalSet::new().run_until(talk(&text)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_takes_its_request_along() {
    LocalSet::new()
        .run_until(async {
            let (plane, revision) = plane();
            let mut stream = connect(&plane);
            stream.write_all(b"GET /?sleep=4000 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(revision.pods()[0].queue.in_flight(), 1);
            drop(stream);
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(revision.pods()[0].queue.in_flight(), 0);
            assert_eq!(revision.throttle.n_active(), 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn http2_is_served_on_the_same_port() {
    use http_body_util::BodyExt as _;
    use http_body_util::Empty;
    use hyper_util::rt::TokioExecutor;
    use hyper_util::rt::TokioIo;

    LocalSet::new()
        .run_until(async {
            let (plane, _revision) = plane();
            let io = TokioIo::new(connect(&plane));
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            let _connection = task::spawn(connection);
            let request = http::Request::get("http://h/?bytes=3&sleep=10")
                .body(Empty::<bytes::Bytes>::new())
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(&body[..], b"pod\nxxx");
        })
        .await;
}
