//! Every ending of a run, seen from outside: the real program on a real pseudo terminal. The
//! terminal is as it was, the record is complete, the exit code is the promised one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_types, reason = "threads of a test share what they have read")]

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::WaitOptions;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use serde_json::Value;
use tempfile::TempDir;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::journal::Damage;
use rampscope::journal::Playback;
use rampscope::journal::RunFolder;
use rampscope::model::Model;
use rampscope::sim::listen::Ports;
use rampscope::sim::listen::Running;
use rampscope::sim::listen::listen;
use rampscope::sim::spec::SimSpec;
use rampscope::units::At;

const RAMPSCOPE: &str = env!("CARGO_BIN_EXE_rampscope");
/// Longer than anything here may take, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// Two seconds of load, one of silence.
const SHORT: &str =
    "load.stages=[{name: rise, for: 2s, at: 30/s}, {name: silence, for: 1s, at: 0/s}]";
/// Load that does not end while a test runs.
const LONG: &str = "load.stages=[{name: rise, for: 10m, at: 30/s}]";

/// Held while a program starts: it must not inherit a terminal that another test is opening.
static STARTING: Mutex<()> = Mutex::new(());

fn starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let step = Duration::from_millis(20);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if is_so() {
            return;
        }
        std::thread::sleep(step);
    }
    panic!("never: {what}");
}

/// A program, and the folder where it keeps its runs.
struct Run {
    child: Child,
    home: TempDir,
}

fn program(args: &[&str], home: &TempDir) -> Command {
    let mut command = Command::new(RAMPSCOPE);
    command.args(args).env_clear().env("XDG_STATE_HOME", home.path()).env("TERM", "xterm-256color");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Run {
    fn headless(stages: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let _starting = starting();
        let child = program(&["demo", "--headless", "--set", stages], &home).spawn().unwrap();
        Self { child, home }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// The folder of the run, once it is there.
    fn folder(&self) -> PathBuf {
        let runs = self.home.path().join("rampscope/runs");
        let mut found = None;
        until("a run folder", || {
            found = fs::read_dir(&runs).ok().and_then(|mut runs| runs.next()).map(|it| it.unwrap());
            found.is_some()
        });
        found.unwrap().path()
    }

    /// What has been recorded so far.
    fn events(&self) -> Vec<Stamped> {
        let Ok(mut playback) = Playback::open(&self.folder().join("journal")) else {
            return Vec::new();
        };
        std::iter::from_fn(|| playback.next(At::from_micros(u64::MAX))).collect()
    }

    /// Waits until load has been sent.
    fn until_loaded(&self) {
        until("load in the record", || 0 < self.model().traffic.total.succeeded);
    }

    fn model(&self) -> Model {
        let mut model = Model::default();
        for stamped in self.events() {
            model.apply(&stamped);
        }
        model
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("the end of the program", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn summary(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder().join("summary.json")).unwrap()).unwrap()
    }

    /// The record is whole and says how it ended; the summary agrees with it.
    fn assert_recorded(&self, outcome: &str) {
        let playback = RunFolder::open(&self.folder()).unwrap().playback().unwrap();
        assert!(playback.loss().is_none(), "{}", playback.loss());
        assert!(matches!(self.events().last().unwrap().event, Event::Ended(_)));
        let (summary, model) = (self.summary(), self.model());
        assert_eq!(summary["outcome"], outcome);
        assert_eq!(summary["traffic"]["offered"], model.traffic.total.offered);
        let total = &model.traffic.total;
        assert_eq!(total.offered, total.succeeded + total.failed + total.dropped, "none is lost");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// The pseudo terminal.

/// A program on a terminal of its own.
struct Screen {
    run: Run,
    master: Option<OwnedFd>,
    /// Our own hold of the program's side, so that its settings can be read after it has ended.
    slave: Option<OwnedFd>,
    before: String,
    seen: Arc<Mutex<Vec<u8>>>,
    is_stalled: Arc<AtomicBool>,
}

/// Not a test by itself: it becomes the program, as the leader of a session of its own.
#[test]
fn launcher() {
    let Ok(args) = std::env::var("RAMPSCOPE_TEST_LAUNCH") else { return };
    let args: Vec<String> = serde_json::from_str(&args).unwrap();
    let terminal = std::env::var("RAMPSCOPE_TEST_TERMINAL").unwrap();
    rustix::process::setsid().unwrap();
    // The first terminal that a session's leader opens is the session's.
    let terminal = OpenOptions::new().read(true).write(true).open(terminal).unwrap();
    let _ = rustix::process::ioctl_tiocsctty(&terminal);
    let copy = || Stdio::from(terminal.try_clone().unwrap());
    let error = Command::new(RAMPSCOPE)
        .args(args)
        .env_remove("RAMPSCOPE_TEST_LAUNCH")
        .stdin(copy())
        .stdout(copy())
        .stderr(copy())
        .exec();
    panic!("{error}");
}

impl Screen {
    fn open(args: &[&str]) -> Self {
        let _starting = starting();
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        // A child that held it too would keep the terminal alive.
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap())
            .open(&name)
            .unwrap();
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&slave, size).unwrap();
        let before = settings(&slave);
        let home = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "launcher", "--nocapture"])
            .env_clear()
            .env("RAMPSCOPE_TEST_LAUNCH", serde_json::to_string(args).unwrap())
            .env("RAMPSCOPE_TEST_TERMINAL", name)
            .env("XDG_STATE_HOME", home.path())
            .env("TERM", "xterm-256color")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (seen, is_stalled) = (Arc::default(), Arc::default());
        let reader = File::from(master.try_clone().unwrap());
        // Polled, so that the hold of the master ends with the screen.
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let to = (Arc::downgrade(&seen), Arc::clone(&is_stalled));
        std::thread::spawn(move || read_on(reader, &to.0, &to.1));
        Self {
            run: Run { child, home },
            master: Some(master),
            slave: Some(OwnedFd::from(slave)),
            before,
            seen,
            is_stalled,
        }
    }

    fn demo(stages: &str) -> Self {
        Self::open(&["demo", "--set", stages])
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    fn press(&self, keys: &str) {
        let master = self.master.as_ref().unwrap().try_clone().unwrap();
        File::from(master).write_all(keys.as_bytes()).unwrap();
    }

    fn until_shown(&self) {
        until("a frame", || self.seen().contains("\u{1b}[?1049h"));
    }

    /// The terminal is as it was before: its settings, its main screen, its cursor.
    fn assert_given_back(&self) {
        until("all that was written to be read", || {
            let seen = self.seen();
            let last = |switch: &str| seen.rfind(switch);
            last("\u{1b}[?1049h") <= last("\u{1b}[?1049l")
                && last("\u{1b}[?25l") <= last("\u{1b}[?25h")
        });
        assert_eq!(settings(self.slave.as_ref().unwrap()), self.before);
    }
}

/// All settings of a terminal, to be compared.
fn settings(terminal: impl std::os::fd::AsFd) -> String {
    let settings = rustix::termios::tcgetattr(terminal).unwrap();
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        settings.input_modes,
        settings.output_modes,
        settings.control_modes,
        settings.local_modes,
        settings.special_codes
    )
}

