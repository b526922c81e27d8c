//! What a page calls: three functions, and the module's memory.
//!
//! ```text
//! at = input(bytes)      room for a request; the page writes it there
//! at = judge()           judges it; where the response stands
//! bytes = output_bytes() its length
//! ```
//!
//! No memory is read or written through a pointer here: the page does that, before and after.
#![expect(unsafe_code, reason = "names that a page calls must not be mangled; no unsafe block is needed")]

use std::sync::{Mutex, PoisonError};

use crate::judge::respond;

/// Longest request in bytes: a question with all its files as hex, and what was dropped.
const INPUT_MAX: usize = 64 << 20;

static INPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static OUTPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Makes room for a request of that length; null if that is too long.
#[unsafe(no_mangle)]
pub extern "C" fn input(bytes: usize) -> *mut u8 {
    if bytes > INPUT_MAX {
        return core::ptr::null_mut();
    }
    let mut input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
    *input = vec![0; bytes];
    input.as_mut_ptr()
}

/// Judges what was written to the input; gives where the response is.
#[unsafe(no_mangle)]
pub extern "C" fn judge() -> *const u8 {
    let response = respond(&INPUT.lock().unwrap_or_else(PoisonError::into_inner));
    let mut output = OUTPUT.lock().unwrap_or_else(PoisonError::into_inner);
    *output = response;
    output.as_ptr()
}

/// Length of the response in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn output_bytes() -> usize {
    OUTPUT.lock().unwrap_or_else(PoisonError::into_inner).len()
}
