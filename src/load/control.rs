//! Who rules the rate: the plan's profile, a person, or a safety rule. Pure; the coordinator owns
//! it.
//!
//! While anything but the profile rules, the profile waits where it was.

use crate::event::command::LoadCommand;
use crate::event::run::By;
use crate::scenario::plan::Plan;
use crate::scenario::profile::Profile;

use super::pacer::Course;

/// Changes that can be taken back.
const UNDO_MAX: usize = 64;
/// A burst is this many times the present rate…
const BURST_FACTOR: f64 = 3.0;
/// …for so many seconds.
const BURST_SECONDS: f64 = 10.0;

/// The state of the rate.
#[derive(Debug, Clone)]
pub(super) struct Control {
    profile: Profile,
    max: f64,
    lowest: f64,
    ruler: Ruler,
    /// Since when it rules, in seconds since the load began.
    since: f64,
    /// Where the profile waits, or where it was at `since`.
    profile_time: f64,
    burst: Option<Burst>,
    is_paused: bool,
    undo: Vec<Saved>,
}

/// What rules.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ruler {
    Profile,
    Fixed(f64),
}

#[derive(Debug, Clone, Copy)]
struct Burst {
    until: f64,
    then: Ruler,
}

/// What an undo goes back to.
#[derive(Debug, Clone, Copy)]
struct Saved {
    ruler: Ruler,
    is_paused: bool,
    /// Where the profile was, if it was moved.
    profile_time: Option<f64>,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) by: By,
    pub(super) what: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) reason: Option<String>,
}

