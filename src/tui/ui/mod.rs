//! What the person looks at: view, cursor, zoom, selection, and what is being typed.
//!
//! Keys change it through `update`; drawing only reads it. What concerns others leaves as a
//! command. While the view is frozen the loop best draws a copy of the model of that moment: then
//! every cell stands still; a model that goes on is shown by what its series held then.

mod jump;
mod load;
mod prompt;
pub mod whatif;

use std::collections::VecDeque;
use std::time::Duration;

use crossterm::event::KeyEvent;
use crossterm::event::KeyEventKind;

use crate::event::cluster::Name;
use crate::event::command::Command;
use crate::event::command::LoadCommand;
use crate::event::command::REPLAY_SPEED;
use crate::event::command::ReplayCommand;
use crate::event::run::Executor;
use crate::event::run::Mode;
use crate::model::Model;
use crate::model::scaling::RevisionScaling;
use crate::model::shadow::Tick;
use crate::units::At;

use crate::tui::action::Action;
use crate::tui::action::View;
use crate::tui::keymap::Keymap;
use crate::tui::window::SPANS;
use crate::tui::window::Window;

use whatif::WhatIf;

/// Messages that are kept.
const MESSAGES_MAX: usize = 8;
/// How long a message is shown.
const MESSAGE_LASTS: Duration = Duration::from_secs(8);
/// How long a change of load that we asked for counts as made.
const WISH_LASTS: Duration = Duration::from_secs(2);
/// The longest text that can be typed.
const TYPED_MAX: usize = 200;
/// How far the cursor moves: this part of the window, about a column.
const CURSOR_STEPS: u32 = 120;

/// What is special about this sitting.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Session {
    /// Whether a record is being shown again.
    pub is_replay: bool,
    /// Whether the run is being recorded.
    pub is_recording: bool,
    /// Run time a second of real time, in a replay.
    pub speed: f64,
    /// Whether the run is over, and stays on the screen for somebody who looks at it.
    pub is_over: bool,
}

/// What the terminal costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    /// Frames in the last second.
    pub fps: u32,
    /// Bytes written to the terminal in the last second.
    pub bytes_a_second: u64,
}

/// What is being typed or asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// A rate.
    Rate(String),
    /// A note about a moment.
    Note(At, String),
    /// What the list is narrowed to.
    Filter(String),
    /// A name from the palette, and which of the matches is selected.
    Palette(String, usize),
    /// Whether to change the load that much.
    Confirm(LoadCommand, f64),
    /// Whether to leave while load runs.
    Quit,
}

/// The pane that is shown where there is room for one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The pods.
    Pods,
    /// What happened.
    Events,
}

/// What the person looks at.
#[derive(Debug, Clone)]
pub struct Ui {
    session: Session,
    is_paused: bool,
    keymap: Keymap,
    clock: At,
    frozen: Option<At>,
    view: View,
    view_before: View,
    revision: Option<Name>,
    service: Option<Name>,
    cursor: Option<At>,
    zoom: usize,
    selected: usize,
    pane: Pane,
    filter: String,
    prompt: Option<Prompt>,
    wish: Option<(At, f64)>,
    messages: VecDeque<(At, String)>,
    /// Whether nobody has moved on since the newest message.
    is_news: bool,
    meter: Meter,
    size: (u16, u16),
    whatif: WhatIf,
}

impl Ui {
    /// The beginning of a sitting.
    pub fn new(session: Session) -> Self {
        Self {
            session,
            is_paused: false,
            keymap: Keymap::default(),
            clock: At::ZERO,
            frozen: None,
            view: View::Overview,
            view_before: View::Overview,
            revision: None,
            service: None,
            cursor: None,
            zoom: 1,
            selected: 0,
            pane: Pane::Pods,
            filter: String::new(),
            prompt: None,
            wish: None,
            messages: VecDeque::new(),
            is_news: false,
            meter: Meter::default(),
            size: (120, 40),
            whatif: WhatIf::default(),
        }
    }

    // What drawing reads.

    /// The moment that counts as now: it stands still while the view is frozen.
    pub fn now(&self) -> At {
        self.frozen.unwrap_or(self.clock)
    }

    /// How far behind the view is; `None` while it is live.
    pub fn behind(&self) -> Option<Duration> {
        self.frozen.map(|frozen| self.clock.since(frozen))
    }

    /// The moment whose values are shown.
    pub fn moment(&self) -> At {
        self.cursor.unwrap_or_else(|| self.now())
    }