/// Reads what the program writes until nobody wants it any more; while stalled it does not.
fn read_on(mut master: File, seen: &std::sync::Weak<Mutex<Vec<u8>>>, is_stalled: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        std::thread::sleep(Duration::from_millis(5));
        let Some(seen) = seen.upgrade() else { return };
        if is_stalled.load(Ordering::SeqCst) {
            continue;
        }
        if let Ok(n) = master.read(&mut bytes) {
            seen.lock().unwrap().extend(&bytes[..n]);
        }
    }
}

/// On a screen, what `leave` does ends it with `code`, and all is put back and recorded.
fn ends(code: i32, outcome: &str, stages: &str, leave: impl FnOnce(&Screen)) {
    let mut screen = Screen::demo(stages);
    screen.until_shown();
    screen.run.until_loaded();
    leave(&screen);
    assert_eq!(screen.run.end().code(), Some(code));
    screen.assert_given_back();
    screen.run.assert_recorded(outcome);
    assert!(screen.seen().contains("record: "), "it says where the record is");
}

#[test]
fn q_asks_and_stops() {
    ends(130, "stopped", LONG, |screen| {
        screen.press("q");
        until("the question", || screen.seen().contains("stop"));
        screen.press("s");
    });
}

/// The quick load has nothing to put back; what one waits for is its report.
#[test]
fn q_ends_the_quick_load_and_it_reports() {
    let url = server();
    let mut screen = Screen::open(&["load", &url, "-r", "50", "-z", "10m"]);
    screen.until_shown();
    screen.run.until_loaded();
    screen.press("q");
    assert_eq!(screen.run.end().code(), Some(130));
    screen.assert_given_back();
    screen.run.assert_recorded("stopped");
    let seen = screen.seen();
    let report = &seen[seen.rfind("\u{1b}[?1049l").unwrap_or(0)..];
    for part in ["stopped after", "response time", "generator"] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

/// Whoever has frozen the view reads it, and is not thrown out when the plan is done or the time
/// that was asked for is over.
#[test]
fn a_frozen_screen_stays_when_the_run_ends_and_q_gives_its_report() {
    let url = server();
    let done = ["load", &url, "-r", "50", "-z", "1s"];
    let over = ["demo", "--set", LONG, "--duration", "2s"];
    for args in [&done[..], &over[..]] {
        let mut screen = Screen::open(args);
        screen.until_shown();
        screen.press(" ");
        until("that it has ended", || screen.seen().contains("the run has ended"));
        assert!(screen.run.child.try_wait().unwrap().is_none(), "it stays");
        let offered = screen.run.model().traffic.total.offered;
        screen.press("q");
        assert_eq!(screen.run.end().code(), Some(0), "{args:?}");
        screen.assert_given_back();
        screen.run.assert_recorded("completed");
        assert!(screen.run.model().traffic.total.offered <= offered + 25, "nothing more is sent");
        let seen = screen.seen();
        let report = &seen[seen.rfind("\u{1b}[?1049l").unwrap_or(0)..];
        assert!(report.contains("completed after"), "{report}");
    }
}

/// A server that answers everything.
fn server() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while matches!(stream.read(&mut bytes), Ok(n) if 0 < n) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            });
        }
    });
    url
}

