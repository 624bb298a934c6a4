//! The loop with a screen.
//!
//! It waits for signals, keys, the next frame and the run, in this order: neither a flood of
//! events may make the screen deaf, nor may it keep the screen from being drawn.

use std::time::Duration;

use crossterm::event::Event as Input;
use crossterm::event::KeyEventKind;
use futures::Stream;
use futures::StreamExt as _;
use ratatui::Terminal as Canvas;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;

use crate::event::command::Command;
use crate::model::Model;
use crate::tui;
use crate::tui::Theme;
use crate::tui::Ui;
use crate::units::At;

use super::session::Step;
use super::signals::Asked;
use super::signals::Signals;
use super::signals::stop_self;
use super::terminal::Terminal;
use super::terminal::TerminalError;

/// Ages on the screen move at least this often.
const STALE_AFTER: Duration = Duration::from_secs(1);
/// How long the engine has to pause before the process stops.
const SETTLE: Duration = Duration::from_millis(50);
/// A write that takes longer than this halves the frame rate.
const SLOW_WRITE: Duration = Duration::from_millis(50);
/// Frames a second at the least, on the slowest line.
const FPS_MIN: f64 = 1.0;

/// Something with a model that goes on: a run, or a replay.
pub trait Show {
    /// What is known.
    fn model(&self) -> &Model;
    /// The moment to draw.
    fn now(&self) -> At;
    /// Waits for the next thing and takes it in. Cancel safe.
    fn step(&mut self) -> impl Future<Output = Step>;
    /// Does what the person asked; returns what to tell them, if anything.
    fn obey(&mut self, command: Command) -> Option<String>;
    /// Writes what is on the screen to files; returns what to tell the person.
    fn snapshot(&self, screen: &Screen<'_>) -> String;
    /// The process is about to be stopped (`true`), or was continued (`false`).
    fn suspend(&mut self, stops: bool);
    /// Whether leaving would stop load.
    fn is_loading(&self) -> bool;
    /// Why it is not recorded, if it should be and is not.
    fn unrecorded(&self) -> Option<&str>;
    /// Whether the loop ends by itself when the plan is done.
    fn ends_with_plan(&self) -> bool;
    /// Whether it is a replay that stands still.
    fn is_paused(&self) -> bool;
    /// Sends nothing more: the run is over, and somebody still looks at it.
    fn stop_load(&mut self);
}

/// What is on the screen, for a snapshot.
#[derive(Debug)]
pub struct Screen<'a> {
    /// Its cells.
    pub buffer: &'a Buffer,
    /// What the person looks at.
    pub ui: &'a Ui,
    /// What was known when it was drawn.
    pub model: &'a Model,
}

/// Why the loop ended.
#[derive(Debug)]
pub enum Left {
    /// The person quit.
    Quit,
    /// A signal asked for the end.
    Asked,
    /// The terminal went away, or the person left the run to itself.
    Detached,
    /// The plan is done.
    PlanDone,
    /// The time that was asked for is over.
    TimeOver,
    /// The run could not be begun, or must not go on.
    Failed(Step),
    /// The terminal could not be taken.
    NoTerminal(TerminalError),
}

/// How the screen is run.
#[derive(Debug)]
pub struct LiveSpec {
    /// Frames a second at the most.
    pub fps: f64,
    /// The screen, with its first frame on it.
    pub opened: Opened,
}

/// A terminal that is ours and shows a first frame: nothing needs to be known for that, so nobody
/// waits for it.
#[derive(Debug)]
pub struct Opened {
    canvas: Canvas<TestBackend>,
    terminal: Terminal,
    theme: Theme,
}

/// The loop's own state.
#[derive(Debug)]
struct Live<'a> {
    canvas: Canvas<TestBackend>,
    terminal: Option<Terminal>,
    ui: &'a mut Ui,
    theme: Theme,
    is_stale: bool,
    has_told_unrecorded: bool,
    has_focus: bool,
    drawn_at: Option<At>,
    carried: (u64, u64),
    /// What was known when the view was frozen.
    frozen: Option<Box<Model>>,
    /// Why the run is over, where somebody was looking at a view that stands still: it stays.
    over: Option<Left>,
    /// Bytes and frames a second ago, and when that was.
    metered: (Instant, u64, u64),
}

