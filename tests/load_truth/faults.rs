//! Whatever a server does, each request ends in a class that names the cause, the counts add up,
//! and nobody knocks without end.

use std::time::Duration;

use crate::engine::Heard;
use crate::engine::plan;
use crate::engine::run;
use crate::engine::run_with;
use crate::failing::Failing;
use crate::failing::Fault;

const OPEN: &str = "{arrivals: even, stages: [{name: a, for: 300ms, at: 100/s}]}";
const CLOSED: &str = "{arrivals: closed, stages: [{name: a, for: 300ms, at: 8 users}]}";
/// Attempts to connect within the plan and the timeout after it: rests of 10, 20, 40, 80, 160 and
/// 320 ms lie between them, and eight connections may be begun at a time.
const ATTEMPTS_MAX: u64 = 7 * 8;

/// Runs both loops against a fault, side by side; gives what was heard and the attempts to connect.
fn attack(fault: Fault) -> [(Heard, u64); 2] {
    let one = |load| {
        let server = Failing::start(fault);
        let heard = run(plan(&server.url(), ", connections: 8", "", load));
        assert!(server.n_requests() <= heard.sum(|it| it.sent), "{fault:?} {load}");
        (heard, server.n_accepted())
    };
    std::thread::scope(|scope| {
        let open = scope.spawn(|| one(OPEN));
        let closed = one(CLOSED);
        let open = open.join().unwrap();
        assert_eq!(open.0.sum(|it| it.offered), 30, "{fault:?}");
        [open, closed]
    })
}

/// All requests end in one class.
fn assert_class(faults: &[Fault], class: &str) {
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                for (heard, _) in attack(*fault) {
                    assert_eq!(heard.errors(), [class], "{fault:?}");
                    assert_eq!(heard.sum(|it| it.succeeded), 0, "{fault:?}");
                }
            });
        }
    });
}

#[test]
fn a_reset_is_a_reset() {
    assert_class(&[Fault::Resets, Fault::ResetsInBody], "reset by the server");
}

#[test]
fn an_answer_that_breaks_off_was_closed_early() {
    let faults = [Fault::ClosesInChunk, Fault::ClosesInHead];
    assert_class(&faults, "closed before the answer was whole");
}

#[test]
fn an_answer_that_contradicts_itself_is_no_answer() {
    assert_class(&[Fault::BrokenChunk, Fault::TwoLengths], "answer is not HTTP/1.1");
}

#[test]
fn an_answer_that_never_ends_has_its_time() {
    assert_class(&[Fault::DripsHead, Fault::DripsBody], "timeout");
}

#[test]
fn a_server_out_of_descriptors_connects_and_says_nothing() {
    // The kernel completes what the server cannot accept.
    assert_class(&[Fault::Mute], "timeout");
}

#[test]
fn nobody_knocks_without_end_at_a_server_that_sends_everyone_away() {
    let classes = ["closed before the answer was whole", "reset by the server"];
    for (heard, n_attempts) in attack(Fault::ClosesAtOnce) {
        let errors = heard.errors();
        assert!(errors.iter().all(|it| classes.contains(&it.as_str())), "{errors:?}");
        assert!(0 < heard.sum(|it| it.failed));
        assert!(n_attempts <= ATTEMPTS_MAX, "{n_attempts}");
    }
    for fault in [Fault::Resets, Fault::ClosesInHead, Fault::TwoLengths] {
        for (_, n_attempts) in attack(fault) {
            assert!(n_attempts <= ATTEMPTS_MAX, "{fault:?} {n_attempts}");
        }
    }
}

#[test]
fn a_server_that_goes_away_and_comes_back_is_found_again() {
    for load in [
        "{arrivals: even, stages: [{name: a, for: 1h, at: 200/s}]}",
        "{arrivals: closed, stages: [{name: a, for: 1h, at: 4 users}]}",
    ] {
        let mut server = Failing::start(Fault::None);
        let url = server.url();
        let mut n_before = 0;
        let heard = run_with(plan(&url, ", connections: 4", "", load), async |engine| {
            let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
            pause(200).await;
            server.go_away();
            pause(300).await;
            n_before = server.n_requests();
            server.come_back();
            while server.n_requests() < n_before + 50 {
                pause(10).await;
            }
            engine.stop();
        });
        assert!(0 < n_before, "{load}");
        let classes =
            ["connect refused", "reset by the server", "closed before the answer was whole"];
        let errors = heard.errors();
        assert!(errors.iter().all(|it| classes.contains(&it.as_str())), "{errors:?}");
        assert!(errors.iter().any(|it| it == "connect refused"), "{errors:?}");
        let n_lost = heard.sum(|it| it.sent) - heard.sum(|it| it.succeeded);
        assert!(n_lost <= 8, "only what was in flight was lost, not {n_lost}");
    }
}
