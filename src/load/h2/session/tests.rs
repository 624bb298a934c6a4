//! A session against frames made by hand, against anything at all, and against a real server.

use std::convert::Infallible;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame as BodyFrame;
use hyper::body::Incoming;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;

use super::*;
use crate::load::h2::Fault;
use crate::load::h2::Parts;
use crate::load::h2::frame as wire;
use crate::load::h2::frame::HEAD;
use crate::load::h2::frame::Head;
use crate::load::h2::render;

fn parts(path: &str, body: &[u8]) -> Parts {
    Parts {
        method: "POST".to_owned(),
        scheme: "http",
        authority: "a.example".to_owned(),
        path: path.to_owned(),
        headers: vec![("User-Agent".to_owned(), "rampscope".to_owned())],
        body: body.into(),
    }
}

fn session(n_streams: usize, body: &[u8]) -> Session<u32> {
    Session::new(render(&[parts("/x", body)]).into(), n_streams)
}

/// A frame of a server.
fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::write_head(&mut out, kind, flags, stream, payload.len());
    out.extend_from_slice(payload);
    out
}

fn settings(of: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = of
        .iter()
        .flat_map(|(setting, value)| {
            [setting.to_be_bytes().as_slice(), &value.to_be_bytes()].concat()
        })
        .collect();
    frame(Kind::Settings, 0, 0, &payload)
}

const END: u8 = wire::END_STREAM | wire::END_HEADERS;

/// What a session said, and whether it can go on.
fn fed(session: &mut Session<u32>, bytes: &[u8]) -> (Vec<Event<u32>>, Result<(), Fault>) {
    let mut events = Vec::new();
    let result = session.feed(bytes, 7, &mut |event| events.push(event));
    (events, result)
}

/// All that waits for the socket, as frames; it counts as written.
fn taken(session: &mut Session<u32>) -> Vec<(Head, Vec<u8>)> {
    let mut frames = Vec::new();
    loop {
        let bytes = session.waiting().to_vec();
        if bytes.is_empty() {
            return frames;
        }
        session.wrote(bytes.len(), |_| {});
        let mut rest = bytes.strip_prefix(wire::PREFACE).unwrap_or(&bytes);
        while let Some((head, after)) = rest.split_first_chunk() {
            let head = Head::read(*head);
            frames.push((head, after[..head.len].to_vec()));
            rest = &after[head.len..];
        }
        assert!(rest.is_empty(), "only whole frames are written");
    }
}

fn kinds(frames: &[(Head, Vec<u8>)]) -> Vec<(Kind, u32)> {
    frames.iter().map(|(head, _)| (head.kind, head.stream)).collect()
}

/// A session with a server's settings, of which nothing waits any more.
fn ready(n_streams: usize, body: &[u8], of: &[(u16, u32)]) -> Session<u32> {
    let mut session = session(n_streams, body);
    assert_eq!(fed(&mut session, &settings(of)), (vec![Event::Ready], Ok(())));
    taken(&mut session);
    session
}

fn answer(status: u16, n_body: u64) -> Answer {
    Answer { status, n_body, head_at: 7, ..Answer::default() }
}

#[test]
fn a_session_begins_as_the_standard_says_and_waits_for_the_servers_settings() {
    let mut session = session(3, b"");
    assert!(session.waiting().starts_with(wire::PREFACE));
    assert_eq!((session.n_free(), session.start(0, 1)), (0, Err(1)));
    assert_eq!(kinds(&taken(&mut session)), [(Kind::Settings, 0), (Kind::WindowUpdate, 0)]);
    let (events, result) = fed(&mut session, &settings(&[(3, 2)]));
    assert_eq!((events, result), (vec![Event::Ready], Ok(())));
    assert_eq!(kinds(&taken(&mut session)), [(Kind::Settings, 0)], "an acknowledgement");
    assert_eq!(session.n_free(), 2, "no more streams than the server allows");
    assert_eq!(
        (session.start(0, 1), session.start(0, 2), session.start(0, 3)),
        (Ok(()), Ok(()), Err(3))
    );
    let frames = taken(&mut session);
    assert_eq!(kinds(&frames), [(Kind::Headers, 1), (Kind::Headers, 3)]);
    assert!(frames[1].1.len() * 3 < frames[0].1.len(), "the second head is short");
    assert!(frames.iter().all(|(head, _)| head.flags == END));
}

