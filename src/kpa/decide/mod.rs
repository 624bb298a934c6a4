//! One tick of the decider: what is seen and remembered in, how many pods are wanted out.
//!
//! Every step on the way is kept, since "why" is what people ask.

use crate::units::At;

use crate::kpa::Config;
use crate::kpa::burst::excess_burst_capacity;
use crate::kpa::window::MaxWindow;

/// What a tick sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inputs {
    /// Ready pods.
    pub ready: u32,
    /// The averages; `None`: no data, and the tick changes nothing.
    pub observed: Option<Observed>,
}

/// The averages of the whole revision over both windows, in the revision's metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Over the stable window.
    pub stable: f64,
    /// Over the panic window.
    pub panic: f64,
}

/// What a decider remembers from tick to tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    panic_since: Option<At>,
    max_panic_pods: u32,
    delay: Option<MaxWindow>,
}

/// What a tick came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// When.
    pub at: At,
    /// Ready pods that it saw.
    pub ready: u32,
    /// When panic can end at the earliest: one stable window after it last was over its threshold;
    /// `None`: calm.
    pub panic_ends: Option<At>,
    /// The most pods wanted in this panic: it never wants fewer.
    pub max_panic_pods: u32,
    /// What this tick did to panic.
    pub turn: Turn,
    /// The arithmetic; `None`: there was no data, and what was wanted before is still wanted.
    pub steps: Option<Steps>,
}

/// What a tick did to panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Calm as before.
    Calm,
    /// Panic began.
    Entered,
    /// Panic goes on: the load is at or over the threshold.
    Extended,
    /// Panic goes on: the load is below the threshold, but not for long enough.
    Held,
    /// Panic ended.
    Left,
}

/// The arithmetic of a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// What was observed.
    pub observed: Observed,
    /// What one pod is to bear.
    pub target: f64,
    /// Pods that the stable average asks for: `ceil(stable ÷ target)`.
    pub desired_stable: i64,
    /// Pods that the panic average asks for: `ceil(panic ÷ target)`.
    pub desired_panic: i64,
    /// The most pods that `max-scale-up-rate` allows.
    pub max_up: u32,
    /// The fewest pods that `max-scale-down-rate` allows.
    pub max_down: u32,
    /// `desired_stable` within the rates, and at least `activation-scale` under load.
    pub want_stable: u32,
    /// `desired_panic` likewise.
    pub want_panic: u32,
    /// `desired_panic ÷ max(1, ready)`: what is compared with the panic threshold.
    pub ratio: f64,
    /// Whether `ratio` reaches the panic threshold.
    pub over_panic_threshold: bool,
    /// What is wanted before the scale-down delay.
    pub undelayed: u32,
    /// What is wanted, before `min-scale` and `max-scale`.
    pub desired: u32,
    /// Excess burst capacity: negative if the activator belongs in the path.
    pub excess_burst_capacity: i32,
}

// === impl Memory ===

impl Memory {
    /// The memory of a decider created at `now`. With more than one pod ready it begins in panic:
    /// it may have been restarted, and must not scale down what it does not know yet.
    pub fn new(config: &Config, ready: u32, now: At) -> Self {
        Self {
            panic_since: (1 < ready).then_some(now),
            max_panic_pods: ready,
            delay: (!config.scale_down_delay.is_zero())
                .then(|| MaxWindow::new(config.scale_down_delay)),
        }
    }

    /// Whether it panics.
    pub const fn panicking(&self) -> bool {
        self.panic_since.is_some()
    }

    /// When panic last was over its threshold; `None`: calm.
    pub const fn panic_since(&self) -> Option<At> {
        self.panic_since
    }

    /// The most pods wanted in this panic; 0 after a panic.
    pub const fn max_panic_pods(&self) -> u32 {
        self.max_panic_pods
    }

    fn turn(&mut self, config: &Config, over: bool, now: At) -> Turn {
        match self.panic_since {
            None if over => {
                self.panic_since = Some(now);
                Turn::Entered
            }
            None => Turn::Calm,
            Some(_) if over => {
                self.panic_since = Some(now);
                Turn::Extended
            }
            Some(since) if since + config.stable_window < now => {
                self.panic_since = None;
                self.max_panic_pods = 0;
                Turn::Left
            }
            Some(_) => Turn::Held,
        }
    }
}

