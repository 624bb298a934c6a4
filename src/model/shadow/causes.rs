//! Why the three lines part: what our model says, what the autoscaler reports, what is ready.
//!
//! A cause is named only from evidence. Where there is none, none is named: a difference of a pod
//! for a tick is what two clocks make of one load.

use std::sync::Arc;
use std::time::Duration;

use crate::kpa::Config;
use crate::kpa::Effective;
use crate::kpa::Observed;
use crate::units::At;

use super::Input;
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
/// The same in requests, for averages that are small.
const PARTED_LEAST: f64 = 0.5;
/// Two signs of a restart within this are of one: the container's count, and gauges at zero.
const SAME_RESTART: Duration = Duration::from_secs(5);
/// A pod that does not answer for so long is missing; one that has just become ready is not.
const UNREAD: Duration = Duration::from_secs(3);
/// So soon after a setting was changed it can be told what the decider would have wished for
/// without that: later it remembers what it did.
const FIRST_TICKS: Duration = Duration::from_secs(4);

/// Where the three lines part, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Our model against what the autoscaler reports.
    pub model: Option<Cause>,
    /// What the autoscaler wishes against what is asked for.
    pub asked: Option<Cause>,
    /// What is asked for against what is ready.
    pub ready: Option<Cause>,
    /// Our averages against the autoscaler's, where the same number comes of both: it heard nothing
    /// for a whole panic window, while its stable average stands.
    pub averages: Option<Cause>,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When we began to look.
    began: At,
    restarted: Option<At>,
    leader_changed: Option<At>,
    configured: Option<At>,
    /// What was in force before that, since it is in force with us.
    replaced: Option<(At, Arc<Effective>)>,
    /// The change of a setting that changed what is wished for.
    moved: Option<At>,
    /// Since when a pod that is ready does not answer us.
    unread_since: Option<At>,
    /// When we last knew of the activators only what pods say of them.
    proxied: Option<At>,
    /// What troubles the pods now.
    pub(super) trouble: Option<PodTrouble>,
    /// When a quota last stood in the way.
    pub(super) quota: Option<At>,
    /// Whether the deployment says that one does.
    pub(super) quota_stands: bool,
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
            replaced: None,
            moved: None,
            unread_since: None,
            proxied: None,
            trouble: None,
            quota: None,
            quota_stands: false,
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

    /// Other parameters are in force with us; `before` were until `at`.
    pub(super) fn replaced(&mut self, at: At, before: &Arc<Effective>) {
        self.replaced = Some((at, Arc::clone(before)));
    }

    /// The parameters of before, if they were replaced just before `at`.
    pub(super) fn before(&self, at: At) -> Option<Arc<Effective>> {
        let (since, before) = self.replaced.as_ref()?;
        (at.since(*since) < FIRST_TICKS).then(|| Arc::clone(before))
    }

    /// Without the last change something else would be wished for.
    pub(super) const fn moved(&mut self) {
        self.moved = self.configured;
    }

    /// What was heard in a second.
    pub(super) fn heard(&mut self, at: At, (n_read, n_ready): (u32, u32), share: Share) {
        let is_unread = n_read < n_ready;
        self.unread_since = self.unread_since.or(Some(at)).filter(|_| is_unread);
        if share == Share::Proxied {
            self.proxied = Some(at);
        }
    }

    /// Whether it began anew so shortly before `at` that this is the same.
    pub(super) fn is_restart_known(&self, at: At) -> bool {
        self.restarted.is_some_and(|known| at.since(known) < SAME_RESTART)
    }

    pub(super) fn has_restarted_at(&self, at: At) -> bool {
        self.restarted == Some(at)
    }

    /// Where the lines of a tick part, with the causes. `beside` are our averages at the ticks
    /// before and after it; `None`: there was none, or not yet.
    pub(super) fn gaps(&mut self, tick: &Tick, beside: [Option<Observed>; 2]) -> Gaps {
        let model = self.model(tick, beside);
        let averages = if model.is_none() { self.deaf(tick, beside) } else { None };
        Gaps { model, asked: asked(tick), ready: self.ready(tick), averages }
    }

    fn model(&self, tick: &Tick, beside: [Option<Observed>; 2]) -> Option<Cause> {
        let ours = tick.decision.desired();
        let theirs = tick.reported.and_then(|it| it.desired);
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            // Who begins anew has nothing to say at first.
            return self.begun_anew(tick);
        };
        let panics = tick.reported.and_then(|it| it.panicking);
        let is_panic_other = panics.is_some_and(|theirs| theirs != tick.decision.panicking());
        if ours == theirs && !is_panic_other {
            return None;
        }
        self.known(tick).or_else(|| has_missed(tick, beside).then_some(Cause::MissedScrape))
    }

    /// What is known to have happened, for as long as the windows remember it: to the autoscaler
    /// itself, to its settings, to our own eyes.
    fn known(&self, tick: &Tick) -> Option<Cause> {
        let changed = || self.configured.filter(|at| is_lately(tick, *at));
        self.begun_anew(tick)
            .or_else(|| changed().map(Cause::ConfigChanged))
            .or_else(|| self.incomplete(tick).map(Cause::Incomplete))
    }

    /// Whether it heard nothing for a whole panic window. Where it heard something it may have heard
    /// it in another second than we.
    fn deaf(&self, tick: &Tick, beside: [Option<Observed>; 2]) -> Option<Cause> {
        let heard = tick.reported?.observed?;
        let is_deaf = heard.panic <= 0.0 && has_missed(tick, beside) && self.known(tick).is_none();
        is_deaf.then_some(Cause::MissedScrape)
    }

    /// Whether another decider began, the later of two.
    fn begun_anew(&self, tick: &Tick) -> Option<Cause> {
        let lately = |at: &At| is_lately(tick, *at);
        let led = self.leader_changed.filter(lately);
        let restarted = self.restarted.filter(lately);
        match (led, restarted) {
            // Who takes over begins anew too.
            (Some(led), Some(restarted)) if led < restarted => {
                Some(Cause::AutoscalerRestarted(restarted))
            }
            (Some(led), _) => Some(Cause::LeaderChanged(led)),
            (None, restarted) => restarted.map(Cause::AutoscalerRestarted),
        }
    }

    fn incomplete(&self, tick: &Tick) -> Option<Incomplete> {
        let input = &tick.input;
        let is_young = tick.at().since(self.began) < tick.config().stable_window + TICK;
        match input.source {
            Source::Pods => {}
            Source::Exported if is_young => return Some(Incomplete::JustBegan),
            Source::Exported | Source::Nothing => return None,
        }
        let is_unread = |since: At| UNREAD <= tick.at().since(since);
        if input.n_read < input.n_ready && self.unread_since.is_some_and(is_unread) {
            return Some(unread(input));
        }
        if matches!(input.share, Share::Own | Share::Unknown)
            || self.proxied.is_some_and(|at| is_lately(tick, at))
        {
            return Some(Incomplete::Activator);
        }
        if !input.is_whole {
            return Some(if is_young { Incomplete::JustBegan } else { unread(input) });
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
        let is_told = self.quota.is_some_and(|told| tick.at().since(told) < QUOTA_HOLDS);
        if self.quota_stands || is_told {
            return Some(Cause::Pods(PodTrouble::Quota));
        }
        // A pod waits for its node and its image at first, always.
        let is_late = SLOW_START <= tick.at().since(since);
        if let Some(trouble) = self.trouble.filter(|_| is_late) {
            return Some(Cause::Pods(trouble));
        }
        // They are asked for since then, and because of that.
        let asks =
            |at: &At| is_lately(tick, *at) && *at <= since + TICK && since.since(*at) < FIRST_TICKS;
        self.moved.filter(asks).map(Cause::ConfigChanged)
    }
}