#[test]
fn answers_end_with_their_last_frame_whatever_it_is() {
    let mut session = ready(4, b"", &[]);
    for job in 0..4 {
        session.start(0, job).unwrap();
    }
    let padded = [2, b'o', b'k', 0, 0];
    let bytes = [
        frame(Kind::Headers, wire::END_HEADERS, 1, &[0x88]),
        // No content at all.
        frame(Kind::Headers, END, 3, &[0x89]),
        frame(Kind::Data, wire::PADDED, 1, &padded),
        // An interim answer, priority and padding.
        frame(Kind::Headers, wire::END_HEADERS, 5, b"\x08\x03103"),
        frame(Kind::Headers, 0x4 | 0x8 | 0x20, 5, &[1, 0, 0, 0, 0, 9, 0x8d, 0]),
        // A head in pieces.
        frame(Kind::Headers, wire::END_STREAM, 7, b"\x08"),
        frame(Kind::Continuation, wire::END_HEADERS, 7, b"\x03503"),
        frame(Kind::Data, wire::END_STREAM, 5, b""),
        frame(Kind::Headers, END, 1, b""),
    ]
    .concat();
    let expected =
        [(1, answer(204, 0)), (3, answer(503, 0)), (2, answer(404, 0)), (0, answer(200, 2))]
            .map(|(job, answer)| Event::Answered { job, answer });
    let mut bytewise = ready(4, b"", &[]);
    for job in 0..4 {
        bytewise.start(0, job).unwrap();
    }
    let (events, result) = fed(&mut session, &bytes);
    assert_eq!((events.as_slice(), result), (expected.as_slice(), Ok(())));
    let mut events = Vec::new();
    for byte in bytes {
        events.extend(fed(&mut bytewise, &[byte]).0);
    }
    assert_eq!(events, expected, "byte by byte");
    assert_eq!((session.n_open(), session.n_ended()), (0, 4));
}

#[test]
fn a_body_goes_as_far_as_both_windows() {
    let body = vec![b'x'; 100_000];
    let n_data = |frames: &[(Head, Vec<u8>)], stream: u32| -> usize {
        let of_stream = frames.iter().filter(|(head, _)| head.stream == stream);
        of_stream.filter(|(head, _)| head.kind == Kind::Data).map(|(head, _)| head.len).sum()
    };
    let window = |stream: u32, n: u32| frame(Kind::WindowUpdate, 0, stream, &n.to_be_bytes());
    let mut session = ready(2, &body, &[(4, 50_000)]);
    session.start(0, 1).unwrap();
    session.start(0, 2).unwrap();
    let frames = taken(&mut session);
    assert_eq!((n_data(&frames, 1), n_data(&frames, 3)), (50_000, 15_535));
    // The connection's window opens: what the second stream's own allows goes.
    fed(&mut session, &window(0, 1_000_000)).1.unwrap();
    let frames = taken(&mut session);
    assert_eq!((n_data(&frames, 1), n_data(&frames, 3)), (0, 34_465));
    // A smaller window for all makes those of the streams negative (RFC 9113, section 6.9.2).
    fed(&mut session, &settings(&[(4, 40_000)])).1.unwrap();
    fed(&mut session, &window(1, 10_000)).1.unwrap();
    assert_eq!(n_data(&taken(&mut session), 1), 0);
    fed(&mut session, &window(1, 50_000)).1.unwrap();
    let frames = taken(&mut session);
    assert_eq!(n_data(&frames, 1), 50_000);
    assert_eq!(frames.last().unwrap().0.flags, wire::END_STREAM);
    assert!(frames.iter().all(|(head, _)| head.len <= PAYLOAD_MAX));
    // An answer that comes before the body has gone ends the stream.
    let (events, _) = fed(&mut session, &frame(Kind::Headers, END, 3, &[0x8c]));
    assert_eq!(events, [Event::Answered { job: 2, answer: answer(400, 0) }]);
    assert_eq!(kinds(&taken(&mut session)), [(Kind::ResetStream, 3)]);
}