#[test]
fn ctrl_c_stops() {
    ends(130, "stopped", LONG, |screen| screen.press("\u{3}"));
}

#[test]
fn sigterm_stops() {
    ends(130, "stopped", LONG, |screen| screen.run.signal(Signal::TERM));
}

#[test]
fn a_plan_that_is_done_ends_without_a_screen_and_a_replay_gives_its_summary() {
    let mut run = Run::headless(SHORT);
    assert_eq!(run.end().code(), Some(0), "{}", run.stderr());
    run.assert_recorded("completed");
    let folder = run.folder();
    let replay = ["replay", folder.to_str().unwrap(), "--json"];
    let replayed = program(&replay, &run.home).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(replayed.status.code(), Some(0));
    let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(replayed, run.summary(), "replaying is living");
}

#[test]
fn without_its_terminal_a_run_goes_on_to_its_end() {
    let mut screen = Screen::demo(SHORT);
    screen.until_shown();
    screen.run.folder();
    // The terminal goes away, and with it our own hold of it.
    drop((screen.master.take(), screen.slave.take()));
    screen.seen = Arc::default();
    assert_eq!(screen.run.end().code(), Some(0));
    screen.run.assert_recorded("completed");
    assert!(
        screen.run.model().run.marks.iter().any(|mark| format!("{mark:?}").contains("silence"))
    );
}

#[test]
fn ctrl_z_pauses_the_load_and_says_so_in_the_record() {
    let mut screen = Screen::demo(LONG);
    screen.until_shown();
    screen.run.until_loaded();
    screen.press("\u{1a}");
    until("the program to be stopped", || {
        let options = WaitOptions::UNTRACED | WaitOptions::NOHANG;
        let status = rustix::process::waitpid(Some(screen.run.pid()), options).unwrap();
        status.is_some_and(|(_, status)| status.stopped())
    });
    screen.assert_given_back();
    let n_before = screen.run.model().traffic.total.offered;
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(screen.run.model().traffic.total.offered, n_before);
    screen.run.signal(Signal::CONT);
    let sent = || screen.run.model().traffic.total.offered;
    until("load again", || n_before + 30 < sent());
    screen.run.signal(Signal::TERM);
    assert_eq!(screen.run.end().code(), Some(130));
    screen.assert_given_back();
    screen.run.assert_recorded("stopped");
    let controls: Vec<String> = screen
        .run
        .events()
        .into_iter()
        .filter_map(|stamped| match stamped.event {
            Event::Control(control) => Some(control.what),
            _ => None,
        })
        .collect();
    assert!(controls.iter().any(|what| what.contains("pause")), "{controls:?}");
    // It is no burst afterwards: what was not due while it stood still is not made up for.
    let per_second = screen.run.model().traffic.offered;
    let last = per_second.last().unwrap().1;
    assert!(last < 120.0, "{last} a second after the pause");
}

