//! Whether what parts the three lines is named: each cause injected ten times, and ten runs in
//! which nothing happens, on the embedded cluster in virtual time.
//!
//! `cargo bench --bench causes [-- FIRST_SEED [CAUSE]]`. It fails if a cause is named in fewer than
//! nine of its ten runs, if one is blamed that was not injected, or if our own input is said to be
//! incomplete in a twentieth of the ticks of all runs but its own.

#![expect(clippy::print_stdout, reason = "the table is the output")]
#![expect(clippy::unwrap_used, reason = "a run that fails shall be seen to")]

#[path = "../tests/embedded/eyes.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod eyes;
#[path = "../tests/embedded/injected.rs"]
#[expect(dead_code, reason = "the tests look at the objects too")]
mod injected;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use injected::Blamed;
use injected::Injected;

const ALL: [Injected; 10] = [
    Injected::Nothing,
    Injected::MissedScrape,
    Injected::AutoscalerRestarted,
    Injected::LeaderChanged,
    Injected::Quota,
    Injected::Unschedulable,
    Injected::ImagePull,
    Injected::MaxScale,
    Injected::ConfigChanged,
    Injected::Incomplete,
];
/// How long to look on after it happened, in seconds.
const AFTER: f64 = 40.0;
/// Runs of each cause.
const N_RUNS: u64 = 10;
/// Of these it has to be named in so many.
const N_NAMED: usize = 9;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let first = args.first().and_then(|it| it.parse().ok()).unwrap_or(1);
    let wanted = |it: &Injected| args.get(1).is_none_or(|name| it.name().contains(name.as_str()));
    let all: Vec<Injected> = ALL.into_iter().filter(wanted).collect();
    let runs: Vec<(Injected, u64)> = all
        .iter()
        .flat_map(|injected| (first..first + N_RUNS).map(|seed| (*injected, seed)))
        .collect();
    let blamed = live_all(&runs);
    println!("seeds {first} to {}", first + N_RUNS - 1);
    println!("{:<26} named  other blamed  incomplete  blamed, in ticks", "");
    let mut is_good = true;
    for injected in all {
        is_good &= row(injected, &blamed[&injected]);
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives through all runs, on as many threads as there are cores.
fn live_all(runs: &[(Injected, u64)]) -> BTreeMap<Injected, Vec<Blamed>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let take = || runs.get(next.fetch_add(1, Ordering::Relaxed));
        let lived = std::iter::from_fn(take)
            .map(|(injected, seed)| (*injected, injected::live(*injected, *seed, AFTER).blamed()));
        lived.collect::<Vec<_>>()
    };
    let mut by: BTreeMap<_, Vec<_>> = BTreeMap::new();
    std::thread::scope(|scope| {
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        for (injected, blamed) in threads.into_iter().flat_map(|it| it.join().unwrap()) {
            by.entry(injected).or_default().push(blamed);
        }
    });
    by
}

/// Prints what came of the runs of a cause; says whether it is as it should be.
fn row(injected: Injected, all: &[Blamed]) -> bool {
    let n_named = all.iter().filter(|it| it.names(injected)).count();
    let n_other = all.iter().filter(|it| it.blames_other_than(injected)).count();
    let n_ticks: u32 = all.iter().map(|it| it.n_ticks).sum();
    let n_incomplete: u32 = all.iter().map(|it| it.n_incomplete).sum();
    let mut by: BTreeMap<&str, u32> = BTreeMap::new();
    for (cause, n) in all.iter().flat_map(|it| &it.by) {
        *by.entry(cause.name()).or_default() += n;
    }
    let share = f64::from(n_incomplete) * 100.0 / f64::from(n_ticks.max(1));
    println!(
        "{:<26} {n_named:>5}  {n_other:>12}  {share:>8.1} %  {by:?} of {n_ticks}",
        injected.name()
    );
    match injected {
        Injected::Nothing => n_other == 0 && share < 5.0,
        Injected::Incomplete => n_other == 0 && N_NAMED <= n_named,
        _ => n_other == 0 && N_NAMED <= n_named && share < 5.0,
    }
}