#[test]
fn bodies_wait_for_a_socket_that_takes_nothing() {
    let body = vec![b'x'; 1 << 20];
    let mut session = ready(64, &body, &[(4, 1 << 30)]);
    fed(&mut session, &frame(Kind::WindowUpdate, 0, 0, &(1_u32 << 30).to_be_bytes())).1.unwrap();
    for job in 0..64 {
        let _ = session.start(0, job);
    }
    assert!(session.waiting().len() < 300 * 1024, "{}", session.waiting().len());
    // A server that asks and asks, and takes no answer.
    let pings = frame(Kind::Ping, 0, 0, &[0; 8]).repeat(1000);
    let flooded = (0..100).find_map(|_| fed(&mut session, &pings).1.err());
    assert_eq!(flooded, Some(Fault::Flood));
}

#[test]
fn what_was_written_is_told_once_and_in_order() {
    let mut session = ready(4, b"", &[]);
    for job in 0..4 {
        session.start(0, job).unwrap();
    }
    session.expire(|job| *job == 1, |_| {});
    let mut told = Vec::new();
    while !session.waiting().is_empty() {
        session.wrote(1, |job| told.push(job.copied()));
    }
    assert_eq!(told, [Some(0), None, Some(2), Some(3)], "one was given up before it was written");
}

#[test]
fn each_end_of_a_stream_is_told_apart() {
    let mut session = ready(8, b"", &[]);
    for job in 0..5 {
        session.start(0, job).unwrap();
    }
    taken(&mut session);
    let (events, result) = fed(
        &mut session,
        &[
            frame(Kind::ResetStream, 0, 1, &7_u32.to_be_bytes()),
            // A body before its head.
            frame(Kind::Data, 0, 3, b"x"),
            // Of what was given up, and what is over, more may come.
            frame(Kind::Data, 0, 1, b"x"),
            frame(Kind::Headers, END, 3, &[0x88]),
            frame(Kind::ResetStream, 0, 3, &[0; 4]),
            frame(Kind::GoAway, 0, 0, b"\0\0\0\x07\0\0\0\x0bslow down"),
        ]
        .concat(),
    );
    let calm = ErrorCode(11);
    assert_eq!(result, Ok(()));
    assert_eq!(
        events,
        [
            Event::Reset { job: 0, code: ErrorCode(7) },
            Event::Malformed { job: 1 },
            Event::Unprocessed { job: 4, code: calm },
        ]
    );
    assert_eq!((session.is_going(), session.going(), session.n_free()), (true, Some(calm), 0));
    // What the server promised to answer is still answered.
    let (events, _) = fed(&mut session, &frame(Kind::Headers, END, 5, &[0x88]));
    assert_eq!(events, [Event::Answered { job: 2, answer: answer(200, 0) }]);
    let mut left = Vec::new();
    session.give_up(|job, has_begun| left.push((job, has_begun)));
    assert_eq!((left, session.n_open()), (vec![(3, false)], 0));
    assert_eq!(kinds(&taken(&mut session)), [(Kind::ResetStream, 3)]);
}

