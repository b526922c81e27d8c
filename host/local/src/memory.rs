//! How fast this machine reads a model's bytes when it does nothing else: what decoding cannot exceed.

use core::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use vial_tensor::Team;

use crate::ModelFile;

/// Bytes a cpu takes at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Readings; the fastest counts, as anything else on the machine only slows one.
const READINGS: usize = 5;

/// Bytes per second of reading the whole file with all cpus of the team.
#[must_use]
pub fn read_rate(file: &ModelFile, team: &Team<'_>) -> f64 {
    let sum = AtomicU64::new(0);
    let seconds = (0..READINGS).map(|_| {
        let started = Instant::now();
        sum.fetch_add(read(file.bytes(), team), Ordering::Relaxed);
        started.elapsed().as_secs_f64()
    });
    let least = seconds.fold(f64::INFINITY, f64::min);
    // The sum is used, so that no reading is left out.
    core::hint::black_box(sum);
    #[expect(clippy::cast_precision_loss, reason = "a count of bytes")]
    let bytes = file.bytes().len() as f64;
    bytes / least
}

/// The sum of all words, read by all cpus.
fn read(bytes: &[u8], team: &Team<'_>) -> u64 {
    let (next, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let pieces: Vec<&[u8]> = bytes.chunks(PIECE_BYTES).collect();
    team.run(&|_cpu| {
        let claim = || usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok();
        while let Some(piece) = claim().and_then(|at| pieces.get(at)) {
            total.fetch_add(words(piece), Ordering::Relaxed);
        }
    });
    total.into_inner()
}

/// Sums words in eight lanes, which compilers turn into vectors.
fn words(bytes: &[u8]) -> u64 {
    let mut lanes = [0_u64; 8];
    for line in bytes.as_chunks::<64>().0 {
        for (lane, word) in lanes.iter_mut().zip(line.as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_le_bytes(*word));
        }
    }
    lanes.iter().fold(0, |sum, lane| sum.wrapping_add(*lane))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_team;

    #[test]
    fn every_word_is_read_once_whatever_the_cpus() {
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 64).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for threads in [1, 2] {
            assert_eq!(with_team(threads, |team| read(&bytes, team)), words(&bytes));
        }
    }
}
