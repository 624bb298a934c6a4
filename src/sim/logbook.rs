//! The lines that a container wrote: the newest, for those who read and those who follow.

use std::collections::VecDeque;

use futures::stream::LocalBoxStream;
use futures::stream::StreamExt;
use tokio::sync::watch;

use crate::sim::backstage::LogLine;
use crate::sim::backstage::LogRequest;
use crate::units::UnixMicros;

/// So many lines are kept.
const MOST_LINES: usize = 5000;

/// The lines of one container.
#[derive(Debug)]
pub(crate) struct Logbook {
    lines: VecDeque<LogLine>,
    /// Lines that are no longer kept.
    n_dropped: u64,
    n_written: watch::Sender<u64>,
}

// === impl Logbook ===

impl Default for Logbook {
    fn default() -> Self {
        Self { lines: VecDeque::new(), n_dropped: 0, n_written: watch::Sender::new(0) }
    }
}

impl Logbook {
    /// Appends a line.
    pub(crate) fn write(&mut self, at: UnixMicros, text: String) {
        self.lines.push_back(LogLine { at, text });
        if MOST_LINES < self.lines.len() {
            self.lines.pop_front();
            self.n_dropped += 1;
        }
        self.n_written.send_modify(|n| *n += 1);
    }

    /// The lines from the `n`th ever written on, and the number of the line after them.
    pub(crate) fn since(&self, n: u64) -> (Vec<LogLine>, u64) {
        let skip = usize::try_from(n.saturating_sub(self.n_dropped)).unwrap_or(usize::MAX);
        let lines = self.lines.iter().skip(skip).cloned().collect();
        (lines, self.n_dropped + self.lines.len() as u64)
    }

    /// Tells how many lines were written, each time there is one more. Ends with the book.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.n_written.subscribe()
    }
}

/// What a request for logs gets; `read` gives the lines from the `n`th on as long as the
/// container lives.
pub(crate) fn answer(
    book: &Logbook,
    request: &LogRequest,
    read: impl Fn(u64) -> Option<(Vec<LogLine>, u64)> + 'static,
) -> LocalBoxStream<'static, LogLine> {
    let (mut lines, next) = book.since(0);
    lines.retain(|line| request.since.is_none_or(|since| since <= line.at));
    if let Some(tail) = request.tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let begin = futures::stream::iter(lines);
    if !request.follow {
        return begin.boxed_local();
    }
    let news = book.subscribe();
    let more = futures::stream::unfold((news, next), move |(mut news, next)| {
        // The reader must not keep the book alive, and the future must not borrow it.
        let ready = read(next);
        async move {
            let (lines, next) = ready?;
            if lines.is_empty() {
                news.changed().await.ok()?;
            }
            Some((futures::stream::iter(lines), (news, next)))
        }
    });
    begin.chain(more.flatten()).boxed_local()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn request(follow: bool, tail: Option<usize>) -> LogRequest {
        LogRequest {
            namespace: "knative-serving".to_owned(),
            pod: "autoscaler".to_owned(),
            container: "autoscaler".to_owned(),
            follow,
            tail,
            since: Some(UnixMicros(1)),
        }
    }

    #[tokio::test]
    async fn a_follower_reads_on_until_the_book_is_closed() {
        let book = Rc::new(RefCell::new(Logbook::default()));
        for n in 0..5 {
            book.borrow_mut().write(UnixMicros(n), n.to_string());
        }
        let weak = Rc::downgrade(&book);
        let read = move |n| Some(weak.upgrade()?.borrow().since(n));
        let texts =
            |lines: Vec<LogLine>| lines.into_iter().map(|line| line.text).collect::<String>();

        let all = answer(&book.borrow(), &request(false, None), read.clone());
        assert_eq!(texts(all.collect().await), "1234");
        let mut tail = answer(&book.borrow(), &request(true, Some(1)), read);
        assert_eq!(tail.next().await.unwrap().text, "4");
        assert!(futures::poll!(tail.next()).is_pending());
        book.borrow_mut().write(UnixMicros(9), "9".to_owned());
        assert_eq!(tail.next().await.unwrap().text, "9");
        drop(book);
        assert_eq!(tail.next().await, None);
    }
}
