//! What is said of a run is what the server saw.

use std::time::Duration;

use rampscope::event::traffic::Interval;

use crate::engine::Heard;
use crate::engine::plan;
use crate::engine::run;
use crate::figures::Three;
use crate::log::Log;
use crate::server::ANSWER;
use crate::server::Script;
use crate::server::Server;
use crate::server::Spec;

/// A share that a histogram of three digits may be off.
const DIGITS: f64 = 0.001;

fn server(script: Script) -> Server {
    Server::start(Spec { script, n_moments: 1 << 16, core: None }).unwrap()
}

fn three(
    heard: &Heard,
    field: fn(&Interval) -> &Option<rampscope::event::traffic::Histogram>,
) -> Three {
    let all = heard.latency(field);
    Three { p50: all.quantile(0.5), p99: all.quantile(0.99), max: all.max() }
}

/// A client sees at least what the server did.
#[track_caller]
fn assert_covers(own: Three, log: Three) {
    for (own, log) in [(own.p50, log.p50), (own.p99, log.p99), (own.max, log.max)] {
        let micros = Duration::from_micros(1);
        assert!(log.mul_f64(1.0 - DIGITS).saturating_sub(micros) <= own, "{own:?} of {log:?}");
    }
}

#[test]
fn requests_bytes_and_connections_agree_to_the_last_one() {
    let stage = "stages: [{name: a, for: 200ms, at: 500/s}]";
    let body = "x".repeat(3000);
    let with_body = format!(", method: POST, body: {body}");
    for (load, request, keeps) in [
        (format!("{{arrivals: even, {stage}}}"), "", true),
        (format!("{{arrivals: even, {stage}}}"), with_body.as_str(), true),
        (format!("{{arrivals: poisson, seed: 4, {stage}}}"), "", true),
        (format!("{{arrivals: even, {stage}}}"), ", keep_alive: false", false),
        ("{arrivals: closed, stages: [{name: a, for: 200ms, at: 8 users}]}".to_owned(), "", true),
        (
            "{arrivals: closed, stages: [{name: a, for: 200ms, at: 8 users}]}".to_owned(),
            ", keep_alive: false",
            false,
        ),
    ] {
        let server = server(Script::AtOnce);
        let request = format!(", timeout: 9s{request}");
        let heard = run(plan(&server.url(), ", connections: 8", &request, &load));
        let counts = server.counts();
        let n = counts.n_requests();
        let what = format!("{load} {request:.20}");
        assert_eq!((heard.sum(|it| it.sent), heard.sum(|it| it.succeeded)), (n, n), "{what}");
        assert_eq!(heard.errors(), Vec::<String>::new(), "{what}");
        assert_eq!(counts.n_answers(), n, "{what}");
        assert_eq!(heard.sum(|it| it.bytes_sent), counts.bytes(), "{what}");
        assert_eq!(heard.sum(|it| it.bytes_received), n * ANSWER.len() as u64, "{what}");
        assert_eq!(heard.sum(|it| it.connections_opened), counts.n_connections(), "{what}");
        if keeps {
            assert!(counts.n_connections() <= 8, "{what}");
        } else {
            assert_eq!(counts.n_connections(), n, "{what}");
        }
        assert!(counts.n_open_max() <= 9, "one may be closing while the next is opened: {what}");
        if !load.contains("closed") && !load.contains("poisson") {
            assert_eq!(n, 100, "{what}");
        }
    }
}

#[test]
fn no_request_comes_before_its_time_and_none_is_faster_than_the_server() {
    let scripts = [
        Script::Fixed(Duration::from_millis(5)),
        Script::Fixed(Duration::from_millis(20)),
        Script::LogNormal { median: Duration::from_millis(4), sigma: 0.7, seed: 7 },
    ];
    for script in scripts {
        let server = server(script);
        let load = "{arrivals: even, stages: [{name: a, for: 400ms, at: 250/s}]}";
        let heard = run(plan(&server.url(), "", ", timeout: 9s", load));
        let began = heard.origin + Duration::from_micros(heard.intervals[0].began.as_micros());
        let early = server.began().saturating_duration_since(began);
        let late = began.saturating_duration_since(server.began());
        let moments = server.end();
        assert_eq!(moments.len(), 100);
        for (n, moment) in (0u32..).zip(&moments) {
            // The beginning is told in whole microseconds.
            let due = Duration::from_millis(4) * n + late;
            let arrived = Duration::from_nanos(moment.arrived) + early + Duration::from_micros(2);
            assert!(due <= arrived, "{n}: due at {due:?}, there at {arrived:?}");
        }
        let log = Log::new(moments);
        let service = three(&heard, |it| &it.service_time);
        assert_covers(service, Three::of(log.service_times()));
        let response = three(&heard, |it| &it.response_time);
        assert_covers(response, Three::of(log.response_times(250.0)));
        assert_covers(response, service);
        if let Script::Fixed(least) = script {
            assert!(least.mul_f64(1.0 - DIGITS) <= heard.latency(|it| &it.service_time).min());
        }
    }
}

#[test]
fn a_stall_is_in_the_response_times_of_all_who_were_due_in_it() {
    let stall =
        Script::Stall { from: Duration::from_millis(300), lasts: Duration::from_millis(250) };
    let load = "{arrivals: even, stages: [{name: a, for: 1s, at: 200/s}]}";
    for connections in [4, 1000] {
        let server = server(stall);
        let target = format!(", connections: {connections}, max_in_flight: 1000");
        let heard = run(plan(&server.url(), &target, ", timeout: 9s", load));
        assert_eq!((heard.sum(|it| it.sent), heard.sum(|it| it.dropped)), (200, 0));
        let log = Log::new(server.end());
        assert_eq!(log.n_requests(), 200, "to the last one");
        let response = three(&heard, |it| &it.response_time);
        let service = three(&heard, |it| &it.service_time);
        assert_covers(response, Three::of(log.response_times(200.0)));
        assert_covers(service, Three::of(log.service_times()));
        // Fifty are due within the stall; of them, four connections let the server see four.
        let slow = heard.latency(|it| &it.response_time).quantile(0.88);
        assert!(Duration::from_millis(100) <= slow, "{slow:?}");
        if connections == 1000 {
            assert!(Duration::from_millis(200) <= service.p99, "{service}");
        }
    }
}

#[test]
fn what_is_dropped_at_the_cap_never_reaches_the_server() {
    let server = server(Script::Fixed(Duration::from_millis(150)));
    let load = "{arrivals: even, stages: [{name: a, for: 300ms, at: 200/s}]}";
    let heard =
        run(plan(&server.url(), ", connections: 3, max_in_flight: 6", ", timeout: 9s", load));
    let n = server.counts().n_requests();
    assert_eq!((heard.sum(|it| it.sent), heard.sum(|it| it.offered)), (n, 60));
    assert_eq!(heard.sum(|it| it.dropped), 60 - n, "each is dropped or sent");
    assert!(server.counts().n_open_max() <= 3);
}
