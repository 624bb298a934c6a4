//! What a request costs us: whole-process CPU in a closed and in an open loop.
//!
//! `RAMPSCOPE_BENCH_URL=http://127.0.0.1:8080/ cargo bench --bench load`, with a server there that
//! is faster than we are (nginx with `return 200`). Put `wrk -t1 -c64`, `oha -c 64` and `hey -c 64`
//! beside it under `/usr/bin/time -v`, one after the other.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod engine;

use std::time::Duration;

use rampscope::scenario::amount::Amount;

fn main() {
    let Some(url) = std::env::var_os("RAMPSCOPE_BENCH_URL").and_then(|it| it.into_string().ok())
    else {
        println!("say what to load with RAMPSCOPE_BENCH_URL; nothing was measured");
        return;
    };
    engine::run(&url, Amount::Users(64.0), Duration::from_secs(10));
    engine::run(&url, Amount::Rate(10_000.0), Duration::from_secs(10));
}
