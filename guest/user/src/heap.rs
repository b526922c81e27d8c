//! The global allocator. Every freed block is wiped before it can be used again: it may have held a prompt or
//! a key.
#![expect(unsafe_code, reason = "a global allocator over raw memory")]

use crate::bytes::{move_bytes, wipe};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use talc::DefaultBinning;
use talc::base::Talc;
use talc::source::Manual;

type Blocks = Talc<Manual, DefaultBinning>;

/// A heap over memory given to it by [`Heap::claim`]; shared by all cpus.
#[derive(Debug)]
pub struct Heap {
    blocks: UnsafeCell<Blocks>,
    is_locked: AtomicBool,
    refused_bytes: AtomicUsize,
    used: Gauge,
}

/// Bytes of blocks in use, and the most that ever were.
#[derive(Debug)]
struct Gauge {
    bytes: AtomicUsize,
    peak: AtomicUsize,
}

impl Gauge {
    fn add(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.peak.fetch_max(before + bytes, Ordering::Relaxed);
    }

    fn subtract(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// SAFETY: `blocks` is reached through `Heap::with` only, which holds the lock.
unsafe impl Sync for Heap {}

impl Heap {
    /// A heap without memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            blocks: UnsafeCell::new(Blocks::new(Manual)),
            is_locked: AtomicBool::new(false),
            refused_bytes: AtomicUsize::new(0),
            used: Gauge { bytes: AtomicUsize::new(0), peak: AtomicUsize::new(0) },
        }
    }

    /// Adds a run of memory. Only its ends are touched.
    ///
    /// # Safety
    /// The run is readable, writable and used by nothing else from now on.
    pub unsafe fn claim(&self, base: *mut u8, bytes: usize) {
        self.with(|blocks| {
            // SAFETY: the caller's duty; the manual source allows it.
            let _end = unsafe { blocks.claim(base, bytes) };
        });
    }

    /// Size of the last allocation that did not fit; 0 if all did.
    #[must_use]
    pub fn refused_bytes(&self) -> usize {
        self.refused_bytes.load(Ordering::Relaxed)
    }

    /// Most bytes of blocks that were ever in use at once, without what the allocator itself takes.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        self.used.peak.load(Ordering::Relaxed)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Blocks) -> T) -> T {
        while self.is_locked.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        // SAFETY: the lock is held, and `work` cannot come back here: the allocator's own code does not allocate.
        let blocks = unsafe { &mut *self.blocks.get() };
        let result = work(blocks);
        self.is_locked.store(false, Ordering::Release);
        result
    }

    /// Changes a block's size where it lies.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    unsafe fn resize(&self, block: *mut u8, layout: Layout, bytes: usize) -> bool {
        if bytes < layout.size() {
            // SAFETY: the tail lies in the caller's block and is given up.
            unsafe { wipe(block.wrapping_add(bytes), layout.size() - bytes) };
        }
        // SAFETY: the caller's block, with its layout, to a size that is not zero.
        let is_done = self.with(|blocks| unsafe { blocks.try_realloc_in_place(block, layout, bytes) });
        match bytes.checked_sub(layout.size()) {
            _ if !is_done => {}
            Some(more) => self.used.add(more),
            None => self.used.subtract(layout.size() - bytes),
        }
        is_done
    }
}

