//! The user-range check: the decision that keeps ring 3's pointers out of ring 0's memory.

use vial_abi::call::CallError;

/// A run of ring 3's virtual memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First address.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Ring 3 may write here.
    pub is_writable: bool,
}

impl Span {
    /// Memory ring 3 may read and write.
    #[must_use]
    pub const fn data(start: u64, len: u64) -> Self {
        Self { start, len, is_writable: true }
    }

    /// Memory ring 3 may only read.
    #[must_use]
    pub const fn constant(start: u64, len: u64) -> Self {
        Self { start, len, is_writable: false }
    }

    const fn contains(&self, address: u64, len: u64) -> bool {
        let offset = address.wrapping_sub(self.start);
        address >= self.start && offset <= self.len && len <= self.len.wrapping_sub(offset)
    }
}

/// Memory ring 3 may read. Holding one proves that it lay inside one of the caller's spans; it does not prove
/// that the bytes stay the same: ring 3's other cpus may write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserInput {
    address: u64,
    len: u64,
}

/// Memory ring 3 may write; proves the same as [`UserInput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserOutput {
    address: u64,
    len: u64,
}

/// The memory of a caller, as a list of spans.
#[derive(Clone, Copy, Debug)]
pub struct UserSpans<'a>(pub &'a [Span]);

impl UserSpans<'_> {
    /// Checks a buffer ring 0 is to read.
    ///
    /// # Errors
    /// [`CallError::BadRange`] if it does not lie inside one span.
    pub fn input(&self, address: u64, len: u64) -> Result<UserInput, CallError> {
        let is_inside = self.0.iter().any(|span| span.contains(address, len));
        is_inside.then_some(UserInput { address, len }).ok_or(CallError::BadRange)
    }

    /// Checks a buffer ring 0 is to write.
    ///
    /// # Errors
    /// [`CallError::BadRange`] if it does not lie inside one writable span.
    pub fn output(&self, address: u64, len: u64) -> Result<UserOutput, CallError> {
        let is_inside = self.0.iter().any(|span| span.is_writable && span.contains(address, len));
        is_inside.then_some(UserOutput { address, len }).ok_or(CallError::BadRange)
    }
}

impl UserInput {
    /// First address.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Holds no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl UserOutput {
    /// First address.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Holds no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPANS: UserSpans<'_> = UserSpans(&[
        Span::constant(0x1000, 0x1000),
        Span::data(0x8000, 0x2000),
        Span::data(u64::MAX - 15, 15),
    ]);

    #[test]
    fn buffers_inside_one_span_are_accepted() {
        assert_eq!(SPANS.input(0x1000, 0x1000).unwrap().len(), 0x1000);
        assert_eq!(SPANS.input(0x1FFF, 1).unwrap().address(), 0x1FFF);
        assert_eq!(SPANS.output(0x9FFF, 1).unwrap().len(), 1);
        assert_eq!(SPANS.output(u64::MAX - 15, 15).unwrap().len(), 15);
    }

    #[test]
    fn buffers_that_leave_a_span_are_refused() {
        for (address, len) in [(0xFFF, 1), (0x1FFF, 2), (0x2000, 1), (0x7FFF, 2), (0, u64::MAX)] {
            assert_eq!(SPANS.input(address, len), Err(CallError::BadRange), "{address:#x} {len}");
        }
    }

    #[test]
    fn a_length_that_wraps_is_refused() {
        assert_eq!(SPANS.input(0x8000, u64::MAX), Err(CallError::BadRange));
        assert_eq!(SPANS.output(u64::MAX - 15, 16), Err(CallError::BadRange));
        assert_eq!(SPANS.output(u64::MAX, u64::MAX), Err(CallError::BadRange));
    }

    #[test]
    fn constants_are_not_written() {
        assert_eq!(SPANS.output(0x1000, 1), Err(CallError::BadRange));
    }
}
