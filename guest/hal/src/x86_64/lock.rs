//! Sharing between cpus. Ring 0 is never interrupted while it holds a lock: interrupts are off.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value used by one cpu at a time.
#[derive(Debug)]
pub struct Lock<T> {
    is_held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` lends the value to one cpu at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { is_held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Uses the value. Must not be called again for the same lock by `work`.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        while self.is_held.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: the flag was false and is now ours until it is stored below, so this is the only reference.
        let result = work(unsafe { &mut *self.value.get() });
        self.is_held.store(false, Ordering::Release);
        result
    }
}

/// A value set once at start and then only read.
#[derive(Debug)]
pub struct Once<T> {
    is_set: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written before `is_set` and never after.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// Not set yet.
    pub const fn empty() -> Self {
        Self { is_set: AtomicBool::new(false), value: UnsafeCell::new(None) }
    }

    /// Sets the value.
    ///
    /// # Safety
    /// - It was not set before.
    /// - No other cpu sets it at the same time.
    pub unsafe fn set(&self, value: T) {
        // SAFETY: nobody reads before `is_set`, and by the caller's duty nobody else writes.
        unsafe { *self.value.get() = Some(value) };
        self.is_set.store(true, Ordering::Release);
    }

    /// The value, if set.
    pub fn value(&self) -> Option<&T> {
        if !self.is_set.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: set, so never written again.
        unsafe { (*self.value.get()).as_ref() }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_lock_lets_one_in_at_a_time() {
        static COUNT: Lock<u32> = Lock::new(0);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| (0..1000).for_each(|_| COUNT.with(|count| *count += 1)));
            }
        });
        assert_eq!(COUNT.with(|count| *count), 4000);
    }

    #[test]
    fn a_value_is_seen_after_it_is_set() {
        static VALUE: Once<u32> = Once::empty();
        assert_eq!(VALUE.value(), None);
        // SAFETY: set here only, once.
        unsafe { VALUE.set(7) };
        assert_eq!(VALUE.value(), Some(&7));
    }
}
