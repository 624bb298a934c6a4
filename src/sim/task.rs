//! The one place of the simulator that starts tasks.
//!
//! All of `sim` lives on one thread and shares its state through `Rc`, so its tasks belong to the
//! thread's `LocalSet` and not to the runtime.

use std::future::Future;

use tokio_util::task::AbortOnDropHandle;

/// Starts a future on this thread's `LocalSet`; it is aborted when the handle is dropped.
pub fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::task::spawn_local(task))
}

/// The same, for a task that ends by itself when the other side of its connection goes.
pub fn detach(task: impl Future<Output = ()> + 'static) {
    drop(tokio::task::spawn_local(task));
}

/// Runs the tasks of hyper on this thread.
#[derive(Debug, Clone, Copy)]
pub struct Local;

// === impl Local ===

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        detach(future);
    }
}
