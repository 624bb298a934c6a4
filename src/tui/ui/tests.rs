use crossterm::event::KeyCode;
use crossterm::event::KeyModifiers;

use super::*;
use crate::event::Event;
use crate::event::Stamped;
use crate::event::command::LoadCommand;
use crate::event::run::Began;
use crate::event::run::By;
use crate::event::run::Control;
use crate::event::run::Executor;
use crate::event::run::Mode;
use crate::event::traffic::Interval;
use crate::units::Anchor;
use crate::units::UnixMicros;

/// A run that sends `target` a second, at most 1000.
fn model(executor: Executor, target: f64) -> Model {
    let began = Began {
        name: "test".to_owned(),
        version: "0".to_owned(),
        anchor: Anchor(UnixMicros(0)),
        mode: Mode::Run,
        context: None,
        namespace: None,
        service: None,
        stages: Vec::new(),
        executor,
        max_rate: Some(1000.0),
        max_in_flight: None,
        checks: Vec::new(),
        read_only: false,
    };
    let lasted = Duration::from_secs(1);
    let interval = Interval { lasted, target, ..Interval::default() };
    let mut model = Model::default();
    for event in [Event::Began(Box::new(began)), Event::Traffic(Box::new(interval))] {
        model.apply(&Stamped { seq: 0, at: At::ZERO, event });
    }
    model
}

fn ui() -> Ui {
    Ui::new(Session::default())
}

/// Another one.
fn ui_of_its_own() -> Ui {
    ui()
}

fn press(ui: &mut Ui, keys: &str, model: &Model) -> Option<Command> {
    let mut command = None;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        command = ui.key(KeyEvent::new(code, KeyModifiers::NONE), model);
    }
    command
}

#[expect(clippy::unnecessary_wraps, reason = "as `key` gives it")]
const fn set(amount: f64) -> Option<Command> {
    Some(Command::Load(LoadCommand::Set(amount)))
}

#[test]
fn keys_change_the_load_as_the_table_says() {
    for (keys, command) in [
        ("+", set(110.0)),
        ("-", set(90.0)),
        ("[", set(50.0)),
        ("]", set(200.0)),
        ("0", set(0.0)),
        ("=150\n", set(150.0)),
        ("=150\x1b", None),
        ("=\n", None),
        ("u", Some(Command::Load(LoadCommand::Undo))),
        ("h", Some(Command::Load(LoadCommand::Hold))),
        ("n", Some(Command::Load(LoadCommand::Next))),
        ("p", Some(Command::Load(LoadCommand::Pause))),
    ] {
        let command_of_users = press(&mut ui(), keys, &model(Executor::Closed, 100.0));
        assert_eq!(press(&mut ui(), keys, &model(Executor::Open, 100.0)), command, "{keys:?}");
        assert_eq!(command_of_users, command, "{keys:?} with users");
        assert_eq!(press(&mut ui(), keys, &model(Executor::None, 0.0)), None, "{keys:?}");
    }
    assert_eq!(press(&mut ui(), "+", &model(Executor::Open, 3.0)), set(4.0), "at least one");
    assert_eq!(press(&mut ui(), "-", &model(Executor::Open, 0.5)), set(0.0), "not below none");
}

#[test]
fn more_than_twice_the_present_asks_once() {
    let model = model(Executor::Open, 100.0);
    let mut ui = ui();
    assert_eq!(press(&mut ui, "=201\n", &model), None);
    assert_eq!(ui.prompt(), Some(&Prompt::Confirm(LoadCommand::Set(201.0), 201.0)));
    assert_eq!(ui.ghost(), Some(201.0), "and shows what would come");
    assert_eq!(press(&mut ui, "\n", &model), set(201.0));
    assert_eq!(press(&mut ui_of_its_own(), "b\n", &model), Some(Command::Load(LoadCommand::Burst)));
    assert_eq!(press(&mut ui_of_its_own(), "bx\n", &model), None, "another key leaves it");
}