#[test]
fn an_error_at_the_start_leaves_the_terminal_alone() {
    let mut screen = Screen::open(&["watch", "hello", "--kubeconfig", "is-not-there.yaml"]);
    assert_eq!(screen.run.end().code(), Some(3));
    screen.assert_given_back();
    until("the reason", || screen.seen().contains("is-not-there.yaml"));
}

// What is made in a cluster, and what is not there.

/// An embedded cluster of our own, with a scenario that makes a service in it.
struct Embedded {
    sim: Running,
    files: TempDir,
}

impl Embedded {
    fn new() -> Self {
        let sim = listen(SimSpec::default(), Ports::default()).unwrap();
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("kubeconfig"), sim.kubeconfig()).unwrap();
        let scenario = "\
target: {service: made, create: {image: any}}
load: {stages: [{for: 10m, at: 5/s}]}
";
        fs::write(files.path().join("make.yaml"), scenario).unwrap();
        Self { sim, files }
    }

    fn path(&self, file: &str) -> String {
        self.files.path().join(file).to_str().unwrap().to_owned()
    }

    /// A run that makes the service, with more on its command line.
    fn make(&self, more: &[&str]) -> Run {
        let scenario = self.path("make.yaml");
        self.start(&[&["run", &scenario, "--yes"], more].concat())
    }

    fn start(&self, args: &[&str]) -> Run {
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = self.path("kubeconfig");
        let all = [args, &["--headless", "--kubeconfig", &kubeconfig]].concat();
        let _starting = starting();
        let child = program(&all, &home).spawn().unwrap();
        Run { child, home }
    }

    /// The status line that its API server answers for a service.
    fn answer(&self, service: &str) -> String {
        let address = self.sim.api_url.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let path = format!("/apis/serving.knative.dev/v1/namespaces/default/services/{service}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

const SERVICES: &str = "services.serving.knative.dev";

/// What stayed behind is told with the command that takes it away, and recorded.
fn assert_left_behind(mut run: Run) {
    assert_eq!(run.end().code(), Some(5), "{}", run.stderr());
    let said = run.stderr();
    let remedy = format!("kubectl -n default delete {SERVICES} made");
    assert!(said.contains("could not be deleted") && said.contains(&remedy), "{said}");
    let told = run.events().into_iter().any(|stamped| {
        matches!(stamped.event, Event::Action(action)
            if action.what.starts_with("delete") && action.error.is_some())
    });
    assert!(told, "the record says so too");
    let actions = fs::read_to_string(run.folder().join("actions.jsonl")).unwrap();
    assert!(actions.contains("\"delete\""), "what undoes it is noted: {actions}");
}

#[test]
fn what_was_made_is_deleted_where_the_preparation_then_fails() {
    let cluster = Embedded::new();
    // The last step of the preparation fails: no such address can be used.
    let mut run = cluster.make(&["--gateway", "ftp://127.0.0.1:1"]);
    assert_eq!(run.end().code(), Some(3), "{}", run.stderr());
    assert!(run.stderr().contains("ftp://127.0.0.1:1"));
    assert!(cluster.answer("made").contains("404"), "nothing stays behind");
    assert!(cluster.answer("hello").contains("200"), "what is not ours stays");
}

#[test]
fn a_delete_that_fails_after_a_failed_preparation_is_told_and_ends_with_5() {
    let cluster = Embedded::new();
    cluster.sim.faults().forbid(&format!("delete {SERVICES}"));
    assert_left_behind(cluster.make(&["--gateway", "ftp://127.0.0.1:1"]));
    assert!(cluster.answer("made").contains("200"));
}

#[test]
fn a_delete_that_fails_after_the_person_gave_up_is_told_and_ends_with_5() {
    let cluster = Embedded::new();
    cluster.sim.faults().forbid(&format!("delete {SERVICES}"));
    // It is made, and never seen to be ready.
    cluster.sim.faults().forbid(&format!("get {SERVICES}"));
    let run = cluster.make(&[]);
    until("the service to be made", || {
        let made = |stamped: Stamped| matches!(stamped.event, Event::Action(_));
        run.events().into_iter().any(made)
    });
    run.signal(Signal::TERM);
    assert_left_behind(run);
}

#[test]
fn a_service_that_is_not_there_is_said_with_the_one_that_was_meant() {
    let cluster = Embedded::new();
    let mut run = cluster.start(&["watch", "helo"]);
    assert_eq!(run.end().code(), Some(3));
    let said = run.stderr();
    let expected = "there is no Knative Service default/helo; did you mean hello? --wait waits";
    assert!(said.contains(expected), "{said}");
    // Nothing began, so nothing stands where `replay last` looks.
    assert_eq!(fs::read_dir(run.home.path().join("rampscope/runs")).unwrap().count(), 0, "{said}");

    let kubeconfig = cluster.path("kubeconfig");
    let mut screen = Screen::open(&["watch", "helo", "--kubeconfig", &kubeconfig]);
    assert_eq!(screen.run.end().code(), Some(3));
    screen.assert_given_back();
    until("the reason", || screen.seen().contains("did you mean hello?"));

    let mut run = cluster.start(&["watch", "helo", "--wait", "--duration", "2s"]);
    assert_eq!(run.end().code(), Some(0), "{}", run.stderr());
}

#[test]
fn after_kill_nine_the_record_opens_and_says_what_is_lost() {
    let mut run = Run::headless(LONG);
    run.until_loaded();
    let journal = run.folder().join("journal");
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let killed = fs::metadata(&journal).unwrap().modified().unwrap();
    let playback = Playback::open(&journal).unwrap();
    let began = playback.began().unwrap().anchor;
    let end = began.wall(playback.end().unwrap()).0;
    let killed = killed.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    // Its last event is not older than a second when the file was last touched.
    let lost = i64::try_from(killed).unwrap() - end;
    assert!(lost < 1_000_000, "{lost} µs are lost");
    assert!(matches!(playback.loss().damage, None | Some(Damage::CutOff)));

    // The end is torn off, as a machine would that loses its power.
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 3]).unwrap();
    let folder = run.folder();
    let replay = ["replay", folder.to_str().unwrap(), "--json"];
    let told = program(&replay, &run.home).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(told.status.code(), Some(0));
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(stderr.contains("cut off") && stderr.contains("bytes are lost"), "{stderr}");
}