impl Control {
    /// The plan rules from the beginning.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            profile: Profile::of(&plan.load.stages),
            max: plan.max_rate(),
            lowest: plan.lowest(),
            ruler: Ruler::Profile,
            since: 0.0,
            profile_time: 0.0,
            burst: None,
            is_paused: false,
            undo: Vec::new(),
        }
    }

    /// The plan's time begins at `t`.
    pub(super) const fn begin(&mut self, t: f64) {
        self.since = t;
    }

    /// The rate from now on, for the pacers.
    pub(super) fn course(&self) -> Course {
        match self.ruler {
            _ if self.is_paused => self.fixed(0.0),
            Ruler::Profile => Course {
                since: self.since,
                profile: self.profile.clone(),
                offset: self.profile_time,
            },
            Ruler::Fixed(amount) => self.fixed(amount),
        }
    }

    fn fixed(&self, amount: f64) -> Course {
        Course { since: self.since, profile: Profile::fixed(amount), offset: 0.0 }
    }

    /// The rate at `t`.
    pub(super) fn rate_at(&self, t: f64) -> f64 {
        match self.ruler {
            _ if self.is_paused => 0.0,
            Ruler::Profile => self.profile.rate_at(self.profile_time_at(t)),
            Ruler::Fixed(amount) => amount,
        }
    }

    /// Whether nothing is sent because somebody said so.
    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether the profile waits, because something else rules.
    pub(super) fn waits(&self) -> bool {
        self.is_paused || self.ruler != Ruler::Profile
    }

    /// Where the profile is at `t`.
    pub(super) fn profile_time_at(&self, t: f64) -> f64 {
        if self.ruler == Ruler::Profile && !self.is_paused {
            // A change is known a little before it takes effect.
            self.profile_time + (t - self.since).max(0.0)
        } else {
            self.profile_time
        }
    }

    /// The stage that the profile is in at `t`; `None` after its end.
    pub(super) fn stage_at(&self, t: f64) -> Option<usize> {
        self.profile.stage_at(self.profile_time_at(t))
    }

    /// When the profile reaches the stage after `stage`, or its end; `None` while it waits.
    pub(super) fn next_boundary(&self, stage: Option<usize>) -> Option<f64> {
        if self.ruler != Ruler::Profile || self.is_paused {
            return None;
        }
        let boundary = stage
            .and_then(|stage| self.profile.stage_begins(stage + 1))
            .unwrap_or_else(|| self.profile.lasts());
        Some(self.since + boundary - self.profile_time)
    }

    /// When a burst ends, if one is on.
    pub(super) fn burst_until(&self) -> Option<f64> {
        self.burst.map(|burst| burst.until)
    }

    /// Whether the profile has come to its end at `t`.
    pub(super) fn is_over(&self, t: f64) -> bool {
        self.ruler == Ruler::Profile
            && !self.is_paused
            && self.profile.lasts() <= self.profile_time_at(t)
    }

    /// Obeys a person at `t`. `None`: there is nothing to change.
    pub(super) fn obey(&mut self, command: LoadCommand, t: f64) -> Option<Change> {
        let from = self.rate_at(t);
        match command {
            LoadCommand::Set(amount) if amount.is_finite() => {
                let to = amount.clamp(0.0, self.max);
                self.rule(t, Ruler::Fixed(to));
                let reason = (self.max < amount)
                    .then(|| format!("held at the most that is allowed, {}", self.max));
                let what = if to == 0.0 { "zero" } else { "set" };
                Some(Change { by: By::You, what, from, to, reason })
            }
            LoadCommand::Set(_) => None,
            // Three times nothing is nothing, and what is paused stays so.
            LoadCommand::Burst if self.is_paused => None,
            LoadCommand::Burst => {
                let to = (from * BURST_FACTOR).clamp(0.0, self.max);
                let then = self.burst.map_or(self.ruler, |burst| burst.then);
                self.rule(t, Ruler::Fixed(to));
                self.burst = Some(Burst { until: t + BURST_SECONDS, then });
                Some(Change { by: By::You, what: "burst", from, to, reason: None })
            }
            LoadCommand::Hold => {
                let (ruler, what) = match self.ruler {
                    Ruler::Profile => (Ruler::Fixed(from), "hold"),
                    Ruler::Fixed(_) => (Ruler::Profile, "profile"),
                };
                self.rule(t, ruler);
                Some(Change { by: By::You, what, from, to: self.rate_at(t), reason: None })
            }
            LoadCommand::Profile if self.waits() => {
                self.rule(t, Ruler::Profile);
                let to = self.rate_at(t);
                Some(Change { by: By::You, what: "profile", from, to, reason: None })
            }
            LoadCommand::Profile => None,
            LoadCommand::Next => {
                let next = self.stage_at(t).map_or(0, |stage| stage + 1);
                let begins = self.profile.stage_begins(next).unwrap_or(self.profile.lasts());
                self.rule(t, Ruler::Profile);
                if let Some(saved) = self.undo.last_mut() {
                    saved.profile_time = Some(self.profile_time);
                }
                self.profile_time = begins;
                Some(Change { by: By::You, what: "next", from, to: self.rate_at(t), reason: None })
            }
            LoadCommand::Pause if !self.is_paused => {
                self.settle(t);
                self.is_paused = true;
                Some(Change { by: By::You, what: "pause", from, to: 0.0, reason: None })
            }
            LoadCommand::Resume if self.is_paused => {
                self.settle(t);
                self.is_paused = false;
                Some(Change {
                    by: By::You,
                    what: "resume",
                    from,
                    to: self.rate_at(t),
                    reason: None,
                })
            }
            LoadCommand::Pause | LoadCommand::Resume => None,
            // Whatever rules ends a pause, so that a pause came last.
            LoadCommand::Undo if self.is_paused => {
                self.settle(t);
                self.is_paused = false;
                Some(Change { by: By::You, what: "undo", from, to: self.rate_at(t), reason: None })
            }
            LoadCommand::Undo => {
                let saved = self.undo.pop()?;
                self.settle(t);
                self.burst = None;
                self.ruler = saved.ruler;
                self.is_paused = saved.is_paused;
                self.profile_time = saved.profile_time.unwrap_or(self.profile_time);
                Some(Change { by: By::You, what: "undo", from, to: self.rate_at(t), reason: None })
            }
        }
    }

    /// Ends a burst whose time is over at `t`.
    pub(super) fn end_burst(&mut self, t: f64) -> Option<Change> {
        let burst = self.burst.filter(|burst| burst.until <= t)?;
        let from = self.rate_at(t);
        self.settle(t);
        self.burst = None;
        self.ruler = burst.then;
        Some(Change { by: By::Plan, what: "burst over", from, to: self.rate_at(t), reason: None })
    }

    /// The end of the profile: when it comes, and what it changes.
    pub(super) fn end(&self) -> (f64, Change) {
        let lasts = self.profile.lasts();
        // At the end itself nothing is due any more.
        let from = self.profile.rate_at((lasts - 1e-6).max(0.0));
        let change = Change { by: By::Plan, what: "plan over", from, to: 0.0, reason: None };
        (self.since + lasts - self.profile_time, change)
    }

    /// Goes down to the plan's lowest rate and stays there, for safety.
    pub(super) fn protect(&mut self, t: f64, reason: String) -> Option<Change> {
        let from = self.rate_at(t);
        if from <= self.lowest {
            return None;
        }
        self.rule(t, Ruler::Fixed(self.lowest));
        Some(Change { by: By::Safety, what: "hold", from, to: self.lowest, reason: Some(reason) })
    }

    fn rule(&mut self, t: f64, ruler: Ruler) {
        if self.undo.len() == UNDO_MAX {
            self.undo.remove(0);
        }
        let ruler_before = self.burst.map_or(self.ruler, |burst| burst.then);
        self.undo.push(Saved {
            ruler: ruler_before,
            is_paused: self.is_paused,
            profile_time: None,
        });
        self.settle(t);
        self.burst = None;
        self.is_paused = false;
        self.ruler = ruler;
    }

    /// Notes where the profile is, before something else rules.
    fn settle(&mut self, t: f64) {
        self.profile_time = self.profile_time_at(t);
        self.since = t;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn control() -> Control {
        let text = "name: t\ntarget: {url: 'http://127.0.0.1:1', max_rate: 500/s}\nload:\n  stages:\n    - {name: a, for: 10s, at: 10/s}\n    - {name: b, for: 10s, at: 100/s}\n";
        Control::new(&scenario::parse(text, "t").unwrap())
    }

    fn rates(control: &Control, times: &[f64]) -> Vec<f64> {
        times.iter().map(|t| control.rate_at(*t)).collect()
    }

    #[test]
    fn the_profile_waits_while_a_person_rules() {
        let mut control = control();
        assert_eq!(rates(&control, &[0.0, 9.9, 10.0, 19.9, 20.0]), [10.0, 10.0, 100.0, 100.0, 0.0]);
        let change = control.obey(LoadCommand::Set(42.0), 4.0).unwrap();
        assert_eq!((change.from, change.to), (10.0, 42.0));
        assert_eq!(rates(&control, &[4.0, 100.0]), [42.0, 42.0]);
        assert!(!control.is_over(100.0));
        control.obey(LoadCommand::Profile, 104.0);
        assert!(control.obey(LoadCommand::Profile, 104.0).is_none(), "it rules already");
        // Six seconds of the first stage are left.
        assert_eq!(rates(&control, &[104.0, 109.9, 110.0, 119.9]), [10.0, 10.0, 100.0, 100.0]);
        assert!(control.is_over(120.0));
    }

    #[test]
    fn nothing_goes_above_the_most_that_is_allowed() {
        let mut control = control();
        let change = control.obey(LoadCommand::Set(1e9), 1.0).unwrap();
        assert_eq!((change.to, change.reason.is_some()), (500.0, true));
        control.obey(LoadCommand::Burst, 2.0);
        assert_eq!(control.rate_at(2.0), 500.0);
        assert!(control.obey(LoadCommand::Set(f64::NAN), 3.0).is_none());
    }

    #[test]
    fn a_burst_ends_by_itself_and_the_profile_goes_on_where_it_was() {
        let mut control = control();
        control.obey(LoadCommand::Burst, 5.0);
        assert_eq!(control.rate_at(5.0), 30.0);
        assert_eq!(control.end_burst(14.9), None);
        assert_eq!(control.end_burst(15.0).unwrap().to, 10.0);
        assert_eq!(rates(&control, &[19.9, 20.0]), [10.0, 100.0]);
    }

    #[test]
    fn what_was_done_is_taken_back_in_order() {
        let mut control = control();
        control.obey(LoadCommand::Set(20.0), 1.0);
        control.obey(LoadCommand::Set(30.0), 2.0);
        assert_eq!(control.obey(LoadCommand::Undo, 3.0).unwrap().to, 20.0);
        assert_eq!(control.obey(LoadCommand::Undo, 4.0).unwrap().to, 10.0);
        assert!(control.obey(LoadCommand::Undo, 5.0).is_none());
        assert_eq!(
            control.next_boundary(Some(0)),
            Some(13.0),
            "three seconds were somebody else's"
        );
    }

    #[test]
    fn a_pause_and_a_next_are_taken_back_too() {
        let mut control = control();
        control.obey(LoadCommand::Set(20.0), 1.0);
        control.obey(LoadCommand::Pause, 2.0);
        assert_eq!(control.obey(LoadCommand::Burst, 2.5), None, "what is paused stays so");
        assert_eq!(control.obey(LoadCommand::Undo, 3.0).unwrap().to, 20.0);
        assert!(!control.is_paused());
        assert_eq!(control.obey(LoadCommand::Undo, 4.0).unwrap().to, 10.0);
        assert!(control.obey(LoadCommand::Undo, 4.0).is_none());
        // One second of the first stage is over.
        control.obey(LoadCommand::Next, 6.0);
        assert_eq!((control.stage_at(7.0), control.profile_time_at(7.0)), (Some(1), 11.0));
        assert_eq!(control.obey(LoadCommand::Undo, 8.0).unwrap().to, 10.0);
        assert_eq!((control.stage_at(8.0), control.profile_time_at(8.0)), (Some(0), 3.0));
    }

    #[test]
    fn pause_next_and_safety() {
        let mut control = control();
        control.obey(LoadCommand::Pause, 2.0);
        assert_eq!((control.rate_at(50.0), control.is_paused()), (0.0, true));
        control.obey(LoadCommand::Resume, 50.0);
        assert_eq!(rates(&control, &[57.9, 58.0]), [10.0, 100.0]);
        control.obey(LoadCommand::Next, 51.0);
        assert_eq!(control.rate_at(51.0), 100.0);
        assert_eq!(control.protect(52.0, "why".to_owned()).unwrap().to, 10.0);
        assert_eq!(control.protect(53.0, "why".to_owned()), None);
        control.obey(LoadCommand::Next, 54.0);
        assert!(control.is_over(54.0), "after the last stage is the end");
    }
}
