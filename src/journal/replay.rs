//! A journal as a source: at any speed, with pauses, to any moment.
//!
//! It does not go through the bus, which would stamp anew: it hands out what was recorded, stamps
//! and all. Going back means to begin anew and hurry, since a model only folds forwards.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::path::Path;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::FormatError;
use super::Loss;
use super::Reader;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::Stamped;
use crate::event::command::REPLAY_SPEED;
use crate::event::command::ReplayCommand;
use crate::event::run::Began;
use crate::units::At;

/// A record being read, without a clock.
#[derive(Debug)]
pub struct Playback<R> {
    reader: Reader<R>,
    /// Read, but not handed out yet.
    pending: Option<Stamped>,
    position: At,
    survey: Survey,
}

/// What a look through the whole record gave.
#[derive(Debug, Clone, PartialEq)]
struct Survey {
    began: Option<Box<Began>>,
    n_events: u64,
    loss: Loss,
}

/// What a replay says.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The replay begins anew: what was made of the events so far is to be forgotten.
    Anew,
    /// An event, with the stamp that it was recorded with.
    Event(Box<Stamped>),
    /// It was paused or resumed, its speed was changed, it was moved, it has come to where it was
    /// moved, or it reached its end.
    Now {
        /// The moment of the run that is shown.
        at: At,
        /// Run time a second of real time.
        speed: f64,
        /// Whether it stands still.
        is_paused: bool,
        /// Whether events of before this moment are still to come, at once.
        is_hurrying: bool,
        /// Whether every event has been handed out.
        is_over: bool,
    },
}

/// Hands out a record at the pace of its stamps.
#[derive(Debug)]
pub struct Replayer<R> {
    playback: Playback<R>,
    clock: Clock,
    /// A moment of our clock, and the moment of the run that was shown then.
    origin: (At, At),
    speed: f64,
    is_paused: bool,
    is_hurrying: bool,
}

// === impl Playback ===

impl Playback<File> {
    /// Opens a journal and looks through it once.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        Self::new(File::open(path)?)
    }
}

impl<R: Read + Seek> Playback<R> {
    /// Looks through a journal once, for its length and its damage.
    pub fn new(input: R) -> Result<Self, FormatError> {
        let mut reader = Reader::open(input)?;
        let mut survey = Survey { began: None, n_events: 0, loss: Loss::default() };
        for stamped in reader.by_ref() {
            survey.n_events += 1;
            if let (None, Event::Began(began)) = (&survey.began, stamped.event) {
                survey.began = Some(began);
            }
        }
        survey.loss = reader.loss();
        reader.rewind()?;
        Ok(Self { reader, pending: None, position: At::ZERO, survey })
    }

    /// The next event that happened at or before `until`; `None` if there is none yet.
    pub fn next(&mut self, until: At) -> Option<Stamped> {
        if self.peek()? <= until {
            let stamped = self.pending.take()?;
            self.position = stamped.at;
            return Some(stamped);
        }
        None
    }

    /// When the next event happened; `None` at the end.
    pub fn peek(&mut self) -> Option<At> {
        if self.pending.is_none() {
            self.pending = self.reader.next();
        }
        self.pending.as_ref().map(|stamped| stamped.at)
    }

    /// Begins anew with the first event.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.reader.rewind()?;
        self.pending = None;
        self.position = At::ZERO;
        Ok(())
    }

    /// When the event that was handed out last happened.
    pub const fn position(&self) -> At {
        self.position
    }

    /// When the last event happened; `None` if there is none.
    pub fn end(&self) -> Option<At> {
        self.survey.loss.last.map(|(_, at)| at)
    }

    /// How the run began; `None` if the record does not say.
    pub fn began(&self) -> Option<&Began> {
        self.survey.began.as_deref()
    }

    /// How many events there are.
    pub const fn n_events(&self) -> u64 {
        self.survey.n_events
    }

    /// What could not be read.
    pub const fn loss(&self) -> Loss {
        self.survey.loss
    }
}

// === impl Replayer ===

impl<R: Read + Seek> Replayer<R> {
    /// A replay from the beginning, at `speed` (run time a second of real time).
    pub fn new(playback: Playback<R>, speed: f64) -> Self {
        let clock = Clock::start();
        Self {
            playback,
            clock,
            origin: (At::ZERO, At::ZERO),
            speed: bounded(speed),
            is_paused: false,
            is_hurrying: false,
        }
    }

