//! Keys to actions, in one place: the help, the hints of the last line and the palette are made
//! from it.
//!
//! Only keys that survive a plain VT: no Ctrl with digits, no Shift with arrows.

use crossterm::event::KeyCode;
use crossterm::event::KeyEvent;
use crossterm::event::KeyEventKind;
use crossterm::event::KeyModifiers;

use super::action::Action;
use super::action::View;

/// Which keys mean what.
#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

#[derive(Debug, Clone)]
struct Binding {
    key: Key,
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Plain(KeyCode),
    Ctrl(char),
}

/// A key and a word for the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The key or keys.
    pub keys: &'static str,
    /// What they do, in a word or two.
    pub word: &'static str,
}

/// What the last line offers, beside the keys of the view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sitting {
    /// Whether there is load to turn.
    pub has_load: bool,
    /// Whether a record is shown again.
    pub is_replay: bool,
    /// Whether the view is frozen.
    pub is_frozen: bool,
}

/// A line of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpLine {
    /// The keys.
    pub keys: String,
    /// What they do.
    pub about: &'static str,
    /// Its name in the palette.
    pub name: &'static str,
}

/// The keys of the load.
pub const LOAD: &[Action] = &[
    Action::RateUp,
    Action::RateDown,
    Action::Halve,
    Action::Double,
    Action::TypeRate,
    Action::Zero,
    Action::Undo,
    Action::Burst,
    Action::Hold,
    Action::Next,
    Action::Pause,
];

/// What keys of a group are for.
pub const GROUPS: [(&str, &[Action]); 4] = [
    ("load", LOAD),
    (
        "time",
        &[
            Action::Freeze,
            Action::CursorLeft,
            Action::CursorRight,
            Action::ToStart,
            Action::ToNow,
            Action::MarkBack,
            Action::MarkOn,
            Action::ZoomIn,
            Action::ZoomOut,
            Action::Snapshot,
            Action::Note,
        ],
    ),
    (
        "views",
        &[
            Action::Show(View::Overview),
            Action::Show(View::Services),
            Action::Show(View::Pods),
            Action::Show(View::Latency),
            Action::Show(View::Load),
            Action::Show(View::Sources),
            Action::Show(View::Log),
            Action::Show(View::Findings),
            Action::Show(View::WhatIf),
            Action::Show(View::Help),
            Action::Show(View::Why),
        ],
    ),
    (
        "around",
        &[
            Action::Up,
            Action::Down,
            Action::PageUp,
            Action::PageDown,
            Action::Open,
            Action::Back,
            Action::Filter,
            Action::NextPane,
            Action::Palette,
            Action::Suspend,
            Action::Quit,
            Action::Interrupt,
        ],
    ),
];

// === impl Keymap ===

impl Default for Keymap {
    fn default() -> Self {
        let mut bindings: Vec<Binding> = [
            ('+', Action::RateUp),
            ('-', Action::RateDown),
            ('[', Action::Halve),
            (']', Action::Double),
            ('=', Action::TypeRate),
            ('0', Action::Zero),
            ('u', Action::Undo),
            ('b', Action::Burst),
            ('h', Action::Hold),
            ('n', Action::Next),
            ('p', Action::Pause),
            (' ', Action::Freeze),
            ('g', Action::ToStart),
            ('G', Action::ToNow),
            ('(', Action::MarkBack),
            (')', Action::MarkOn),
            ('z', Action::ZoomIn),
            ('Z', Action::ZoomOut),
            ('s', Action::Snapshot),
            ('m', Action::Note),
            ('/', Action::Filter),
            (':', Action::Palette),
            ('?', Action::Show(View::Help)),
            ('w', Action::Show(View::Why)),
            ('q', Action::Quit),
            ('f', Action::Show(View::Findings)),
            ('i', Action::Show(View::WhatIf)),
            ('k', Action::Up),
            ('j', Action::Down),
        ]
        .into_iter()
        .map(|(c, action)| Binding { key: Key::Plain(KeyCode::Char(c)), action })
        .collect();
        bindings.extend(
            [
                (KeyCode::Left, Action::CursorLeft),
                (KeyCode::Right, Action::CursorRight),
                (KeyCode::Home, Action::ToStart),
                (KeyCode::End, Action::ToNow),
                (KeyCode::Up, Action::Up),
                (KeyCode::Down, Action::Down),
                (KeyCode::PageUp, Action::PageUp),
                (KeyCode::PageDown, Action::PageDown),
                (KeyCode::Enter, Action::Open),
                (KeyCode::Esc, Action::Back),
                (KeyCode::Tab, Action::NextPane),
            ]
            .into_iter()
            .map(|(code, action)| Binding { key: Key::Plain(code), action }),
        );
        for (view, digit) in View::ALL.into_iter().zip('1'..='9') {
            let key = Key::Plain(KeyCode::Char(digit));
            bindings.push(Binding { key, action: Action::Show(view) });
        }
        bindings.push(Binding { key: Key::Ctrl('c'), action: Action::Interrupt });
        bindings.push(Binding { key: Key::Ctrl('z'), action: Action::Suspend });
        Self { bindings }
    }
}

