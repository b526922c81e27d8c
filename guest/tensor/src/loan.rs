//! Memory that one user at a time has.
#![expect(unsafe_code, reason = "makes a reference that a flag keeps unique")]

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that is lent to one user at a time.
pub(crate) struct Loan<T> {
    is_lent: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through the one `Lent` at a time, which may be on any thread, and which threads may share.
unsafe impl<T: Send + Sync> Sync for Loan<T> {}

impl<T> Loan<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { is_lent: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Lends the value; `None` if it is lent already.
    pub(crate) fn lend(&self) -> Option<Lent<'_, T>> {
        (!self.is_lent.swap(true, Ordering::Acquire)).then_some(Lent(self))
    }
}

/// A lent value, given back when dropped.
///
/// Holding one proves that nobody else has the value.
pub(crate) struct Lent<'l, T>(&'l Loan<T>);

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this is the only `Lent`, and it is borrowed for as long as the reference lives.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the only `Lent`, and it is borrowed uniquely for as long as the reference lives.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.0.is_lent.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::Loan;

    #[test]
    fn what_is_lent_is_lent_once_until_given_back() {
        let loan = Loan::new(1);
        let mut lent = loan.lend().unwrap();
        *lent += 1;
        assert!(loan.lend().is_none());
        drop(lent);
        assert_eq!(loan.lend().as_deref(), Some(&2));
    }
}