/// Takes the terminal and shows what is to be seen before anything is known.
pub fn open(ui: &mut Ui, theme: Theme) -> Result<Opened, TerminalError> {
    let (width, height) = crossterm::terminal::size().map_err(TerminalError::Take)?;
    let terminal = Terminal::take()?;
    let mut canvas = canvas(width, height);
    ui.set_size(width, height);
    // Drawing into memory cannot fail.
    let Ok(frame) = canvas.draw(|frame| tui::draw(&Model::default(), ui, &theme, frame));
    terminal.show(frame.buffer.clone());
    Ok(Opened { canvas, terminal, theme })
}

/// Shows it until there is a reason to leave. Returns the reason, and bytes and frames written to
/// the terminal.
pub async fn run(
    show: &mut impl Show,
    ui: &mut Ui,
    spec: LiveSpec,
    signals: &mut Signals,
    mut input: impl Stream<Item = std::io::Result<Input>> + Unpin,
) -> Result<(Left, (u64, u64)), TerminalError> {
    let Opened { canvas, terminal, theme } = spec.opened;
    let mut live = Live {
        canvas,
        terminal: Some(terminal),
        ui,
        theme,
        is_stale: true,
        has_told_unrecorded: false,
        has_focus: true,
        drawn_at: None,
        carried: (0, 0),
        frozen: None,
        over: None,
        metered: (crate::clock::instant(), 0, 0),
    };
    live.draw(show);
    let mut fps = spec.fps;
    let mut frame = ticker(fps);
    let left = loop {
        tokio::select! { biased;
            asked = signals.next() => match asked {
                Asked::End => break Left::Asked,
                Asked::HangUp => break Left::Detached,
                Asked::Suspend => live.suspend(show).await?,
            },
            input = input.next() => match input {
                Some(Ok(input)) => {
                    if let Some(left) = live.input(show, &input).await? {
                        break left;
                    }
                }
                // The terminal went away.
                Some(Err(_)) | None => break Left::Detached,
            },
            _ = frame.tick() => {
                if live.is_lost() {
                    break Left::Detached;
                }
                live.tick(show);
                let wanted = live.affordable_fps(spec.fps);
                if (wanted - fps).abs() > f64::EPSILON {
                    fps = wanted;
                    frame = ticker(fps);
                }
            }
            step = show.step() => {
                live.is_stale = true;
                if !live.has_told_unrecorded && let Some(reason) = show.unrecorded() {
                    live.has_told_unrecorded = true;
                    live.ui.tell(reason);
                }
                match step {
                    Step::Took => {}
                    Step::PlanDone if show.ends_with_plan() => {
                        if let Some(left) = live.end(show, Left::PlanDone) {
                            break left;
                        }
                    }
                    Step::PlanDone => live.ui.tell("the plan is done; q leaves"),
                    Step::TimeOver => {
                        if let Some(left) = live.end(show, Left::TimeOver) {
                            break left;
                        }
                    }
                    step @ (Step::Failed(_) | Step::Unrecorded(_)) => break Left::Failed(step),
                }
            }
        }
    };
    live.draw(show);
    // However the person left then, the run had ended before.
    let left = match (left, live.over.take()) {
        (left @ Left::Failed(_), _) | (left, None) => left,
        (_, Some(over)) => over,
    };
    Ok((left, live.written()))
}

fn ticker(fps: f64) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(Duration::from_secs_f64(1.0 / fps.max(FPS_MIN)));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

fn canvas(width: u16, height: u16) -> Canvas<TestBackend> {
    match Canvas::new(TestBackend::new(width, height)) {
        Ok(canvas) => canvas,
        Err(impossible) => match impossible {},
    }
}