impl Keymap {
    /// What a key means; `None` for one that means nothing, and for a release.
    pub fn action(&self, event: KeyEvent) -> Option<Action> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let key = match event.code {
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => {
                Key::Ctrl(c.to_ascii_lowercase())
            }
            _ if event.modifiers.contains(KeyModifiers::ALT) => return None,
            code => Key::Plain(code),
        };
        self.bindings.iter().find(|binding| binding.key == key).map(|binding| binding.action)
    }

    /// What the last line offers in a view, the most useful first; what does not fit is in the
    /// help.
    pub fn hints(&self, view: View, sitting: Sitting) -> Vec<Hint> {
        let hint = |keys, word| Hint { keys, word };
        let Sitting { has_load, is_replay, is_frozen } = sitting;
        let freeze = hint("space", if is_frozen { "thaw" } else { "freeze" });
        // There the keys of the cursor go from tick to tick, and there is no axis.
        let cursor = if view == View::Why { "tick by tick" } else { "cursor" };
        let turns_load = view == View::Overview && has_load && !is_replay;
        let has_why = view == View::Why || view == View::Overview && (is_replay || has_load);
        let mut hints = Vec::new();
        // A view that is frozen is there to be read, moment by moment.
        if view.has_time() && is_frozen {
            hints.extend([freeze.clone(), hint("← →", cursor), hint("( )", "marks")]);
        }
        match view {
            View::Overview if is_replay => {
                hints.extend([hint("p", "stop/go"), hint("[ ]", "slower faster")]);
                hints.extend([hint("Enter", "seek"), hint("w", "why")]);
            }
            View::Overview if has_load => {
                hints.extend([hint("+ -", "rate"), hint("p", "pause")]);
                if !is_frozen {
                    hints.extend([freeze.clone(), hint("← →", cursor)]);
                }
                hints.extend([hint("w", "why"), hint("1-9 f i", "views")]);
                hints.extend([hint("h", "hold"), hint("b", "burst"), hint("[ ]", "halve double")]);
                hints.extend([hint("=", "set"), hint("n", "next"), hint("z Z", "zoom")]);
                if !is_frozen {
                    hints.push(hint("( )", "marks"));
                }
            }
            View::Overview => {}
            View::Services => hints.extend([hint("↑ ↓", "select"), hint("Enter", "open")]),
            View::Pods => hints.extend([hint("↑ ↓", "scroll"), hint("/", "filter")]),
            View::Log => hints.extend([
                hint("↑ ↓", "select"),
                hint("Enter", "go to its moment"),
                hint("/", "filter"),
            ]),
            View::Latency => hints.push(hint("↑ ↓", "which time")),
            View::Load | View::Why => {}
            View::Sources | View::Findings | View::Help => hints.push(hint("↑ ↓", "scroll")),
            View::WhatIf => hints.extend([
                hint("↑ ↓", "select"),
                hint("+ -", "turn"),
                hint("[ ]", "turn far"),
                hint("u", "as it was"),
                hint("0", "all as it was"),
            ]),
        }
        if view.has_time() && !turns_load && !is_frozen {
            let keys = [freeze, hint("← →", cursor), hint("( )", "marks")];
            hints.extend(keys);
        }
        match view {
            View::Why => hints.push(hint("G", "newest")),
            _ if view.has_time() && !turns_load => hints.push(hint("z Z", "zoom")),
            _ => {}
        }
        if view != View::Overview {
            hints.push(hint("Esc", "back"));
        }
        if !has_why {
            hints.push(hint("w", "why"));
        }
        hints.push(hint("s", "snapshot"));
        if !turns_load {
            hints.push(hint("1-9 f i", "views"));
        }
        hints.extend([hint(":", "all"), hint("?", "help"), hint("q", "quit")]);
        hints
    }

    /// The help of a group of actions.
    pub fn help(&self, actions: &[Action]) -> Vec<HelpLine> {
        actions
            .iter()
            .map(|action| HelpLine {
                keys: self.keys(*action),
                about: action.about(),
                name: action.name(),
            })
            .collect()
    }

    /// The keys of an action, as a person would name them.
    pub fn keys(&self, action: Action) -> String {
        let keys: Vec<String> = self
            .bindings
            .iter()
            .filter(|binding| binding.action == action)
            .map(|binding| binding.key.to_string())
            .collect();
        keys.join(" ")
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ctrl(c) => write!(f, "^{}", c.to_ascii_uppercase()),
            Self::Plain(code) => match code {
                KeyCode::Char(' ') => f.write_str("space"),
                KeyCode::Char(c) => write!(f, "{c}"),
                KeyCode::Left => f.write_str("←"),
                KeyCode::Right => f.write_str("→"),
                KeyCode::Up => f.write_str("↑"),
                KeyCode::Down => f.write_str("↓"),
                KeyCode::PageUp => f.write_str("PgUp"),
                KeyCode::PageDown => f.write_str("PgDn"),
                other => write!(f, "{other}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_key_and_stands_in_the_help() {
        let keymap = Keymap::default();
        for action in Action::ALL {
            assert!(!keymap.keys(action).is_empty(), "{action:?} has no key");
            let n_groups = GROUPS.iter().filter(|(_, all)| all.contains(&action)).count();
            // The palette needs no line of its own beside its key.
            assert_eq!(n_groups, 1, "{action:?}");
        }
    }

    #[test]
    fn no_key_means_two_things() {
        let keymap = Keymap::default();
        for (idx, binding) in keymap.bindings.iter().enumerate() {
            let first = keymap.bindings.iter().position(|other| other.key == binding.key);
            assert_eq!(first, Some(idx), "{}", binding.key);
        }
    }

    #[test]
    fn keys_mean_what_the_table_says() {
        let keymap = Keymap::default();
        for (c, action) in [
            ('+', Action::RateUp),
            (' ', Action::Freeze),
            ('G', Action::ToNow),
            ('1', Action::Show(View::Overview)),
            ('?', Action::Show(View::Help)),
        ] {
            // A terminal may report shift with the capital that it already is.
            for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
                let event = KeyEvent::new(KeyCode::Char(c), modifiers);
                assert_eq!(keymap.action(event), Some(action), "{c}");
            }
        }
        let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keymap.action(stop), Some(Action::Interrupt));
        let release =
            KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(keymap.action(release), None);
    }
}
