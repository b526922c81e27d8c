//! Activation memory on cache-line boundaries.
#![expect(unsafe_code, reason = "views lines of sixteen floats as one slice")]

use alloc::boxed::Box;
use alloc::vec;
use core::ops::{Deref, DerefMut};

/// Sixteen floats: one cache line and one 512-bit register.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A zeroed, 64-byte aligned `[f32]` of fixed length, for activations: kernels run fastest on it.
#[derive(Clone, Debug)]
pub struct Buffer {
    lines: Box<[Line]>,
    len: usize,
}

impl Buffer {
    /// Allocates `len` zeros.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); len.div_ceil(16)].into_boxed_slice(), len }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are one allocation of at least `len` floats without padding (`repr(C)`, size 64),
        // and the borrow of `self` covers the slice.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast::<f32>(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the unique borrow of `self` covers the slice.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<f32>(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;

    #[test]
    fn a_buffer_is_zeroed_and_aligned() {
        let mut buffer = Buffer::new(33);
        assert_eq!(buffer.len(), 33);
        assert_eq!(buffer.as_ptr().addr() % 64, 0);
        buffer[32] = 1.0;
        assert_eq!(buffer.iter().sum::<f32>(), 1.0);
        assert!(Buffer::new(0).is_empty());
    }
}
