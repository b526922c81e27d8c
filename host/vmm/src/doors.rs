//! Cpus that wait to be started: those of guests whose host sees no registers do not run before.

use std::sync::{Condvar, Mutex, PoisonError};

/// Which cpus were started.
#[derive(Debug)]
pub(crate) struct Doors {
    open: Mutex<Vec<bool>>,
    changed: Condvar,
}

impl Doors {
    pub(crate) fn new(cpus: u32) -> Self {
        Self { open: Mutex::new((0..cpus).map(|cpu| cpu == 0).collect()), changed: Condvar::new() }
    }

    /// Starts a cpu; `None` where there is none of that number.
    pub(crate) fn open(&self, cpu: u32) -> Option<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open.get_mut(usize::try_from(cpu).ok()?)? = true;
        drop(open);
        self.changed.notify_all();
        Some(())
    }

    /// Starts all of them.
    pub(crate) fn open_all(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).fill(true);
        self.changed.notify_all();
    }

    /// Waits until a cpu was started.
    pub(crate) fn wait(&self, cpu: u32) {
        let index = usize::try_from(cpu).unwrap_or(usize::MAX);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_closed = |open: &mut Vec<bool>| open.get(index) == Some(&false);
        drop(self.changed.wait_while(open, is_closed));
    }
}
