//! One tick of our decider: its inputs, what comes of them, and how the autoscaler made the same.

use std::time::Duration;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Inputs;
use crate::kpa::Memory;
use crate::kpa::Mode;
use crate::kpa::Observed;
use crate::kpa::config::Metric;
use crate::kpa::decide;
use crate::kpa::reconcile;
use crate::kpa::reconcile::Seen;
use crate::units::At;

use super::Bounded;
use super::Gaps;
use super::Input;
use super::Made;
use super::Shadow;
use super::Source;
use super::TICK;
use super::Tick;
use super::causes::bounded;
use super::made::Ours;
use super::push;

/// Ticks that are kept: two hours.
const TICKS_MAX: usize = 3600;
/// Inputs of our own count for so long.
const OWN_FRESH: Duration = Duration::from_secs(5);

// === impl Shadow ===

impl Shadow {
    /// The tick at `at`; a poke is one that an activator with a first request calls for.
    pub(super) fn tick(&mut self, at: At, is_poke: bool) {
        let Some(config) = self.config.clone() else { return };
        let wall = self.wall(at);
        let ready = self.feed.n_ready(at);
        let (source, observed) = self.observed(at, &config.config);
        let input = self.input(at, source, &config.config);
        let Some(decider) = &mut self.decider else { return };
        let inputs = Inputs { ready, observed };
        let mut ours_before =
            Ours { memory: decider.memory.clone(), is_certain: decider.is_certain };
        let unchanged = self.evidence.before(at).map(|before| {
            let decided = decide(&before.config, &mut decider.memory.clone(), &inputs, wall);
            bounded(&before.config, decided.desired())
        });
        let decided = decide(&config.config, &mut decider.memory, &inputs, wall);
        if unchanged.is_some_and(|it| it != bounded(&config.config, decided.desired())) {
            self.evidence.moved();
        }
        decider.after(&decided, &input, (at, self.sight.last_whole), &config.config);
        let (desired, burst) = (decider.desired, decider.excess_burst_capacity);
        let outcome = self.outcome(&config.config, (desired, burst), ready, wall);
        let decision = self.of_run(at, decided);
        let observed_before = self.observed_last();
        self.settle(at, decision.steps.map(|steps| steps.observed));
        ours_before.is_certain |= self.ticks.back().is_some_and(Tick::is_surely_calm);
        let mut tick = Tick {
            decision,
            config,
            input,
            outcome,
            made: None,
            reported: None,
            asked: self.words.asked_by(at + TICK),
            is_poke,
            gaps: Gaps::default(),
        };
        tick.reported = self.words.of_tick(at, at + TICK);
        tick.gaps = self.evidence.gaps(&tick, [observed_before, None]);
        self.remembered.ours = Some(ours_before);
        tick.made = self.made(&tick).map(|(made, _)| made);
        // One word says enough where nothing is known and nothing changes.
        let says_nothing = |tick: &Tick| !tick.decision.valid();
        if says_nothing(&tick)
            && self.ticks.back().is_some_and(|last| {
                says_nothing(last) && last.decision.ready == ready && last.asked == tick.asked
            })
        {
            self.ticks.pop_back();
        }
        push(&mut self.ticks, tick, TICKS_MAX);
    }

    /// What the reconciler makes of a wish; `None` where the `PodAutoscaler` is not seen.
    fn outcome(
        &self,
        config: &Config,
        (desired, excess_burst_capacity): (Option<u32>, i32),
        ready: u32,
        wall: At,
    ) -> Option<Bounded> {
        let status = self.context.status?;
        let seen = Seen {
            desired,
            excess_burst_capacity,
            ready,
            replicas: self.context.replicas.unwrap_or(ready),
            mode: self.context.mode.unwrap_or(Mode::Proxy),
            proxying_since: self.context.proxying_since,
        };
        let outcome = reconcile::reconcile(config, &status, &seen, wall);
        Some(Bounded {
            want: outcome.want,
            gate: outcome.gate,
            mode: outcome.mode,
            n_activators: outcome.n_activators,
        })
    }

