//! Work shared by chunks of an output: each chunk is written by exactly one cpu.
#![expect(unsafe_code, reason = "gives cpus disjoint parts of one slice")]

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::Team;

/// The output, as the cpus of one run see it.
struct Chunks<E> {
    start: *mut E,
    /// Elements of all chunks.
    elements: usize,
    len: usize,
    next: AtomicUsize,
}

// SAFETY: a chunk is lent to the one cpu that claimed its number; see `claim`.
unsafe impl<E: Send> Sync for Chunks<E> {}

impl<E> Chunks<E> {
    /// The next chunk nobody has, with its number.
    #[expect(clippy::mut_from_ref, reason = "each number, and so each chunk, is given out once")]
    fn claim(&self) -> Option<(usize, &mut [E])> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let first = index.checked_mul(self.len).filter(|first| *first < self.elements)?;
        let len = self.len.min(self.elements - first);
        // SAFETY: below `elements`, so inside the slice that `for_each_chunk` borrows for the whole run.
        let start = unsafe { self.start.add(first) };
        // SAFETY: every number is given out once, so this is the only reference to these elements.
        Some((index, unsafe { core::slice::from_raw_parts_mut(start, len) }))
    }
}

/// Calls `work` with the number of each chunk of `out`, the chunk, and scratch memory of the cpu's own, which `scratch` makes
/// and whose contents are what the cpu's last call left there.
///
/// Shapes: `out` `[chunks, len]`, the last chunk perhaps shorter.
///
/// # Panics
/// If `len` is 0.
pub fn for_each_chunk<E: Send, T>(
    team: &Team<'_>,
    out: &mut [E],
    len: usize,
    scratch: impl Fn() -> T + Sync,
    work: impl Fn(usize, &mut [E], &mut T) + Sync,
) {
    assert!(len > 0, "chunks of nothing");
    let chunks = Chunks { start: out.as_mut_ptr(), elements: out.len(), len, next: AtomicUsize::new(0) };
    team.run(&|_cpu| {
        let Some((mut index, mut chunk)) = chunks.claim() else { return };
        let mut scratch = scratch();
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
    use alloc::vec;

    #[test]
    fn every_chunk_is_visited_once_by_several_cpus() {
        let team = Team::new(3, &Alone);
        std::thread::scope(|scope| {
            for cpu in 1..3 {
                let team = &team;
                scope.spawn(move || team.serve(cpu));
            }
            // Whole chunks, and a last one that is shorter.
            let mut out = vec![0.0; 1000 * 3 + 1];
            for _ in 0..100 {
                for_each_chunk(
                    &team,
                    &mut out,
                    3,
                    || 0.0,
                    |index, chunk, scratch| {
                        *scratch = 1.0;
                        chunk.iter_mut().for_each(|element| *element += *scratch);
                        assert!(index <= 1000 && (chunk.len() == 3 || index == 1000));
                    },
                );
            }
            team.stop();
            assert!(out.iter().all(|&element| element == 100.0));
        });
    }
}
