//! What can go wrong in the cluster itself: pods that may not be made, find no node or get no
//! image, and scrapes that fail. What goes wrong with its API server is in [`super::fault`].

use std::cell::Cell;

/// What is wrong at the moment; nothing by default.
#[derive(Debug, Default)]
pub struct Troubles {
    quota: Cell<Option<u32>>,
    is_full: Cell<bool>,
    lacks_image: Cell<bool>,
    missed_scrapes: Cell<f64>,
}

// === impl Troubles ===

impl Troubles {
    /// A `ResourceQuota` allows each namespace so many pods; `None`: there is none.
    pub fn set_quota(&self, pods: Option<u32>) {
        self.quota.set(pods);
    }

    /// No node has room for another pod, or has it again.
    pub fn fill_nodes(&self, are_full: bool) {
        self.is_full.set(are_full);
    }

    /// The image of services cannot be pulled, or can be again. Who runs goes on.
    pub fn lose_image(&self, is_lost: bool) {
        self.lacks_image.set(is_lost);
    }

    /// The share of the autoscaler's scrapes that fail, from 0 to 1.
    pub fn miss_scrapes(&self, share: f64) {
        self.missed_scrapes.set(share);
    }

    pub(crate) fn quota(&self) -> Option<u32> {
        self.quota.get()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    pub(crate) fn lacks_image(&self) -> bool {
        self.lacks_image.get()
    }

    pub(crate) fn missed_scrapes(&self) -> f64 {
        self.missed_scrapes.get()
    }
}
