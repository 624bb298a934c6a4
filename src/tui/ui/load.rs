//! The keys that change the load: how much, whether to ask first, and what is never exceeded.

use crate::event::command::Command;
use crate::event::command::LoadCommand;
use crate::event::run::Executor;
use crate::model::Model;
use crate::tui::action::Action;
use crate::tui::text;

use super::Prompt;
use super::Ui;
use super::WISH_LASTS;

impl Ui {
    pub(super) fn load(&mut self, action: Action, model: &Model) -> Option<Command> {
        if model.run.executor() == Executor::None || self.session.is_replay {
            self.tell("no load is sent here");
            return None;
        }
        if model.run.ended.is_some() || self.session.is_over {
            self.tell("the run has ended");
            return None;
        }
        let present = self.present(model);
        let step = (present * 0.1).max(1.0);
        let wish = match action {
            Action::RateUp => present + step,
            Action::RateDown => (present - step).max(0.0),
            Action::Halve => present / 2.0,
            Action::Double => present * 2.0,
            Action::Zero => 0.0,
            Action::TypeRate => {
                self.prompt = Some(Prompt::Rate(String::new()));
                return None;
            }
            Action::Burst => return self.change(LoadCommand::Burst, present * 3.0, model),
            Action::Undo => return Some(Command::Load(LoadCommand::Undo)),
            Action::Hold => return Some(Command::Load(LoadCommand::Hold)),
            Action::Next => return Some(Command::Load(LoadCommand::Next)),
            _ => {
                let is_paused = model.traffic.last.as_ref().is_some_and(|last| last.paused);
                let pause = if is_paused { LoadCommand::Resume } else { LoadCommand::Pause };
                return Some(Command::Load(pause));
            }
        };
        // A step up from nothing is the smallest there is: no question.
        if action == Action::RateUp {
            return self.command(LoadCommand::Set(wish), wish, model);
        }
        self.change(LoadCommand::Set(wish), wish, model)
    }

    /// The amount of load that is asked for now: a wish of ours counts before it is answered.
    fn present(&self, model: &Model) -> f64 {
        let answered = model.run.control.as_ref().map(|control| control.at);
        match self.wish {
            Some((wished, amount))
                if self.clock.since(wished) < WISH_LASTS
                    && answered.is_none_or(|answered| answered < wished) =>
            {
                amount
            }
            _ => model.traffic.last.as_ref().map_or(0.0, |last| last.target),
        }
    }

    /// Asks before more than twice the present amount.
    pub(super) fn change(
        &mut self,
        command: LoadCommand,
        amount: f64,
        model: &Model,
    ) -> Option<Command> {
        let present = self.present(model);
        if present * 2.0 + 1e-9 < amount && amount <= limited(amount, model) {
            self.prompt = Some(Prompt::Confirm(command, amount));
            return None;
        }
        self.command(command, amount, model)
    }

    pub(super) fn command(
        &mut self,
        command: LoadCommand,
        amount: f64,
        model: &Model,
    ) -> Option<Command> {
        let most = limited(amount, model);
        if most < amount {
            self.tell(format!(
                "{} is above the limit of {} (--max-rate)",
                text::rate(amount),
                text::rate(most)
            ));
            return None;
        }
        if let LoadCommand::Set(_) = command {
            self.wish = Some((self.clock, amount));
        }
        Some(Command::Load(command))
    }
}

/// An amount of load within `--max-rate`.
fn limited(amount: f64, model: &Model) -> f64 {
    let max = model.run.began.as_ref().and_then(|began| began.max_rate);
    max.map_or(amount, |max| amount.min(max))
}