/// Whether the windows of a tick remember a moment. What follows from a tick is seen after it.
fn is_lately(tick: &Tick, at: At) -> bool {
    at <= tick.at() + TICK && tick.at().since(at) < tick.config().stable_window + TICK
}

const fn unread(input: &Input) -> Incomplete {
    Incomplete::Pods { n_read: input.n_read, n_ready: input.n_ready }
}

/// Whether the autoscaler's averages lack what we have seen at this tick and at both beside it:
/// where load comes and goes, its clock may be before ours or after it.
fn has_missed(tick: &Tick, beside: [Option<Observed>; 2]) -> bool {
    let ours = tick.decision.steps.map(|steps| steps.observed);
    let theirs = tick.reported.and_then(|it| it.observed);
    let (Some(ours), Some(theirs), [Some(before), Some(after)]) = (ours, theirs, beside) else {
        return false;
    };
    let lacks = |of: fn(&Observed) -> f64| {
        let least = of(&ours).min(of(&before)).min(of(&after));
        of(&theirs) + PARTED_LEAST < least * (1.0 - PARTED)
    };
    lacks(|it| it.panic) || lacks(|it| it.stable)
}

/// What is wished for, within the bounds.
pub(super) fn bounded(config: &Config, desired: Option<u32>) -> Option<u32> {
    let desired = desired?.max(config.min_scale_in_force());
    Some(config.max_scale.map_or(desired, |most| desired.min(most)))
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