    /// The tick before the one at `at` will hear nothing more: what the autoscaler said of it,
    /// and why they part, is settled.
    fn settle(&mut self, at: At, after: Option<Observed>) {
        let Some(before) = self.ticks.back().map(Tick::at) else { return };
        let (word, asked) = (self.words.of_tick(before, at), self.words.asked_by(at));
        if let Some(mut last) = self.ticks.pop_back() {
            last.reported = word;
            last.asked = asked;
            last.gaps = self.evidence.gaps(&last, [self.observed_last(), after]);
            // Who began anew since remembers nothing of before that tick.
            if self.remembered.ours.is_some() {
                (last.made, self.remembered.theirs) = self.made(&last).unzip();
                let is_known = self.remembered.theirs.is_some();
                self.remembered.begun.take_if(|_| is_known);
            }
            self.ticks.push_back(last);
        }
    }

    /// How a tick was made, and what the autoscaler remembers since.
    fn made(&self, tick: &Tick) -> Option<(Made, Memory)> {
        let (config, wall) = (tick.config(), self.wall(tick.at()));
        let word = tick.reported.filter(|it| match tick.input.source {
            Source::Pods => true,
            Source::Exported => !it.is_of(&tick.decision),
            Source::Nothing => false,
        })?;
        let ready = tick.decision.ready;
        let (decision, memory) = self.remembered.decide(config, &word, (wall, ready))?;
        // What stood around it then is not what stands around it later.
        let known = tick.made.filter(|(before, _)| before.desired() == decision.desired());
        let outcome = known.map_or_else(
            || {
                let burst = decision.steps.map_or(0, |steps| steps.excess_burst_capacity);
                self.outcome(config, (decision.desired(), burst), decision.ready, wall)
            },
            |(_, outcome)| outcome,
        );
        Some(((self.of_run(tick.at(), decision), outcome), memory))
    }

    /// A decision with the moments of the run.
    fn of_run(&self, at: At, decided: Decision) -> Decision {
        let wall = self.wall(at);
        let panic_ends = decided.panic_ends.map(|ends| at + ends.since(wall));
        Decision { at, panic_ends, ..decided }
    }

    /// Our averages at the newest tick.
    fn observed_last(&self) -> Option<Observed> {
        self.ticks.back()?.decision.steps.map(|steps| steps.observed)
    }

    /// The averages of a tick, and whose they are: ours, but the autoscaler's own while ours are not
    /// of a whole window and it tells them, since it remembers what was before we came.
    fn observed(&self, at: At, config: &Config) -> (Source, Option<Observed>) {
        let is_heard = self.sight.heard.is_some_and(|heard| at.since(heard) < OWN_FRESH);
        let exported = if is_heard && self.is_whole(at, config) {
            None
        } else {
            self.words.exported(at, is_heard)
        };
        if let Some(observed) = exported {
            return (Source::Exported, Some(observed));
        }
        if !is_heard {
            return (Source::Nothing, None);
        }
        let windows = self.decider.as_ref().map(|decider| match config.metric {
            Metric::Concurrency => &decider.concurrency,
            Metric::Rps => &decider.rps,
        });
        let observed = windows.and_then(|it| it.observed(self.wall(at), config.scraped()));
        (Source::Pods, observed)
    }

    fn input(&self, at: At, source: Source, config: &Config) -> Input {
        Input {
            source,
            n_read: self.sight.scraped.n_read,
            n_ready: self.sight.scraped.n_ready,
            share: self.sight.share,
            whole_since: self.sight.whole_since,
            is_whole: self.is_whole(at, config),
        }
    }

    /// Whether we have heard all that the stable window of a tick is made of.
    fn is_whole(&self, at: At, config: &Config) -> bool {
        let covers = |since: At| {
            config.stable_window <= at.since(since) || self.evidence.has_restarted_at(since)
        };
        self.sight.whole_since.is_some_and(covers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Anchor;
    use crate::units::UnixMicros;

    #[test]
    fn a_panic_that_began_before_the_run_ends_when_it_ends() {
        let shadow = Shadow::new(Anchor(UnixMicros(1_000_000_000)), At::ZERO);
        let (at, config) = (At::from_secs(2), Config::default());
        let wall = shadow.wall(at);
        let mut memory = Memory::new(&config, 4, wall.saturating_sub(Duration::from_secs(50)));
        let observed = Some(Observed { stable: 250.0, panic: 250.0 });
        let decided = decide(&config, &mut memory, &Inputs { ready: 4, observed }, wall);
        assert_eq!(shadow.of_run(at, decided).panic_ends, Some(at + Duration::from_secs(10)));
    }
}