    /// Whether somebody reads or writes here, and must not be thrown out.
    pub const fn stands_still(&self) -> bool {
        self.frozen.is_some() || self.cursor.is_some() || self.prompt.is_some()
    }

    /// Where the cursor stands; `None` while there is none.
    pub const fn cursor(&self) -> Option<At> {
        self.cursor
    }

    /// The span of time in the lanes.
    pub fn window(&self) -> Window {
        Window::around(self.now(), self.cursor, self.span())
    }

    /// Length of the window.
    pub fn span(&self) -> Duration {
        SPANS[self.zoom.min(SPANS.len() - 1)]
    }

    /// What is shown.
    pub const fn view(&self) -> View {
        self.view
    }

    /// The line that is selected in a list.
    pub const fn selected(&self) -> usize {
        self.selected
    }

    /// The pane that is shown where there is room for one only.
    pub const fn pane(&self) -> Pane {
        self.pane
    }

    /// What lists are narrowed to; empty for nothing.
    pub fn filter(&self) -> &str {
        match &self.prompt {
            Some(Prompt::Filter(typed)) => typed,
            _ => &self.filter,
        }
    }

    /// What is being typed or asked.
    pub const fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// What is changed on paper.
    pub const fn whatif(&self) -> &WhatIf {
        &self.whatif
    }

    /// What is special about this sitting.
    pub const fn session(&self) -> Session {
        self.session
    }

    /// Whether a replay stands still.
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Which keys mean what.
    pub const fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    /// What the terminal costs, as the loop last said.
    pub const fn meter(&self) -> Meter {
        self.meter
    }

    /// The newest message, while it is news: for some seconds, or until another moment or view.
    pub fn message(&self) -> Option<&str> {
        let (told, message) = self.messages.back()?;
        let is_news = self.is_news && self.clock.since(*told) < MESSAGE_LASTS;
        is_news.then_some(message.as_str())
    }

    /// The amount of load that is being asked for and not confirmed yet: typed, or to be confirmed.
    pub fn ghost(&self) -> Option<f64> {
        match &self.prompt {
            Some(Prompt::Rate(typed)) => typed.trim().parse().ok(),
            Some(Prompt::Confirm(_, amount)) => Some(*amount),
            _ => None,
        }
    }

    /// The service that is looked at: the one opened, else the run's.
    pub fn service(&self, model: &Model) -> Option<Name> {
        self.service.clone().or_else(|| {
            let revision = self.revision(model)?;
            let service = model.cluster.revisions.get(&revision)?.service.clone()?;
            Some(Name { namespace: revision.namespace, name: service })
        })
    }

    /// The revision that is looked at.
    pub fn revision(&self, model: &Model) -> Option<Name> {
        if let Some(revision) = &self.revision {
            return Some(revision.clone());
        }
        if let Some(service) = &self.service {
            return model.cluster.revisions_of(service).into_iter().next();
        }
        // Without services in sight, whatever the autoscaler speaks of; but never of another service
        // than the one that was named.
        let began = model.run.began.as_ref();
        let named = began.and_then(|it| Some((it.namespace.as_deref()?, it.service.as_deref()?)));
        let is_meant = |revision: &Name| {
            named.is_none_or(|(namespace, service)| {
                let rest = revision.name.strip_prefix(service);
                revision.namespace == namespace && rest.is_some_and(|rest| rest.starts_with('-'))
            })
        };
        let spoken_of = || model.scaling.iter().map(|(name, _)| name).find(|it| is_meant(it));
        model.main_revision().or_else(|| spoken_of().cloned())
    }

    /// The revisions of the service that is looked at.
    pub fn revisions(&self, model: &Model) -> Vec<Name> {
        self.service(model).map(|it| model.cluster.revisions_of(&it)).unwrap_or_default()
    }

    // What the loop tells.

    /// The time of this frame; that of a replay may go back.
    pub fn set_now(&mut self, now: At) {
        self.clock = now;
        if let Some((told, _)) = self.messages.back_mut() {
            *told = (*told).min(now);
        }
    }

    /// The size of the screen.
    pub const fn set_size(&mut self, width: u16, height: u16) {
        self.size = (width, height);
    }

    /// What the terminal costs.
    pub const fn set_meter(&mut self, meter: Meter) {
        self.meter = meter;
    }

    /// Whether the run is recorded, whether it is over, and the speed of a replay.
    pub const fn set_session(&mut self, session: Session) {
        self.session = session;
    }

