//! Addresses and lengths as machine words: this runtime is for 64-bit processors only.

const _: () = assert!(usize::BITS == 64, "physical addresses fit a machine word");

/// `value` as an index or address.
#[expect(clippy::cast_possible_truncation, reason = "a machine word has 64 bits, asserted above")]
pub(crate) const fn word(value: u64) -> usize {
    value as usize
}