#[test]
fn a_full_disk_is_said_at_once_and_the_run_goes_on() {
    let home = tempfile::tempdir().unwrap();
    // Blocks of 512 or of 1024 bytes, as the shell has it.
    let script = format!("ulimit -f 40; exec {RAMPSCOPE} demo --headless --set \"$STAGES\"");
    let held = starting();
    let child = Command::new("sh")
        .args(["-c", &script])
        .env("STAGES", SHORT)
        .env("XDG_STATE_HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(held);
    let mut run = Run { child, home };
    assert_eq!(run.end().code(), Some(0));
    let said = run.stderr();
    assert!(said.contains("the run goes on unrecorded"), "{said}");
    let (at, end) = (said.find("the run goes on unrecorded").unwrap(), said.rfind("silence"));
    assert!(Some(at) < end, "at once, not at the end: {said}");
    let playback = Playback::open(&run.folder().join("journal")).unwrap();
    assert!(playback.loss().is_none() && 10 < playback.n_events(), "it ends with a whole event");
}

#[test]
fn a_stalled_terminal_costs_frames_and_nothing_else() {
    let mut screen = Screen::demo(
        "load.stages=[{name: even, for: 4s, at: 100/s}, {name: silence, for: 1s, at: 0/s}]",
    );
    screen.until_shown();
    screen.is_stalled.store(true, Ordering::SeqCst);
    screen.run.until_loaded();
    let silence = || screen.run.model().run.stage.is_some_and(|stage| stage.name == "silence");
    until("the plan to go on behind a stalled terminal", silence);
    screen.is_stalled.store(false, Ordering::SeqCst);
    screen.run.signal(Signal::TERM);
    assert!(matches!(screen.run.end().code(), Some(0 | 130)));
    screen.assert_given_back();
    let model = screen.run.model();
    assert_eq!(model.run.n_lost, 0, "no event is lost");
    let offered = model.traffic.total.offered;
    assert_eq!(offered, model.traffic.total.completed() + model.traffic.total.dropped);
    assert_eq!(screen.run.summary()["traffic"]["offered"], offered);
    assert!((300..=500).contains(&offered), "Poisson arrivals of 400: {offered}");
    assert!(Path::new(&screen.run.folder().join("plan.json")).exists());
}
