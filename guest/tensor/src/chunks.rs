//! Work shared by chunks of an output: each chunk is written by exactly one cpu.
#![expect(unsafe_code, reason = "gives cpus disjoint parts of one slice")]

use alloc::vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::Team;

/// The output, as the cpus of one run see it.
struct Chunks {
    start: *mut f32,
    count: usize,
    len: usize,
    next: AtomicUsize,
}

// SAFETY: a chunk is lent to the one cpu that claimed its number; see `claim`.
unsafe impl Sync for Chunks {}

impl Chunks {
    /// The next chunk nobody has, with its number.
    #[expect(clippy::mut_from_ref, reason = "each number, and so each chunk, is given out once")]
    fn claim(&self) -> Option<(usize, &mut [f32])> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.count {
            return None;
        }
        // SAFETY: below `count`, so inside the slice that `for_each_chunk` borrows for the whole run.
        let start = unsafe { self.start.add(index * self.len) };
        // SAFETY: every number is given out once, so this is the only reference to these elements.
        Some((index, unsafe { core::slice::from_raw_parts_mut(start, self.len) }))
    }
}

/// Work on one chunk: its number, the chunk, the cpu's scratch.
pub type ChunkWork<'a> = dyn Fn(usize, &mut [f32], &mut [f32]) + Sync + 'a;

/// Calls `work` with the number of each chunk of `out`, the chunk, and `scratch` floats of the cpu's own, whose
/// contents are what the cpu's last call left there.
///
/// Shapes: `out` `[chunks, len]`.
///
/// # Panics
/// If `out` is not whole chunks of `len`.
pub fn for_each_chunk(team: &Team<'_>, out: &mut [f32], len: usize, scratch: usize, work: &ChunkWork<'_>) {
    assert!(len > 0 && out.len().is_multiple_of(len), "{} elements are not chunks of {len}", out.len());
    let chunks = Chunks { start: out.as_mut_ptr(), count: out.len() / len, len, next: AtomicUsize::new(0) };
    team.run(&|_cpu| {
        let Some((mut index, mut chunk)) = chunks.claim() else { return };
        let mut scratch = vec![0.0; scratch];
        loop {
            work(index, chunk, &mut scratch);
            match chunks.claim() {
                Some(next) => (index, chunk) = next,
                None => return,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::Alone;

    #[test]
    fn every_chunk_is_visited_once_by_several_cpus() {
        let team = Team::new(3, &Alone);
        std::thread::scope(|scope| {
            for cpu in 1..3 {
                let team = &team;
                scope.spawn(move || team.serve(cpu));
            }
            let mut out = vec![0.0; 1000 * 3];
            for _ in 0..100 {
                for_each_chunk(&team, &mut out, 3, 1, &|index, chunk, scratch| {
                    scratch[0] = 1.0;
                    chunk.iter_mut().for_each(|element| *element += scratch[0]);
                    assert!(index < 1000);
                });
            }
            team.stop();
            assert!(out.iter().all(|&element| element == 100.0));
        });
    }
}