    /// Hands out events when they are due, until it is stopped, nobody takes them, or nothing can
    /// come any more: at the end, when nobody can send commands.
    pub async fn run(
        mut self,
        out: mpsc::Sender<Step>,
        commands: mpsc::Receiver<ReplayCommand>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        self.origin.0 = self.clock.at();
        tokio::select! { biased;
            () = stop.cancelled() => Ok(()),
            played = self.play(&out, commands) => match played {
                Err(Interrupted::Io(error)) => Err(error),
                Ok(()) | Err(Interrupted::NobodyTakes) => Ok(()),
            },
        }
    }

    async fn play(
        &mut self,
        out: &mpsc::Sender<Step>,
        mut commands: mpsc::Receiver<ReplayCommand>,
    ) -> Result<(), Interrupted> {
        let mut can_be_told = true;
        let mut is_end_told = false;
        send(out, self.now()).await?;
        loop {
            let due = self.due();
            let is_over = self.playback.peek().is_none();
            let has_arrived = self.is_hurrying && !self.is_behind();
            if has_arrived || is_over && !is_end_told {
                self.is_hurrying = false;
                is_end_told = is_over;
                send(out, self.now()).await?;
            }
            if due.is_none() && !can_be_told {
                return Ok(());
            }
            let instant = self.clock.instant(due.unwrap_or_default());
            // Commands first: a flood of events must not make it deaf.
            tokio::select! { biased;
                command = commands.recv(), if can_be_told => match command {
                    None => can_be_told = false,
                    Some(command) => {
                        self.obey(command, out).await?;
                        is_end_told = false;
                    }
                },
                () = tokio::time::sleep_until(instant), if due.is_some() => {
                    if let Some(stamped) = self.playback.next(At::from_micros(u64::MAX)) {
                        send(out, Step::Event(Box::new(stamped))).await?;
                    }
                }
            }
        }
    }

    /// Whether the next event is one of before the moment that is shown.
    fn is_behind(&mut self) -> bool {
        let (_, shown) = self.origin;
        self.playback.peek().is_some_and(|next| next <= shown)
    }

    /// When, by our clock, the next event is due; `None` at the end and while it stands still.
    fn due(&mut self) -> Option<At> {
        let next = self.playback.peek()?;
        let (ours, shown) = self.origin;
        if next <= shown {
            return Some(ours);
        }
        (!self.is_paused).then(|| ours + next.since(shown).div_f64(self.speed))
    }

    /// The moment of the run that is shown.
    fn shown(&self) -> At {
        let (ours, shown) = self.origin;
        if self.is_paused {
            return shown;
        }
        let played = self.clock.at().since(ours).mul_f64(self.speed);
        (shown + played).min(self.playback.end().unwrap_or_default())
    }

    fn now(&mut self) -> Step {
        Step::Now {
            at: self.shown(),
            speed: self.speed,
            is_paused: self.is_paused,
            is_hurrying: self.is_hurrying,
            is_over: self.playback.peek().is_none(),
        }
    }

    async fn obey(
        &mut self,
        command: ReplayCommand,
        out: &mpsc::Sender<Step>,
    ) -> Result<(), Interrupted> {
        let mut shown = self.shown();
        match command {
            ReplayCommand::PauseOrResume => self.is_paused = !self.is_paused,
            ReplayCommand::Speed(speed) => self.speed = bounded(speed),
            ReplayCommand::Seek(at) => {
                shown = at.min(self.playback.end().unwrap_or_default());
                if shown < self.playback.position() {
                    self.playback.rewind()?;
                    send(out, Step::Anew).await?;
                }
            }
        }
        self.origin = (self.clock.at(), shown);
        self.is_hurrying = self.is_behind();
        let now = self.now();
        send(out, now).await
    }
}