// === impl Decision ===

impl Decision {
    /// Whether there was data to decide on.
    pub const fn valid(&self) -> bool {
        self.steps.is_some()
    }

    /// Whether it panics after this tick.
    pub const fn panicking(&self) -> bool {
        self.panic_ends.is_some()
    }

    /// Pods wanted, before `min-scale` and `max-scale`; `None` without data.
    pub fn desired(&self) -> Option<u32> {
        self.steps.map(|steps| steps.desired)
    }
}

/// One tick, as Knative's decider makes it every two seconds and when it is poked.
pub fn decide(config: &Config, memory: &mut Memory, inputs: &Inputs, now: At) -> Decision {
    let Some(observed) = inputs.observed else {
        let turn = if memory.panicking() { Turn::Held } else { Turn::Calm };
        return decision(config, memory, (inputs.ready, turn, None), now);
    };
    let ready = f64::from(inputs.ready.max(1));
    let max_up = (config.max_scale_up_rate * ready).ceil();
    let max_down =
        if config.reachable { (ready / config.max_scale_down_rate).floor() } else { 0.0 };
    let desired_stable = (observed.stable / config.target_value).ceil();
    let desired_panic = (observed.panic / config.target_value).ceil();

    let within = |desired: f64| {
        // In this order: where the limits contradict each other the upper one wins.
        let within = pods(desired.max(max_down).min(max_up));
        if 1 < config.activation_scale && 0.0 < desired {
            within.max(config.activation_scale)
        } else {
            within
        }
    };
    let want_stable = within(desired_stable);
    let want_panic = within(desired_panic);

    let ratio = desired_panic / ready;
    let over_panic_threshold = config.panic_threshold <= ratio;
    let turn = memory.turn(config, over_panic_threshold, now);

    let undelayed = if memory.panicking() {
        memory.max_panic_pods = memory.max_panic_pods.max(want_stable).max(want_panic);
        memory.max_panic_pods
    } else {
        want_stable
    };
    let desired = match &mut memory.delay {
        Some(delay) if config.reachable => delay.record(now, undelayed),
        _ => undelayed,
    };

    let steps = Steps {
        observed,
        target: config.target_value,
        desired_stable: whole(desired_stable),
        desired_panic: whole(desired_panic),
        max_up: pods(max_up),
        max_down: pods(max_down),
        want_stable,
        want_panic,
        ratio,
        over_panic_threshold,
        undelayed,
        desired,
        excess_burst_capacity: excess_burst_capacity(config, inputs.ready, observed.panic),
    };
    decision(config, memory, (inputs.ready, turn, Some(steps)), now)
}

fn decision(
    config: &Config,
    memory: &Memory,
    (ready, turn, steps): (u32, Turn, Option<Steps>),
    at: At,
) -> Decision {
    Decision {
        at,
        ready,
        panic_ends: memory.panic_since.map(|since| since + config.stable_window),
        max_panic_pods: memory.max_panic_pods,
        turn,
        steps,
    }
}

/// Where panic begins with `ready` pods: at that many wanted pods, which is above that average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PanicLine {
    /// The fewest pods wanted by the panic average that make it panic.
    pub wanted: i64,
    /// The panic average above which so many are wanted.
    pub above: f64,
}

/// Where panic begins: the smallest `wanted = ceil(panic ÷ target)` for which
/// `wanted ÷ max(1, ready)` reaches `threshold`.
pub fn panic_line(threshold: f64, target: f64, ready: u32) -> PanicLine {
    let ready = f64::from(ready.max(1));
    let mut wanted = (threshold * ready).ceil();
    // A product may be rounded over the whole number at which the quotient, which decides, is
    // exact, and the other way round.
    if threshold <= (wanted - 1.0) / ready {
        wanted -= 1.0;
    } else if wanted / ready < threshold {
        wanted += 1.0;
    }
    PanicLine { wanted: whole(wanted), above: (wanted - 1.0) * target }
}

/// Knative's pod counts are 32 bits with a sign.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
fn pods(x: f64) -> u32 {
    x.clamp(0.0, f64::from(i32::MAX)) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
const fn whole(x: f64) -> i64 {
    x as i64
}

#[cfg(test)]
mod tests;