#[test]
fn nothing_goes_above_the_limit() {
    let model = model(Executor::Open, 600.0);
    for keys in ["]", "=1001\n", "b", "b\n"] {
        let mut ui = ui();
        assert_eq!(press(&mut ui, keys, &model), None, "{keys:?}");
        assert!(ui.message().is_some_and(|message| message.contains("1000")), "{keys:?}");
    }
}

#[test]
fn what_was_said_of_one_moment_is_not_said_of_another() {
    let model = model(Executor::Open, 600.0);
    let mut ui = ui();
    press(&mut ui, "b", &model);
    assert!(ui.message().is_some());
    // Where nothing goes on, as at the end of a record, no time passes.
    press(&mut ui, "w", &model);
    assert_eq!(ui.message(), None);
}

#[test]
fn steps_add_up_before_the_first_is_answered() {
    let mut model = model(Executor::Open, 100.0);
    let mut ui = ui();
    ui.set_now(At::from_secs(1));
    assert_eq!(press(&mut ui, "]]", &model), set(400.0));
    let at = At::from_secs(2);
    let control = Control {
        by: By::Safety,
        what: "hold".to_owned(),
        from: 400.0,
        to: 100.0,
        reason: None,
        at,
    };
    model.apply(&Stamped { seq: 1, at, event: Event::Control(control) });
    assert_eq!(press(&mut ui, "]", &model), set(200.0), "what came since counts");
}

#[test]
fn the_view_freezes_and_thaws() {
    let model = Model::default();
    let mut ui = ui();
    ui.set_now(At::from_secs(100));
    press(&mut ui, " ", &model);
    ui.set_now(At::from_secs(112));
    assert_eq!((ui.now(), ui.behind()), (At::from_secs(100), Some(Duration::from_secs(12))));
    ui.update(Action::CursorLeft, &model);
    assert!(ui.moment() < At::from_secs(100));
    press(&mut ui, " ", &model);
    assert_eq!((ui.now(), ui.cursor(), ui.behind()), (At::from_secs(112), None, None));
}

#[test]
fn a_replay_may_go_back_and_its_message_goes_in_time() {
    let mut ui = Ui::new(Session { is_replay: true, ..Session::default() });
    ui.set_now(At::from_secs(100));
    ui.tell("sought");
    ui.set_now(At::from_secs(3));
    assert_eq!((ui.now(), ui.message()), (At::from_secs(3), Some("sought")));
    ui.set_now(At::from_secs(30));
    assert_eq!(ui.message(), None);
}

#[test]
fn the_cursor_stays_between_the_beginning_and_now() {
    let model = Model::default();
    let mut ui = ui();
    ui.set_now(At::from_secs(2));
    ui.update(Action::CursorRight, &model);
    assert_eq!(ui.cursor(), None);
    for _ in 0..50 {
        ui.update(Action::CursorLeft, &model);
    }
    assert_eq!(ui.cursor(), Some(At::ZERO));
    ui.update(Action::ToNow, &model);
    assert_eq!(ui.moment(), At::from_secs(2));
}

#[test]
fn who_leaves_a_view_still_looks_at_the_same_moment() {
    let model = Model::default();
    let mut ui = ui();
    ui.set_now(At::from_secs(60));
    press(&mut ui, " ", &model);
    ui.update(Action::CursorLeft, &model);
    let cursor = ui.cursor();
    press(&mut ui, "w?", &model);
    for view in [View::Why, View::Overview] {
        press(&mut ui, "\x1b", &model);
        assert_eq!((ui.view(), ui.cursor()), (view, cursor));
    }
    press(&mut ui, "\x1b", &model);
    assert_eq!((ui.view(), ui.cursor()), (View::Overview, None));
    assert_eq!(ui.behind(), Some(Duration::ZERO), "still frozen");
    press(&mut ui, "\x1b", &model);
    assert_eq!(ui.behind(), None);
}