/// Why a replay ends before its end.
enum Interrupted {
    Io(io::Error),
    NobodyTakes,
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

async fn send(out: &mpsc::Sender<Step>, step: Step) -> Result<(), Interrupted> {
    out.send(step).await.map_err(|_| Interrupted::NobodyTakes)
}

fn bounded(speed: f64) -> f64 {
    let (slowest, fastest) = REPLAY_SPEED;
    if speed.is_nan() { 1.0 } else { speed.clamp(slowest, fastest) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::time::Duration;

    use super::*;
    use crate::journal::frame;
    use crate::journal::header;

    /// An event each second from 0 to 9.
    fn playback() -> Playback<Cursor<Vec<u8>>> {
        let mut bytes = header().to_vec();
        for seq in 0..10 {
            let at = At::from_secs(seq);
            bytes.extend(frame(&Stamped { seq, at, event: Event::Lost { n: seq } }).unwrap());
        }
        Playback::new(Cursor::new(bytes)).unwrap()
    }

    struct Running {
        steps: mpsc::Receiver<Step>,
        commands: mpsc::Sender<ReplayCommand>,
        _task: tokio_util::task::AbortOnDropHandle<io::Result<()>>,
    }

    fn run(speed: f64) -> Running {
        let (out, steps) = mpsc::channel(100);
        let (commands, orders) = mpsc::channel(4);
        let replayer = Replayer::new(playback(), speed);
        let task = crate::tasks::spawn(replayer.run(out, orders, CancellationToken::new()));
        Running { steps, commands, _task: task }
    }

    impl Running {
        /// What has been said by now: `seq` of events, `a` anew, `p` paused, `r` runs, `h`
        /// hurries, `e` end.
        async fn heard(&mut self, after: Duration) -> String {
            tokio::time::sleep(after).await;
            let mut heard = String::new();
            while let Ok(step) = self.steps.try_recv() {
                heard.push_str(&match step {
                    Step::Anew => "a".to_owned(),
                    Step::Event(stamped) => stamped.seq.to_string(),
                    Step::Now { is_hurrying: true, .. } => "h".to_owned(),
                    Step::Now { is_over: true, .. } => "e".to_owned(),
                    Step::Now { is_paused: true, .. } => "p".to_owned(),
                    Step::Now { .. } => "r".to_owned(),
                });
            }
            heard
        }
    }

    #[test]
    fn the_core_needs_no_clock() {
        let mut playback = playback();
        assert_eq!((playback.n_events(), playback.end()), (10, Some(At::from_secs(9))));
        assert_eq!(playback.next(At::ZERO).map(|stamped| stamped.seq), Some(0));
        assert!(playback.next(At::from_millis(999)).is_none());
        assert_eq!(playback.next(At::from_secs(5)).map(|stamped| stamped.seq), Some(1));
        assert_eq!(
            (playback.position(), playback.peek()),
            (At::from_secs(1), Some(At::from_secs(2)))
        );
        playback.rewind().unwrap();
        assert_eq!(std::iter::from_fn(|| playback.next(At::from_secs(99))).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn plays_at_its_speed_to_the_end() {
        let mut running = run(2.0);
        assert_eq!(running.heard(Duration::from_millis(1100)).await, "r012");
        running.commands.send(ReplayCommand::Speed(1.0)).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(2)).await, "r34");
        running.commands.send(ReplayCommand::Speed(f64::INFINITY)).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(1)).await, "r56789e");
    }

    #[tokio::test(start_paused = true)]
    async fn stands_still_and_goes_on() {
        let mut running = run(1.0);
        assert_eq!(running.heard(Duration::from_millis(1500)).await, "r01");
        running.commands.send(ReplayCommand::PauseOrResume).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(60)).await, "p");
        running.commands.send(ReplayCommand::PauseOrResume).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(1)).await, "r2");
    }

    #[tokio::test(start_paused = true)]
    async fn going_back_begins_anew_and_hurries() {
        let mut running = run(1.0);
        assert_eq!(running.heard(Duration::from_millis(4500)).await, "r01234");
        running.commands.send(ReplayCommand::PauseOrResume).await.unwrap();
        running.commands.send(ReplayCommand::Seek(At::from_millis(2500))).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(9)).await, "pah012p");
        running.commands.send(ReplayCommand::Seek(At::from_secs(7))).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(9)).await, "h34567p");
        running.commands.send(ReplayCommand::Seek(At::from_secs(700))).await.unwrap();
        assert_eq!(running.heard(Duration::from_secs(9)).await, "h89e");
    }

    #[tokio::test(start_paused = true)]
    async fn ends_when_nothing_can_come_any_more() {
        let (out, mut steps) = mpsc::channel(100);
        let (_, orders) = mpsc::channel(1);
        let replayer = Replayer::new(playback(), 1.0);
        replayer.run(out, orders, CancellationToken::new()).await.unwrap();
        let mut n_events = 0;
        while let Some(step) = steps.recv().await {
            n_events += usize::from(matches!(step, Step::Event(_)));
        }
        assert_eq!(n_events, 10);
    }
}