#[test]
fn a_server_that_breaks_the_rules_is_left() {
    type Break = (&'static str, Vec<u8>, Fault);
    let first: [Break; 3] = [
        ("HTTP/1", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Fault::NotHttp2),
        ("no settings", frame(Kind::Ping, 0, 0, &[0; 8]), Fault::NotHttp2),
        ("an answer to settings", frame(Kind::Settings, 1, 0, &[]), Fault::NotHttp2),
    ];
    for (what, bytes, fault) in first {
        assert_eq!(fed(&mut session(1, b""), &bytes), (vec![], Err(fault)), "{what}");
    }
    let later: Vec<Break> = vec![
        ("a stream of the server's", frame(Kind::Headers, END, 2, &[0x88]), Fault::Frame),
        ("a stream that nobody opened", frame(Kind::Data, 0, 9, b"x"), Fault::Frame),
        ("a push", frame(Kind::PushPromise, 4, 1, &[0, 0, 0, 2, 0x88]), Fault::Frame),
        ("a length", frame(Kind::Ping, 0, 0, &[0; 7]), Fault::Frame),
        ("a setting cut off", frame(Kind::Settings, 0, 0, &[0; 7]), Fault::Frame),
        ("a continuation of nothing", frame(Kind::Continuation, 4, 1, b"x"), Fault::Frame),
        (
            "something between a head's pieces",
            [frame(Kind::Headers, 0, 1, b"\x88"), frame(Kind::Ping, 0, 0, &[0; 8])].concat(),
            Fault::Frame,
        ),
        ("more padding than payload", frame(Kind::Data, 8, 1, &[5, 0]), Fault::Frame),
        ("a frame too large", vec![0, 0x40, 1, 0, 0, 0, 0, 0, 1], Fault::Frame),
        ("a block", frame(Kind::Headers, END, 1, &[0x80]), Fault::Compression),
        ("no more window", frame(Kind::WindowUpdate, 0, 0, &[0; 4]), Fault::Window),
        (
            "too much window",
            frame(Kind::WindowUpdate, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            Fault::Window,
        ),
        ("too large a window", settings(&[(4, u32::MAX)]), Fault::Window),
    ];
    for (what, bytes, fault) in later {
        let mut session = ready(1, b"", &[]);
        session.start(0, 1).unwrap();
        assert_eq!(fed(&mut session, &bytes).1, Err(fault), "{what}");
    }
    let mut session = ready(1, b"", &[]);
    session.start(0, 1).unwrap();
    fed(&mut session, &frame(Kind::Headers, 0, 1, &[0x88])).1.unwrap();
    let more = frame(Kind::Continuation, 0, 1, &[0; PAYLOAD_MAX]);
    let endless = (0..9).find_map(|_| fed(&mut session, &more).1.err());
    assert_eq!(endless, Some(Fault::HeadTooLarge), "a head without end");
    for (flags, result) in [(0, Err(Fault::HeadTooLarge)), (frame::END_HEADERS, Ok(()))] {
        let mut session = ready(1, b"", &[]);
        session.start(0, 1).unwrap();
        let head = frame(Kind::Headers, frame::END_STREAM, 1, &[0x88]);
        let empty = frame(Kind::Continuation, flags, 1, &[]);
        let (events, told) = fed(&mut session, &[head, empty].concat());
        assert_eq!((events.len(), told), (usize::from(result.is_ok()), result), "no byte of it");
    }
}

#[test]
fn a_server_without_a_table_is_sent_none() {
    for of in [[(1, 0)], [(1, 4095)]] {
        let mut session = ready(2, b"", &of);
        session.start(0, 1).unwrap();
        session.start(0, 2).unwrap();
        let frames = taken(&mut session);
        assert_eq!(frames[0].1[0], 0x20, "the table's size becomes 0");
        assert_eq!(frames[0].1[1..], frames[1].1);
    }
    let mut session = ready(2, b"", &[(1, 65_536)]);
    session.start(0, 1).unwrap();
    assert_eq!(taken(&mut session)[0].1[0], 0x83);
    fed(&mut session, &settings(&[(1, 100)])).1.unwrap();
    session.start(0, 2).unwrap();
    assert_eq!(taken(&mut session)[1].1[0], 0x20, "also when it says so later");
}

#[test]
fn a_head_larger_than_a_frame_goes_on() {
    let mut large = parts("/x", b"");
    large.headers.push(("X-Large".to_owned(), "y".repeat(40_000)));
    let mut session: Session<u32> = Session::new(render(&[large]).into(), 1);
    fed(&mut session, &settings(&[])).1.unwrap();
    taken(&mut session);
    session.start(0, 1).unwrap();
    let frames = taken(&mut session);
    let flags: Vec<u8> = frames.iter().map(|(head, _)| head.flags).collect();
    let expected = [(Kind::Headers, 1), (Kind::Continuation, 1), (Kind::Continuation, 1)];
    assert_eq!((kinds(&frames).as_slice(), flags), (expected.as_slice(), vec![1, 0, 4]));
}

#[test]
fn streams_that_last_are_gone_around() {
    let mut session = ready(2, b"", &[]);
    session.start(0, 1000).unwrap();
    for job in 0..20 {
        session.start(0, job).unwrap();
        let id = taken(&mut session).last().unwrap().0.stream;
        let (events, _) = fed(&mut session, &frame(Kind::Headers, END, id, &[0x88]));
        assert_eq!(events, [Event::Answered { job, answer: answer(200, 0) }]);
    }
    let (events, _) = fed(&mut session, &frame(Kind::Headers, END, 1, &[0x88]));
    assert_eq!(events, [Event::Answered { job: 1000, answer: answer(200, 0) }]);
}

#[test]
fn windows_are_given_back_before_they_are_used_up() {
    let mut session = ready(1, b"", &[]);
    session.start(0, 1).unwrap();
    taken(&mut session);
    fed(&mut session, &frame(Kind::Headers, 4, 1, &[0x88])).1.unwrap();
    let data = frame(Kind::Data, 0, 1, &[0; PAYLOAD_MAX]);
    let n_half = (1 << 29) / PAYLOAD_MAX;
    for _ in 0..n_half {
        fed(&mut session, &data).1.unwrap();
    }
    assert_eq!(taken(&mut session), []);
    fed(&mut session, &data).1.unwrap();
    let frames = taken(&mut session);
    assert_eq!(kinds(&frames), [(Kind::WindowUpdate, 0), (Kind::WindowUpdate, 1)]);
    let given = u32::try_from((n_half + 1) * PAYLOAD_MAX).unwrap().to_be_bytes();
    assert!(frames.iter().all(|(_, payload)| *payload == given));
}

/// Frames that are nearly right, and some that are not.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(vec![0x88]),
        Just(b"\0\0\0\x03\0\0\0\x07".to_vec()),
        Just(vec![0, 0, 1, 0]),
    ];
    (0..11_u8, any::<u8>(), 0..12_u32, payload, 0..20_u32).prop_map(
        |(kind, flags, stream, payload, n_lie)| {
            let mut bytes = frame(Kind::Data, flags, stream, &payload);
            bytes[3] = kind;
            if n_lie == 0 {
                bytes[2] ^= 0x11;
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn anything_is_survived_and_pieces_do_not_matter(
        frames in prop::collection::vec(any_frame(), 0..30),
        n_streams in 1..5_usize,
        cuts in prop::collection::vec(1..60_usize, 1..30),
        n_body in 0..40_000_usize,
    ) {
        let run = |pieces: &[&[u8]]| {
            let mut session = ready(n_streams, &vec![1; n_body], &[(4, 10)]);
            for job in 0..5 {
                let _ = session.start(0, job);
            }
            let mut all = Vec::new();
            for piece in pieces {
                let (events, result) = fed(&mut session, piece);
                all.extend(events);
                if let Err(fault) = result {
                    return (all, Some(fault), 0);
                }
                assert!(session.part.len() <= HEAD + PAYLOAD_MAX);
                assert!(session.block.len() <= BLOCK_MAX);
                assert!(session.sending.len() <= 2 * session.streams.len());
            }
            (all, None, session.n_open())
        };
        let bytes = frames.concat();
        let whole = run(&[&bytes]);
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(&whole, &run(&pieces));
        let (events, fault, n_open) = whole;
        if fault.is_none() {
            prop_assert_eq!(events.len() + n_open, n_streams.min(5), "no request is lost or doubled");
        }
    }

    #[test]
    fn noise_is_survived(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
        is_ready in any::<bool>(),
    ) {
        let mut session = if is_ready { ready(3, b"x", &[]) } else { session(3, b"x") };
        for piece in pieces {
            let _ = session.start(0, 1);
            if fed(&mut session, &piece).1.is_err() {
                break;
            }
        }
    }
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// What hyper's server answers: as many bytes as the path says, after the request's own number.
async fn answered(request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let n_got = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
    let n_wanted: usize = path.parse().unwrap_or(0);
    let frames = [
        Ok(BodyFrame::data(Bytes::from(vec![b'y'; n_wanted]))),
        Ok(BodyFrame::trailers(http::HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from(n_got),
        )]))),
    ];
    let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    let answer = http::Response::builder()
        .status(201)
        .header("content-type", "application/grpc")
        .header("x-long", "a value that a server keeps in its table ".repeat(3));
    Ok(answer.body(body).unwrap())
}

/// hyper's server, for one connection.
fn server() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = TokioIo::new(tokio::net::TcpStream::from_std(stream).unwrap());
            let service = hyper::service::service_fn(answered);
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .max_concurrent_streams(7)
                .serve_connection(stream, service)
                .await;
        });
    });
    address
}

