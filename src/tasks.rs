//! Every task has a name, a parent and an end.
//!
//! A task that fails or panics is news, not an exit: its end becomes an event, and shutting down
//! waits for all of them.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::bus::Sender;
use crate::event::Event;
use crate::event::source::Report;
use crate::event::source::State;

/// The parent of tasks.
#[derive(Debug)]
pub struct Supervisor {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    sender: Sender,
}

/// Starts a future on the runtime; the task is aborted when the handle is dropped. For tasks below
/// a supervised one, which owns the handle.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat the cause in their own text.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

// === impl Supervisor ===

impl Supervisor {
    /// A supervisor that reports bad ends to `sender`.
    pub fn new(sender: Sender) -> Self {
        Self { tasks: JoinSet::new(), stop: CancellationToken::new(), sender }
    }

    /// Starts a task and tells it how it will be asked to stop.
    ///
    /// A task that ends with an error, or panics, is reported as a failing source of that name.
    pub fn spawn<F, E>(
        &mut self,
        source: impl Into<String>,
        task: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Error + Send + 'static,
    {
        let source = source.into();
        let sender = self.sender.clone();
        let inner = spawn(task(self.stop.child_token()));
        self.tasks.spawn(async move {
            let error = match inner.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => chain(&error),
                Err(join_error) => last_words(join_error),
            };
            tracing::warn!(source, error, "a task ended");
            let mut report = Report::connecting(source);
            report.state = State::Failing;
            report.reason = crate::units::clean(&error, 300);
            report.errors = 1;
            sender.send(Event::Source(report)).await;
        });
    }

    /// The token that asks every task to stop.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Asks all to stop, waits for `grace`, then aborts those that linger. Returns how many had to
    /// be aborted. The bus must be drained meanwhile, or a task waiting in `send` cannot end.
    pub async fn shut_down(mut self, grace: Duration) -> usize {
        self.stop.cancel();
        let drain = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, drain).await.is_ok() {
            return 0;
        }
        let n_lingering = self.tasks.len();
        self.tasks.shutdown().await;
        n_lingering
    }
}

/// What a panicking task said, without the task's number, which differs from run to run.
fn last_words(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let words = panic
                .downcast_ref::<&str>()
                .map(|words| (*words).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            format!("panicked: {}", words.as_deref().unwrap_or("without a word"))
        }
        Err(_) => "aborted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::bus::bus;
    use crate::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_news() {
        let (sender, mut bus) = bus(4, Clock::start());
        let mut supervisor = Supervisor::new(sender);
        supervisor.spawn("boomer", |_stop| async {
            assert!(std::hint::black_box(false), "boom");
            Ok::<(), io::Error>(())
        });
        let Event::Source(report) = bus.recv().await.unwrap().event else { panic!("no report") };
        assert_eq!((report.source.as_str(), report.reason.as_str()), ("boomer", "panicked: boom"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_polite_end_and_the_rude_are_aborted() {
        let (sender, _bus) = bus(4, Clock::start());
        let mut supervisor = Supervisor::new(sender);
        supervisor.spawn("polite", |stop| async move {
            stop.cancelled().await;
            Ok::<(), io::Error>(())
        });
        supervisor.spawn("rude", |_stop| async {
            std::future::pending::<()>().await;
            Ok::<(), io::Error>(())
        });
        assert_eq!(supervisor.shut_down(Duration::from_secs(1)).await, 1);
    }
}
