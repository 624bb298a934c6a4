//! What the autoscaler gathers of one revision: samples of its pods each second, and what the
//! activators report.

use std::time::Duration;

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use crate::kpa::Config;
use crate::kpa::Observed;
use crate::kpa::config::Metric;
use crate::kpa::sample::sample_size;
use crate::kpa::window::Windows;
use crate::units::At;

/// Knative scrapes each second.
const SCRAPE_PERIOD: Duration = Duration::from_secs(1);

/// What a queue-proxy or an activator reports of the last second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Mean requests in flight, proxied ones included.
    pub average_concurrent_requests: f64,
    /// The part of them that came through the activator, which reports it itself.
    pub average_proxied_concurrent_requests: f64,
    /// Requests that arrived, a second.
    pub request_count: f64,
    /// The part of them that came through the activator.
    pub proxied_request_count: f64,
}

/// The windows over what was gathered.
#[derive(Debug)]
pub(super) struct Collector {
    concurrency: Windows,
    rps: Windows,
    next_scrape: At,
    rng: SmallRng,
}

// === impl Collector ===

impl Collector {
    pub(super) fn new(config: &Config, now: At, mut rng: SmallRng) -> Self {
        let windows =
            || Windows::new(config.aggregation, config.stable_window, config.panic_window);
        Self {
            concurrency: windows(),
            rps: windows(),
            next_scrape: now + SCRAPE_PERIOD.mul_f64(rng.random_range(0.0..1.0)),
            rng,
        }
    }

    pub(super) const fn next_scrape(&self) -> At {
        self.next_scrape
    }

    /// The averages in the revision's metric; `None`: no data.
    pub(super) fn observed(&self, config: &Config, now: At) -> Option<Observed> {
        let windows = match config.metric {
            Metric::Concurrency => &self.concurrency,
            Metric::Rps => &self.rps,
        };
        windows.observed(now, config.scraped())
    }

    pub(super) fn resize(&mut self, config: &Config, now: At) {
        self.concurrency.resize(config.stable_window, config.panic_window, now);
        self.rps.resize(config.stable_window, config.panic_window, now);
    }

    /// Which of the ready pods to scrape, given their ages: a sample, if there are many. Pods
    /// older than the stable window come first.
    pub(super) fn choose(&mut self, ages: &[Duration], stable_window: Duration) -> Vec<usize> {
        let n_ready = u32::try_from(ages.len()).unwrap_or(u32::MAX);
        let n_sample = usize::try_from(sample_size(n_ready)).unwrap_or(usize::MAX);
        let (mut old, mut young): (Vec<usize>, Vec<usize>) =
            (0..ages.len()).partition(|idx| stable_window <= ages[*idx]);
        if old.len() < n_sample {
            young.shuffle(&mut self.rng);
        } else {
            old.shuffle(&mut self.rng);
        }
        old.extend(young);
        old.truncate(n_sample);
        old
    }

    /// Takes what the sampled pods answered, `n_ready` being ready. Without answers nothing is
    /// recorded: no pod is ready, or the scrape failed.
    pub(super) fn record_scrape(&mut self, now: At, samples: &[Sample], n_ready: u32) {
        advance(&mut self.next_scrape, SCRAPE_PERIOD, now);
        if samples.is_empty() {
            return;
        }
        let n_sampled = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let scale_up = |sum: f64| sum / f64::from(n_sampled) * f64::from(n_ready);
        let sum = |part: fn(&Sample) -> f64| scale_up(samples.iter().map(part).sum());
        self.record(
            now,
            Sample {
                average_concurrent_requests: sum(|s| s.average_concurrent_requests),
                average_proxied_concurrent_requests: sum(|s| s.average_proxied_concurrent_requests),
                request_count: sum(|s| s.request_count),
                proxied_request_count: sum(|s| s.proxied_request_count),
            },
        );
    }

    /// Adds a sample to the second of `now`. What came through an activator is counted there.
    pub(super) fn record(&mut self, now: At, sample: Sample) {
        self.concurrency.record(
            now,
            sample.average_concurrent_requests - sample.average_proxied_concurrent_requests,
        );
        self.rps.record(now, sample.request_count - sample.proxied_request_count);
    }
}

/// To the first moment of the period after `now`: what was missed is not made up for.
pub(super) fn advance(next: &mut At, period: Duration, now: At) {
    while *next <= now {
        *next = *next + period;
    }
}
