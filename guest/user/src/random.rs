//! Randomness of the processor: the only kind that keys may be made of, since every other comes from the host.
#![expect(unsafe_code, reason = "RDSEED and RDRAND are instructions")]

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;

/// Spec: Intel SDM vol. 1 §7.3.17.1: RDRAND fails ten times in a row only if it is broken.
const RDRAND_TRIES: u32 = 10;
/// RDSEED runs dry under load; RDRAND stands in then.
const RDSEED_TRIES: u32 = 100;

/// 32 bytes from the processor; `None` if it has no generator or that one fails.
#[must_use]
pub fn seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    for chunk in seed.as_chunks_mut::<8>().0 {
        *chunk = word()?.to_le_bytes();
    }
    // A stuck generator answers with one value again and again.
    let (words, _) = seed.as_chunks::<8>();
    words.iter().any(|word| Some(word) != words.first()).then_some(seed)
}

/// Fills with randomness of the processor; `false` if it has no generator or that one fails.
#[must_use]
pub fn fill(bytes: &mut [u8]) -> bool {
    bytes.chunks_mut(32).all(|chunk| {
        let seed = seed();
        seed.iter().for_each(|seed| chunk.iter_mut().zip(seed).for_each(|(to, byte)| *to = *byte));
        seed.is_some()
    })
}

fn word() -> Option<u64> {
    let seeded = has_rdseed().then(|| (0..RDSEED_TRIES).find_map(|_| rdseed())).flatten();
    seeded.or_else(|| has_rdrand().then(|| (0..RDRAND_TRIES).find_map(|_| rdrand())).flatten())
}

fn has_rdrand() -> bool {
    __cpuid_count(1, 0).ecx & 1 << 30 != 0
}

fn has_rdseed() -> bool {
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).ebx & 1 << 18 != 0
}

fn rdrand() -> Option<u64> {
    let (value, is_valid): (u64, u8);
    // SAFETY: called where CPUID names the instruction; it changes flags only.
    unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) is_valid, options(nomem, nostack)) };
    (is_valid == 1).then_some(value)
}

fn rdseed() -> Option<u64> {
    let (value, is_valid): (u64, u8);
    // SAFETY: called where CPUID names the instruction; it changes flags only.
    unsafe { asm!("rdseed {}", "setc {}", out(reg) value, out(reg_byte) is_valid, options(nomem, nostack)) };
    (is_valid == 1).then_some(value)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn all_of_a_buffer_is_filled_whatever_its_length() {
        for length in [0, 1, 31, 32, 33, 100] {
            let mut bytes = vec![0; length];
            let is_filled = fill(&mut bytes);
            assert!(is_filled == (length == 0 || seed().is_some()));
            // One in 2^64 that eight bytes are zero.
            assert!(!is_filled || bytes.chunks_exact(8).all(|part| part.iter().any(|byte| *byte != 0)));
        }
    }

    #[test]
    fn two_seeds_differ_where_there_is_a_generator() {
        assert_eq!(seed().is_some(), has_rdrand() || has_rdseed());
        assert!(seed().is_none() || seed() != seed());
    }
}
