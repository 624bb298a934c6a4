//! Which span of time the lanes show.
//!
//! The window stands still and fills from left to right; when it is full it jumps by a quarter.
//! That is cheap over a slow line and calm to look at. It is computed from now and the cursor
//! alone, so two drawings of one moment are the same.

use std::time::Duration;

use crate::series::Cells;
use crate::units::At;

/// Spans that the lanes can show, the shortest first.
pub const SPANS: [Duration; 6] = [
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];

/// The span of time that the lanes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub from: At,
    /// Its end, which may lie in the future.
    pub to: At,
}

impl Window {
    /// The window of length `span` that shows `now`, or the cursor where that is elsewhere.
    pub fn around(now: At, cursor: Option<At>, span: Duration) -> Self {
        let quarter = u64::try_from(span.as_micros() / 4).unwrap_or(u64::MAX).max(1);
        // The first multiple of a quarter from which the window reaches beyond now.
        let n_past = (now.as_micros() / quarter).saturating_sub(3);
        let live = At::from_micros(n_past * quarter);
        let from = match cursor {
            Some(cursor) if cursor < live => {
                let n_before = (cursor.as_micros() / quarter).saturating_sub(1);
                At::from_micros(n_before * quarter)
            }
            _ => live,
        };
        Self { from, to: from + span }
    }

    /// The window in `n` cells.
    pub const fn cells(self, n: usize) -> Cells {
        Cells { from: self.from, to: self.to, n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_stands_still_and_jumps_by_a_quarter() {
        let minute = Duration::from_secs(60);
        for (now, from) in [(0, 0), (59, 0), (60, 15), (74, 15), (75, 30), (600, 555)] {
            let window = Window::around(At::from_secs(now), None, minute);
            assert_eq!(window.from, At::from_secs(from), "at {now} s");
            assert!(At::from_secs(now) < window.to);
        }
    }

    #[test]
    fn the_window_follows_a_cursor_into_the_past_only() {
        let minute = Duration::from_secs(60);
        let now = At::from_secs(600);
        for (cursor, from) in [(599, 555), (555, 555), (554, 525), (3, 0)] {
            let window = Window::around(now, Some(At::from_secs(cursor)), minute);
            assert_eq!(window.from, At::from_secs(from), "cursor at {cursor} s");
        }
    }
}
