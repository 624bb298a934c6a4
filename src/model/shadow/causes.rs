//! Why the three lines part: what our model says, what the autoscaler reports, what is ready.
//!
//! A cause is named only from evidence. Where there is none, none is named: a difference of a pod
//! for a tick is what two clocks make of one load.

use std::time::Duration;

use crate::units::At;

use super::Share;
use super::Source;
use super::TICK;
use super::Tick;

/// A pod that is on its way for longer than this is late.
const SLOW_START: Duration = Duration::from_secs(10);
/// A quota that was named counts for so long: the controller tries again, ever more slowly.
const QUOTA_HOLDS: Duration = Duration::from_secs(60);
/// How far the averages may part before scrapes count as missed: two clocks over one load.
const PARTED: f64 = 0.15;

/// Where the three lines part, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Our model against what the autoscaler reports.
    pub model: Option<Cause>,
    /// What the autoscaler wishes against what is asked for.
    pub asked: Option<Cause>,
    /// What is asked for against what is ready.
    pub ready: Option<Cause>,
}

/// Why two lines part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// We do not see all that the autoscaler sees.
    Incomplete(Incomplete),
    /// The autoscaler's averages lack seconds in which the pods had load.
    MissedScrape,
    /// The autoscaler began anew at this moment, and knows nothing of what was before.
    AutoscalerRestarted(At),
    /// Another autoscaler pod has owned the revision since this moment.
    LeaderChanged(At),
    /// A setting changed at this moment.
    ConfigChanged(At),
    /// `max-scale` allows no more than this.
    MaxScale(u32),
    /// `min-scale` or `initial-scale` keeps this many.
    LeastScale(u32),
    /// The last pod stays until the gates to zero are open.
    WayToZero,
    /// The pods that are asked for do not come.
    Pods(PodTrouble),
}

/// What we do not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// We have not looked for a whole stable window yet.
    JustBegan,
    /// Some pods, or all, do not answer us.
    Pods {
        /// Those that did.
        n_read: u32,
        /// Those that are ready.
        n_ready: u32,
    },
    /// The activators cannot be read: what waits in them is not known.
    Activator,
}

/// Why pods do not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodTrouble {
    /// A quota allows no more.
    Quota,
    /// No node has room.
    Unschedulable,
    /// The image cannot be pulled.
    ImagePull,
    /// A container ends again and again.
    Crash,
}

/// What was seen that can part the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// When we began to look.
    began: At,
    restarted: Option<At>,
    leader_changed: Option<At>,
    configured: Option<At>,
    /// What troubles the pods now.
    pub(super) trouble: Option<PodTrouble>,
    /// When a quota last stood in the way.
    pub(super) quota: Option<At>,
    /// Since when pods that are asked for are missing.
    short_since: Option<At>,
}

// === impl Evidence ===

impl Evidence {
    pub(super) const fn new(began: At) -> Self {
        Self {
            began,
            restarted: None,
            leader_changed: None,
            configured: None,
            trouble: None,
            quota: None,
            short_since: None,
        }
    }

    pub(super) const fn restarted(&mut self, at: At) {
        self.restarted = Some(at);
    }

    pub(super) const fn leader_changed(&mut self, at: At) {
        self.leader_changed = Some(at);
    }

    pub(super) const fn configured(&mut self, at: At) {
        self.configured = Some(at);
    }

    pub(super) fn has_restarted_at(&self, at: At) -> bool {
        self.restarted == Some(at)
    }

    /// Where the lines of a tick part, with the causes.
    pub(super) fn gaps(&mut self, tick: &Tick) -> Gaps {
        Gaps { model: self.model(tick), asked: asked(tick), ready: self.ready(tick) }
    }

    fn model(&self, tick: &Tick) -> Option<Cause> {
        let reported = tick.reported?;
        let (ours, theirs) = (tick.decision.desired()?, reported.desired?);
        let is_panic_other =
            reported.panicking.is_some_and(|theirs| theirs != tick.decision.panicking());
        if ours == theirs && !is_panic_other {
            return None;
        }
        // What happened to the autoscaler itself explains it, for as long as its windows remember.
        let window = tick.config().stable_window + TICK;
        let lately = |at: &At| *at <= tick.at() + TICK && tick.at().since(*at) < window;
        if let Some(at) = self.leader_changed.filter(lately) {
            return Some(Cause::LeaderChanged(at));
        }
        if let Some(at) = self.restarted.filter(lately) {
            return Some(Cause::AutoscalerRestarted(at));
        }
        if let Some(at) = self.configured.filter(lately) {
            return Some(Cause::ConfigChanged(at));
        }
        if let Some(incomplete) = self.incomplete(tick) {
            return Some(Cause::Incomplete(incomplete));
        }
        let (Some(steps), Some(theirs)) = (tick.decision.steps, reported.observed) else {
            return None;
        };
        let lacks = |ours: f64, theirs: f64| theirs + steps.target < ours * (1.0 - PARTED);
        let has_missed = lacks(steps.observed.panic, theirs.panic)
            || lacks(steps.observed.stable, theirs.stable);
        has_missed.then_some(Cause::MissedScrape)
    }

    fn incomplete(&self, tick: &Tick) -> Option<Incomplete> {
        let input = &tick.input;
        if input.source != Source::Pods {
            return None;
        }
        if input.n_read < input.n_ready {
            return Some(Incomplete::Pods { n_read: input.n_read, n_ready: input.n_ready });
        }
        if matches!(input.share, Share::Own | Share::Unknown) {
            return Some(Incomplete::Activator);
        }
        if !input.is_whole {
            let is_young = tick.at().since(self.began) < tick.config().stable_window + TICK;
            return Some(if is_young {
                Incomplete::JustBegan
            } else {
                Incomplete::Pods { n_read: input.n_read, n_ready: input.n_ready }
            });
        }
        None
    }

    fn ready(&mut self, tick: &Tick) -> Option<Cause> {
        let asked = tick.asked?;
        if asked <= tick.decision.ready {
            self.short_since = None;
            return None;
        }
        let since = *self.short_since.get_or_insert(tick.at());
        if self.quota.is_some_and(|told| tick.at().since(told) < QUOTA_HOLDS) {
            return Some(Cause::Pods(PodTrouble::Quota));
        }
        // A pod waits for its node and its image at first, always.
        let is_late = SLOW_START <= tick.at().since(since);
        self.trouble.filter(|_| is_late).map(Cause::Pods)
    }
}

/// What is asked for against what is wished for: the bounds, and the way to zero.
fn asked(tick: &Tick) -> Option<Cause> {
    let desired = tick.reported.and_then(|it| it.desired).or(tick.decision.desired())?;
    let asked = tick.asked?;
    let config = tick.config();
    match config.max_scale {
        Some(most) if most < desired && asked <= most => return Some(Cause::MaxScale(most)),
        _ => {}
    }
    if desired < asked {
        let least = config.min_scale_in_force();
        if asked == least {
            return Some(Cause::LeastScale(least));
        }
        if desired == 0 && asked == 1 {
            return Some(Cause::WayToZero);
        }
        if asked == config.initial_scale && 1 < asked {
            return Some(Cause::LeastScale(asked));
        }
    }
    None
}