impl Live<'_> {
    /// The run is over: the reason to leave, unless somebody is looking at a view that stands still.
    fn end(&mut self, show: &mut impl Show, left: Left) -> Option<Left> {
        if self.over.is_none() && !self.ui.stands_still() {
            return Some(left);
        }
        if self.over.is_none() {
            show.stop_load();
            self.over = Some(left);
        }
        None
    }

    fn tick(&mut self, show: &impl Show) {
        self.meter();
        let is_old = self.drawn_at.is_none_or(|at| STALE_AFTER <= show.now().since(at));
        if self.is_stale || is_old {
            self.draw(show);
        }
    }

    fn draw(&mut self, show: &impl Show) {
        let Some(terminal) = &self.terminal else { return };
        self.ui.set_now(show.now());
        let session = self.ui.session();
        let is_recording = !session.is_replay && show.unrecorded().is_none();
        let is_over = self.over.is_some();
        self.ui.set_session(tui::Session { is_recording, is_over, ..session });
        self.ui.set_paused(show.is_paused());
        let size = self.canvas.backend().buffer().area;
        self.ui.set_size(size.width, size.height);
        // A frozen view stands still in every cell, whatever comes in.
        match (self.ui.behind().is_some(), &self.frozen) {
            (true, None) => self.frozen = Some(Box::new(show.model().clone())),
            (false, Some(_)) => self.frozen = None,
            _ => {}
        }
        let model = self.frozen.as_deref().unwrap_or_else(|| show.model());
        let (ui, theme) = (&*self.ui, &self.theme);
        // Drawing into memory cannot fail.
        let Ok(frame) = self.canvas.draw(|frame| tui::draw(model, ui, theme, frame));
        terminal.show(frame.buffer.clone());
        self.is_stale = false;
        self.drawn_at = Some(show.now());
    }

    async fn input(
        &mut self,
        show: &mut impl Show,
        input: &Input,
    ) -> Result<Option<Left>, TerminalError> {
        self.is_stale = true;
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => {
                // The present is the moment of the key, not that of the last frame.
                self.ui.set_now(show.now());
                let command = self.ui.key(*key, show.model());
                let left = match command {
                    Some(command) => self.obey(show, command).await?,
                    None => None,
                };
                // What a key does is seen at once, not a frame later.
                self.draw(show);
                return Ok(left);
            }
            Input::Resize(width, height) => {
                self.canvas = canvas(*width, *height);
            }
            Input::FocusGained => self.has_focus = true,
            Input::FocusLost => self.has_focus = false,
            _ => {}
        }
        Ok(None)
    }

    async fn obey(
        &mut self,
        show: &mut impl Show,
        command: Command,
    ) -> Result<Option<Left>, TerminalError> {
        match command {
            Command::Quit => Ok(Some(Left::Quit)),
            Command::Detach => Ok(Some(Left::Detached)),
            Command::Suspend => {
                self.suspend(show).await?;
                Ok(None)
            }
            command => {
                let told = match command {
                    Command::Snapshot => {
                        // The picture and the values are those of one moment.
                        self.draw(show);
                        let model = self.frozen.as_deref().unwrap_or_else(|| show.model());
                        let buffer = self.canvas.backend().buffer();
                        Some(show.snapshot(&Screen { buffer, ui: self.ui, model }))
                    }
                    command => show.obey(command),
                };
                if let Some(told) = told {
                    self.ui.tell(told);
                }
                Ok(None)
            }
        }
    }

    /// Gives the terminal back, stops, and takes it again when continued.
    async fn suspend(&mut self, show: &mut impl Show) -> Result<(), TerminalError> {
        show.suspend(true);
        tokio::time::sleep(SETTLE).await;
        self.carried = self.written();
        drop(self.terminal.take());
        stop_self();
        self.terminal = Some(Terminal::take()?);
        let size = crossterm::terminal::size().map_err(TerminalError::Take)?;
        self.canvas = canvas(size.0, size.1);
        show.suspend(false);
        self.draw(show);
        Ok(())
    }

    /// What the terminal cost in the last second.
    fn meter(&mut self) {
        let (since, bytes_then, frames_then) = self.metered;
        let now = crate::clock::instant();
        let secs = now.duration_since(since).as_secs();
        if secs == 0 {
            return;
        }
        let (bytes, frames) = self.written();
        self.ui.set_meter(tui::Meter {
            fps: u32::try_from((frames - frames_then) / secs).unwrap_or(u32::MAX),
            bytes_a_second: (bytes - bytes_then) / secs,
        });
        self.metered = (now, bytes, frames);
    }

    fn is_lost(&self) -> bool {
        self.terminal.as_ref().is_some_and(Terminal::is_lost)
    }

    fn written(&self) -> (u64, u64) {
        use std::sync::atomic::Ordering::Relaxed;
        let (bytes, frames) = self.terminal.as_ref().map_or((0, 0), |terminal| {
            let meter = terminal.meter();
            (meter.bytes.load(Relaxed), meter.frames.load(Relaxed))
        });
        (self.carried.0 + bytes, self.carried.1 + frames)
    }

    /// The frame rate that the line to the terminal bears.
    fn affordable_fps(&self, wanted: f64) -> f64 {
        use std::sync::atomic::Ordering::Relaxed;
        if !self.has_focus {
            return FPS_MIN;
        }
        let Some(terminal) = &self.terminal else { return wanted };
        let took = Duration::from_micros(terminal.meter().last_write_us.load(Relaxed));
        let mut fps = wanted;
        let mut bound = SLOW_WRITE;
        while bound < took && FPS_MIN < fps {
            fps /= 2.0;
            bound *= 2;
        }
        fps.max(FPS_MIN)
    }
}
