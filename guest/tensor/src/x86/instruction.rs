//! One instruction each: the two shapes of `unsafe` that vector code has.

/// One instruction that touches no memory.
macro_rules! lanes {
    ($call:expr) => {{
        // SAFETY: the token in `self` proves that the instruction is supported; it touches no memory.
        unsafe { $call }
    }};
}

/// One instruction on memory behind a reference.
macro_rules! memory {
    ($call:expr) => {{
        // SAFETY: the token in `self` proves that the instruction is supported; it needs no alignment, and
        // touches just the bytes of the array that the pointer was made of.
        unsafe { $call }
    }};
}

pub(super) use {lanes, memory};