    /// Whether a replay stands still.
    pub const fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Tells the person something, for some seconds.
    pub fn tell(&mut self, message: impl Into<String>) {
        self.is_news = true;
        if self.messages.len() == MESSAGES_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back((self.clock, message.into()));
    }

    /// Shows another view at once.
    pub fn show(&mut self, view: View) {
        // What one list was narrowed to is nothing to another.
        if self.view != view {
            self.filter.clear();
        }
        self.view_before = self.view;
        self.view = view;
        self.selected = 0;
    }

    // What keys do.

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent, model: &Model) -> Option<Command> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let action = self.keymap.action(key);
        if matches!(action, Some(Action::Interrupt | Action::Suspend)) {
            return self.update(action?, model);
        }
        match self.prompt.take() {
            Some(prompt) => self.prompted(prompt, key, model),
            None => self.update(action?, model),
        }
    }

    /// Does what a key means.
    pub fn update(&mut self, action: Action, model: &Model) -> Option<Command> {
        // What was said of one moment is not said of another.
        self.is_news &= !action.moves();
        match action {
            // There they turn what is changed on paper, never the load.
            Action::RateUp
            | Action::RateDown
            | Action::Halve
            | Action::Double
            | Action::Undo
            | Action::Zero
                if self.view == View::WhatIf =>
            {
                self.turn(action, model);
            }
            Action::Pause | Action::Halve | Action::Double if self.session.is_replay => {
                return Some(self.replay(action));
            }
            Action::RateUp
            | Action::RateDown
            | Action::Halve
            | Action::Double
            | Action::TypeRate
            | Action::Zero
            | Action::Undo
            | Action::Burst
            | Action::Hold
            | Action::Next
            | Action::Pause => return self.load(action, model),
            Action::Freeze => self.freeze(),
            Action::CursorLeft if self.view == View::Why => self.step_tick(false, model),
            Action::CursorRight if self.view == View::Why => self.step_tick(true, model),
            Action::CursorLeft => self.move_cursor(false),
            Action::CursorRight => self.move_cursor(true),
            Action::ToStart => self.go_to_start(),
            Action::ToNow => self.go_to_now(),
            Action::MarkBack => self.jump(false, model),
            Action::MarkOn => self.jump(true, model),
            Action::ZoomIn => self.zoom = self.zoom.saturating_sub(1),
            Action::ZoomOut => self.zoom = (self.zoom + 1).min(SPANS.len() - 1),
            Action::Snapshot => return Some(Command::Snapshot),
            Action::Note => self.prompt = Some(Prompt::Note(self.moment(), String::new())),
            Action::Open => return self.open(model),
            Action::Back => self.back(),
            Action::Filter => self.prompt = Some(Prompt::Filter(self.filter.clone())),
            Action::NextPane => self.next_pane(model),
            Action::Up => self.selected = self.selected.saturating_sub(1),
            Action::Down => self.selected = self.selected.saturating_add(1),
            Action::PageUp => self.selected = self.selected.saturating_sub(10),
            Action::PageDown => self.selected = self.selected.saturating_add(10),
            Action::Palette => self.prompt = Some(Prompt::Palette(String::new(), 0)),
            Action::Show(view) => self.show(view),
            Action::Suspend => return Some(Command::Suspend),
            Action::Quit if self.leaving_stops_load(model) => self.prompt = Some(Prompt::Quit),
            Action::Quit | Action::Interrupt => return Some(Command::Quit),
        }
        // A list knows its own length only when it is drawn.
        self.selected = self.selected.min(100_000);
        None
    }

    /// The quick load has nothing to put back, and its report is what one waits for.
    fn leaving_stops_load(&self, model: &Model) -> bool {
        let session = self.session;
        !session.is_replay && !session.is_over && is_loading(model) && !is_quick(model)
    }

    fn turn(&mut self, action: Action, model: &Model) {
        let Some(revision) = self.revision(model) else { return };
        if let Some(basis) = crate::model::recording::basis(model, &revision) {
            self.whatif.turn(action, self.selected, &basis);
        }
    }

    fn replay(&mut self, action: Action) -> Command {
        let speed = match action {
            Action::Pause => return Command::Replay(ReplayCommand::PauseOrResume),
            Action::Halve => self.session.speed / 2.0,
            _ => self.session.speed * 2.0,
        };
        let (slowest, fastest) = REPLAY_SPEED;
        self.session.speed = speed.clamp(slowest, fastest);
        Command::Replay(ReplayCommand::Speed(self.session.speed))
    }

    fn freeze(&mut self) {
        if self.frozen.take().is_some() {
            self.cursor = None;
        } else {
            self.frozen = Some(self.clock);
        }
    }

    fn move_cursor(&mut self, is_forward: bool) {
        let step = self.span() / CURSOR_STEPS;
        let now = self.now();
        let from = self.cursor.unwrap_or(now);
        self.cursor = if is_forward {
            Some(from + step).filter(|cursor| *cursor < now)
        } else {
            Some(from.saturating_sub(step))
        };
    }

    /// From tick to tick of the autoscaler; past the newest one the cursor goes away.
    fn step_tick(&mut self, is_forward: bool, model: &Model) {
        let revision = self.revision(model);
        let scaling = revision.and_then(|revision| model.scaling.get(&revision));
        let fresh = scaling.map(RevisionScaling::fresh_for).unwrap_or_default();
        let Some(shadow) = scaling.and_then(|scaling| scaling.shadow.as_deref()) else { return };
        let Some(shown) = shadow.tick_at(self.moment()).map(Tick::at) else { return };
        self.selected = 0;
        if is_forward {
            // What came after a view was frozen is not in it.
            let now = self.now();
            let after = |at| shadow.tick_after(at).map(Tick::at).filter(|at| *at <= now);
            let next = after(shown);
            let is_newest = next.is_none_or(|next| after(next).is_none());
            self.cursor = next.filter(|_| !is_newest);
        } else {
            let before = shadow.ticks().rev().map(Tick::at).find(|at| *at < shown);
            // One that is too old to be shown here is where one goes first.
            let is_shown = self.moment().since(shown) < fresh;
            self.cursor = before.filter(|_| is_shown).or(Some(shown));
        }
    }

    fn go_to_start(&mut self) {
        if self.view.has_time() {
            self.cursor = Some(At::ZERO);
        } else {
            self.selected = 0;
        }
    }

    fn go_to_now(&mut self) {
        if self.view.has_time() {
            self.cursor = None;
            self.frozen = None;
        } else {
            self.selected = 100_000;
        }
    }

    fn open(&mut self, model: &Model) -> Option<Command> {
        if self.view == View::Services {
            let services = crate::tui::views::services::shown(model, self);
            let name = services.get(self.selected.min(services.len().saturating_sub(1)))?.clone();
            self.service = Some(name.clone());
            self.revision = None;
            self.filter.clear();
            self.show(View::Overview);
            return Some(Command::Open(name));
        }
        if self.view == View::Log {
            let at = crate::tui::views::log::selected(model, self)?.at;
            self.frozen.get_or_insert(self.clock);
            self.show(View::Overview);
            self.cursor = Some(at);
            return None;
        }
        match self.cursor {
            Some(cursor) if self.session.is_replay => {
                // It plays on from there, and that is what one wants to see.
                (self.cursor, self.frozen) = (None, None);
                Some(Command::Replay(ReplayCommand::Seek(cursor)))
            }
            _ => None,
        }
    }

    fn back(&mut self) {
        if !self.filter.is_empty() {
            self.filter.clear();
        } else if self.view == View::Help {
            self.show(self.view_before);
        } else if self.view != View::Overview {
            self.show(View::Overview);
        } else if self.cursor.take().is_none() {
            self.frozen = None;
        }
    }

    fn next_pane(&mut self, model: &Model) {
        let has_both_panes = 100 <= self.size.0;
        if !has_both_panes && self.pane == Pane::Pods {
            self.pane = Pane::Events;
            return;
        }
        self.pane = Pane::Pods;
        let revisions = self.revisions(model);
        let now = self.revision(model);
        let next = revisions.iter().position(|it| Some(it) == now.as_ref()).map_or(0, |it| it + 1);
        if let Some(next) = revisions.get(next).or(revisions.first()) {
            self.revision = Some(next.clone());
        }
    }
}

/// Whether it is load alone, as `rampscope load` sends it.
fn is_quick(model: &Model) -> bool {
    model.run.began.as_ref().is_some_and(|began| began.mode == Mode::Load)
}

/// Whether leaving would stop a load. One that is at zero and has no answer to wait for is none.
fn is_loading(model: &Model) -> bool {
    let last = model.traffic.last.as_ref();
    model.run.executor() != Executor::None
        && model.run.ended.is_none()
        && last.is_some_and(|last| 0.0 < last.target || 0 < last.in_flight)
}

#[cfg(test)]
mod tests;