// SAFETY: blocks come from `Talc`, which gives each byte out once; a failure is null, never a panic.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout is not of size zero.
        let block = self.with(|blocks| unsafe { blocks.allocate(layout) });
        let Some(block) = block else {
            self.refused_bytes.store(layout.size(), Ordering::Relaxed);
            return null_mut();
        };
        self.used.add(layout.size());
        block.as_ptr()
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up the whole block.
        unsafe { wipe(block, layout.size()) };
        // SAFETY: the caller's block, with its layout.
        self.with(|blocks| unsafe { blocks.deallocate(block, layout) });
        self.used.subtract(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's block and size.
        if unsafe { self.resize(block, layout, bytes) } {
            return block;
        }
        // SAFETY: the caller's size fits its alignment.
        let larger = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        // SAFETY: the caller's size is not zero.
        let moved = unsafe { self.alloc(larger) };
        if !moved.is_null() {
            // SAFETY: shrinking in place never fails, so the new block is the longer one.
            unsafe { move_bytes(moved, block, layout.size()) };
            // SAFETY: the caller gives up the old block.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;
    use std::vec;

    const ARENA_BYTES: usize = 1 << 20;

    /// A heap over memory of its own, that a test can look at afterwards.
    struct Arena {
        heap: Heap,
        memory: *mut u8,
    }

    impl Arena {
        fn new() -> Self {
            let memory = Box::leak(vec![0_u8; ARENA_BYTES].into_boxed_slice()).as_mut_ptr();
            let heap = Heap::empty();
            // SAFETY: leaked, so ours alone.
            unsafe { heap.claim(memory, ARENA_BYTES) };
            Self { heap, memory }
        }

        fn block(&self, layout: Layout, value: u8) -> *mut u8 {
            // SAFETY: every layout here has a size.
            let block = unsafe { self.heap.alloc(layout) };
            assert!(!block.is_null());
            for at in 0..layout.size() {
                // SAFETY: inside the block.
                unsafe { block.wrapping_add(at).write(value) };
            }
            block
        }

        /// How many bytes of the arena have this value.
        fn count(&self, value: u8) -> usize {
            // SAFETY: the arena is ours and initialised.
            (0..ARENA_BYTES).filter(|&at| unsafe { self.memory.wrapping_add(at).read() } == value).count()
        }
    }

    const SECRET: u8 = 0xC7;
    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).unwrap()
    }

    #[test]
    fn a_freed_block_is_wiped() {
        let arena = Arena::new();
        for bytes in [1, 24, 4096, 300_000] {
            let before = arena.count(SECRET);
            let block = arena.block(layout(bytes), SECRET);
            assert!(arena.count(SECRET) >= before + bytes);
            // SAFETY: allocated above.
            unsafe { arena.heap.dealloc(block, layout(bytes)) };
            assert!(arena.count(SECRET) < 8, "{bytes} bytes: only the allocator's own tags may remain");
        }
    }

    #[test]
    fn a_block_that_moves_or_shrinks_leaves_nothing_behind() {
        let arena = Arena::new();
        let block = arena.block(layout(5000), SECRET);
        let _neighbour = arena.block(layout(64), 1);
        // SAFETY: allocated above.
        let moved = unsafe { arena.heap.realloc(block, layout(5000), 20_000) };
        assert_ne!(moved, block, "the neighbour is in the way");
        assert!(arena.count(SECRET) < 5008);
        // SAFETY: as returned.
        let shrunk = unsafe { arena.heap.realloc(moved, layout(20_000), 100) };
        assert_eq!(shrunk, moved);
        assert!((100..108).contains(&arena.count(SECRET)));
    }

    #[test]
    fn the_peak_is_the_most_that_was_in_use_at_once() {
        let arena = Arena::new();
        let (first, second) = (arena.block(layout(1000), 1), arena.block(layout(500), 2));
        // SAFETY: allocated above.
        unsafe { arena.heap.dealloc(second, layout(500)) };
        assert_eq!(arena.heap.peak_bytes(), 1500);
        // SAFETY: allocated above; nothing is behind it, so that it grows where it lies, or else moves.
        let grown = unsafe { arena.heap.realloc(first, layout(1000), 9000) };
        let peak = arena.heap.peak_bytes();
        assert!(peak == 9000 || (grown != first && peak == 10_000), "{peak}");
        // SAFETY: as returned.
        let shrunk = unsafe { arena.heap.realloc(grown, layout(9000), 100) };
        // SAFETY: as returned.
        unsafe { arena.heap.dealloc(shrunk, layout(100)) };
        let _block = arena.block(layout(peak - 1), 3);
        assert_eq!(arena.heap.peak_bytes(), peak, "all before was given back");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_size() {
        let arena = Arena::new();
        // SAFETY: a size of one.
        assert!(unsafe { arena.heap.alloc(layout(ARENA_BYTES)) }.is_null());
        assert_eq!(arena.heap.refused_bytes(), ARENA_BYTES);
    }

    #[test]
    fn cpus_share_one_heap() {
        let arena = Arena::new();
        let heap = &arena.heap;
        std::thread::scope(|scope| {
            for value in 1..=4_u8 {
                scope.spawn(move || {
                    for bytes in 1..500 {
                        // SAFETY: a size of one or more.
                        let block = unsafe { heap.alloc(layout(bytes)) };
                        // SAFETY: `bytes` are ours.
                        unsafe { block.write_bytes(value, bytes) };
                        // SAFETY: inside the block.
                        assert_eq!(unsafe { block.wrapping_add(bytes - 1).read() }, value);
                        // SAFETY: allocated above.
                        unsafe { heap.dealloc(block, layout(bytes)) };
                    }
                });
            }
        });
    }
}
