//! What is typed and asked: a rate, a note, a filter, a name of the palette, yes or no.

use crossterm::event::KeyCode;
use crossterm::event::KeyEvent;
use crossterm::event::KeyModifiers;

use crate::event::command::Command;
use crate::event::command::LoadCommand;
use crate::model::Model;
use crate::tui::action::Action;
use crate::tui::keymap::LOAD;

use super::Prompt;
use super::TYPED_MAX;
use super::Ui;

impl Ui {
    pub(super) fn prompted(
        &mut self,
        prompt: Prompt,
        key: KeyEvent,
        model: &Model,
    ) -> Option<Command> {
        if key.code == KeyCode::Esc {
            if let Prompt::Filter(_) = prompt {
                self.filter.clear();
            }
            return None;
        }
        match prompt {
            Prompt::Rate(typed) if key.code == KeyCode::Enter => {
                return self.typed_rate(&typed, model);
            }
            Prompt::Rate(mut typed) => {
                edit(&mut typed, key, |c| c.is_ascii_digit() || c == '.');
                self.prompt = Some(Prompt::Rate(typed));
            }
            Prompt::Note(about, mut typed) => match key.code {
                KeyCode::Enter if typed.trim().is_empty() => {}
                KeyCode::Enter => return Some(Command::Note { about, text: typed }),
                _ => {
                    edit(&mut typed, key, |_| true);
                    self.prompt = Some(Prompt::Note(about, typed));
                }
            },
            Prompt::Filter(typed) if key.code == KeyCode::Enter => self.filter = typed,
            Prompt::Filter(mut typed) => {
                edit(&mut typed, key, |_| true);
                self.selected = 0;
                self.prompt = Some(Prompt::Filter(typed));
            }
            Prompt::Palette(typed, selected) => return self.palette(typed, selected, key, model),
            Prompt::Confirm(command, amount) => {
                if key.code == KeyCode::Enter {
                    return self.command(command, amount, model);
                }
            }
            Prompt::Quit => match key.code {
                KeyCode::Char('s' | 'y') | KeyCode::Enter => return Some(Command::Quit),
                KeyCode::Char('l' | 'd') => return Some(Command::Detach),
                KeyCode::Char('c' | 'n' | 'q') => {}
                _ => self.prompt = Some(Prompt::Quit),
            },
        }
        None
    }

    fn typed_rate(&mut self, typed: &str, model: &Model) -> Option<Command> {
        match typed.trim().parse::<f64>() {
            Ok(amount) if amount.is_finite() && 0.0 <= amount => {
                self.change(LoadCommand::Set(amount), amount, model)
            }
            _ => {
                self.tell(format!("{typed:?} is not an amount of load"));
                None
            }
        }
    }

    fn palette(
        &mut self,
        mut typed: String,
        mut selected: usize,
        key: KeyEvent,
        model: &Model,
    ) -> Option<Command> {
        let matches = self.matches(&typed);
        match key.code {
            KeyCode::Enter => {
                let action = *matches.get(selected)?;
                return self.update(action, model);
            }
            KeyCode::Up => selected = selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => {
                selected = (selected + 1).min(matches.len().saturating_sub(1));
            }
            _ => {
                edit(&mut typed, key, |_| true);
                selected = 0;
            }
        }
        self.prompt = Some(Prompt::Palette(typed, selected));
        None
    }
}

impl Ui {
    /// What the palette offers: what does something here.
    pub fn matches(&self, typed: &str) -> Vec<Action> {
        let mut matches = matches(typed);
        matches.retain(|action| !(self.session.is_replay && is_for_runs(*action)));
        matches
    }
}

/// Whether it is of no use in a replay: its load was sent, and nothing is written to it.
fn is_for_runs(action: Action) -> bool {
    let steers_replay = matches!(action, Action::Pause | Action::Halve | Action::Double);
    action == Action::Note || LOAD.contains(&action) && !steers_replay
}

/// The actions whose name has all the letters typed, in their order; exact beginnings first.
fn matches(typed: &str) -> Vec<Action> {
    let typed = typed.to_lowercase();
    let has_letters = |name: &str| {
        let mut letters = name.chars();
        typed.chars().filter(|c| *c != ' ').all(|c| letters.any(|letter| letter == c))
    };
    let mut found: Vec<Action> =
        Action::ALL.into_iter().filter(|action| has_letters(action.name())).collect();
    found.sort_by_key(|action| {
        let name = action.name();
        (!name.starts_with(&typed), !name.contains(&typed))
    });
    found
}

fn edit(typed: &mut String, key: KeyEvent, is_fit: impl Fn(char) -> bool) {
    match key.code {
        KeyCode::Backspace => {
            typed.pop();
        }
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => typed.clear(),
        KeyCode::Char(c)
            if !key.modifiers.contains(KeyModifiers::CONTROL)
                && is_fit(c)
                && typed.chars().count() < TYPED_MAX =>
        {
            typed.push(c);
        }
        _ => {}
    }
}