#[test]
fn a_real_server_understands_and_is_understood() {
    let requests = [(0, 0), (5, 100), (300_000, 1), (3, 300_000), (16_384, 16_384)];
    let all: Vec<Parts> = requests
        .iter()
        .map(|(n_answer, n_body)| parts(&format!("/{n_answer}"), &vec![b'x'; *n_body]))
        .collect();
    let mut session: Session<usize> = Session::new(render(&all).into(), 20);
    let mut stream = TcpStream::connect(server()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (mut n_started, mut n_answered, mut n_most) = (0, 0, 0);
    let mut buffer = vec![0; 30_000];
    while n_answered < 200 {
        while n_started < 200 && session.start(n_started % 5, n_started % 5).is_ok() {
            n_started += 1;
        }
        n_most = session.n_open().max(n_most);
        while !session.waiting().is_empty() {
            let n = stream.write(session.waiting()).unwrap();
            session.wrote(n, |_| {});
        }
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "the server closed");
        let mut on = |event| match event {
            Event::Answered { job, answer } => {
                let (n_answer, n_body) = requests[job];
                assert_eq!((answer.status, answer.n_body), (201, n_answer));
                assert_eq!(answer.grpc_status, Some(u32::try_from(n_body).unwrap()));
                assert!(answer.is_grpc);
                n_answered += 1;
            }
            Event::Ready => {}
            other => panic!("{other:?}"),
        };
        session.feed(&buffer[..n], 1, &mut on).unwrap();
    }
    assert_eq!((n_most, session.n_open()), (7, 0), "as many at once as the server allows");
}

#[test]
fn a_request_costs_no_room() {
    let mut session = ready(8, b"", &[]);
    let mut room = None;
    let requests: Arc<[Request]> = render(&[parts("/x", b"")]).into();
    assert_eq!(requests.len(), 1);
    for _ in 0..1000 {
        for job in 0..8 {
            session.start(0, job).unwrap();
        }
        let n = session.waiting().len();
        session.wrote(n, |_| {});
        let answers: Vec<u8> = (0..8)
            .flat_map(|stream| {
                frame(Kind::Headers, END, session.next_id - 16 + 2 * stream, &[0x88])
            })
            .collect();
        assert_eq!(fed(&mut session, &answers).0.len(), 8);
        let now = (session.out.capacity(), session.unsent.capacity(), session.streams.len());
        assert_eq!(*room.get_or_insert(now), now);
    }
}
