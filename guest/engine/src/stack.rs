//! What calls have left on the stack.

use core::hint::black_box;

/// More than any call of this program takes: of the two MiB that a stack has.
const BYTES: usize = 1 << 18;

/// Wipes what calls that returned to the caller's frame left below it. Secrets that were moved are copied as any value is, and only
/// their last place is wiped when they are dropped.
///
/// What is in the caller's own frame stays: who wipes had its secrets in calls that are not inlined.
#[inline(never)]
pub fn wipe() {
    let mut area = [0_u64; BYTES / 8];
    black_box(&mut area);
}
