//! The newest n items; what falls out is handed back, so that nobody loses it unawares.

use std::collections::VecDeque;
use std::collections::vec_deque;

/// A queue that never holds more than its bound. Memory grows with use, not with the bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring<T> {
    items: VecDeque<T>,
    bound: usize,
}

impl<T> Ring<T> {
    /// A ring for at most `bound` items, at least one.
    pub(super) fn new(bound: usize) -> Self {
        Self { items: VecDeque::new(), bound: bound.max(1) }
    }

    /// Adds the newest item; gives the oldest back if there was no room.
    pub(super) fn push(&mut self, item: T) -> Option<T> {
        let oldest = if self.items.len() < self.bound { None } else { self.items.pop_front() };
        self.items.push_back(item);
        oldest
    }

    /// The newest item, to be changed.
    pub(super) fn newest_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// From the oldest to the newest.
    pub(super) fn iter(&self) -> vec_deque::Iter<'_, T> {
        self.items.iter()
    }

    /// From the item at `idx` (the oldest is 0) to the newest.
    pub(super) fn iter_from(&self, idx: usize) -> vec_deque::Iter<'_, T> {
        self.items.range(idx.min(self.items.len())..)
    }

    /// How many of the oldest items satisfy `is_before`; it must hold for none after the first
    /// for which it does not.
    pub(super) fn partition_point(&self, is_before: impl FnMut(&T) -> bool) -> usize {
        self.items.partition_point(is_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_and_hands_the_rest_back() {
        let mut ring = Ring::new(2);
        assert!(ring.is_empty());
        assert_eq!(
            [ring.push(1), ring.push(2), ring.push(3), ring.push(4)],
            [None, None, Some(1), Some(2)]
        );
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [3, 4]);
        assert_eq!((ring.len(), ring.newest_mut()), (2, Some(&mut 4)));
        assert_eq!(ring.partition_point(|item| *item < 4), 1);
        assert_eq!(ring.iter_from(1).count(), 1);
    }
}