#[test]
fn leaving_asks_while_load_runs() {
    let running = model(Executor::Open, 100.0);
    assert_eq!(press(&mut ui(), "q", &running), None);
    assert_eq!(press(&mut ui(), "qs", &running), Some(Command::Quit));
    assert_eq!(press(&mut ui(), "ql", &running), Some(Command::Detach));
    assert_eq!(press(&mut ui(), "q\x1b", &running), None);
    assert_eq!(press(&mut ui(), "q", &Model::default()), Some(Command::Quit));
    let mut quick = running.clone();
    if let Some(began) = &mut quick.run.began {
        began.mode = Mode::Load;
    }
    assert_eq!(press(&mut ui(), "q", &quick), Some(Command::Quit), "the report is what one wants");
    let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let mut ui = ui();
    press(&mut ui, "=12", &running);
    assert_eq!(ui.key(stop, &running), Some(Command::Quit), "also while typing");
}

#[test]
fn everything_can_be_found_by_its_name() {
    for action in Action::ALL {
        assert!(ui().matches(action.name()).contains(&action), "{action:?}");
    }
    assert_eq!(ui().matches("snap").first(), Some(&Action::Snapshot));
    let replay = Ui::new(Session { is_replay: true, ..Session::default() });
    assert!(!replay.matches("rate").contains(&Action::RateUp), "its load was sent");
    assert!(replay.matches("double").contains(&Action::Double), "which is its speed");
    let model = Model::default();
    let mut ui = ui();
    press(&mut ui, ":sourc\n", &model);
    assert_eq!(ui.view(), View::Sources);
    assert_eq!(press(&mut ui, ":snap\n", &model), Some(Command::Snapshot));
}

#[test]
fn a_note_is_about_the_moment_looked_at() {
    let mut ui = ui();
    ui.set_now(At::from_secs(7));
    let command = press(&mut ui, "mdeploy\n", &Model::default());
    let note = Command::Note { about: At::from_secs(7), text: "deploy".to_owned() };
    assert_eq!(command, Some(note));
    assert_eq!(press(&mut ui, "m \n", &Model::default()), None, "an empty one is none");
}

#[test]
fn a_replay_is_steered_with_the_keys_of_the_load() {
    let session = Session { is_replay: true, speed: 1.0, ..Session::default() };
    let mut ui = Ui::new(session);
    let model = model(Executor::Open, 100.0);
    let replay = |command| Some(Command::Replay(command));
    assert_eq!(press(&mut ui, "p", &model), replay(ReplayCommand::PauseOrResume));
    assert_eq!(press(&mut ui, "]", &model), replay(ReplayCommand::Speed(2.0)));
    assert_eq!(press(&mut ui, "+", &model), None);
    ui.set_now(At::from_secs(60));
    press(&mut ui, "g", &model);
    assert_eq!(press(&mut ui, "\n", &model), replay(ReplayCommand::Seek(At::ZERO)));
    assert_eq!((ui.cursor(), ui.behind()), (None, None), "it plays on from there");
    assert_eq!(press(&mut ui, "q", &model), Some(Command::Quit), "nothing runs that could stop");
}

#[test]
fn who_reads_or_types_is_not_thrown_out() {
    let model = model(Executor::Open, 100.0);
    for keys in [" ", "m", "=1"] {
        let mut ui = ui();
        assert!(!ui.stands_still());
        press(&mut ui, keys, &model);
        assert!(ui.stands_still(), "{keys:?}");
    }
    let mut ui = ui();
    ui.set_now(At::from_secs(60));
    ui.update(Action::CursorLeft, &model);
    assert!(ui.stands_still());
    // Nothing runs any more: no question, and nothing to turn.
    ui.set_session(Session { is_over: true, ..Session::default() });
    assert_eq!(press(&mut ui, "+", &model), None);
    assert_eq!(ui.message(), Some("the run has ended"));
    assert_eq!(press(&mut ui, "q", &model), Some(Command::Quit));
}
