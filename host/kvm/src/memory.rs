//! Guest memory: aligned for large pages, so that host and guest map 2 MiB at a time.
#![expect(unsafe_code, reason = "maps memory and hands it to the kernel")]

use std::io::{Error, Result};
use std::time::Instant;
use vm_memory::mmap::MmapRegion;
use vm_memory::{
    GuestAddress, GuestMemoryBackend as _, GuestMemoryMmap, GuestMemoryRegion as _, GuestRegionMmap,
};

/// Guest memory.
pub type Memory = GuestMemoryMmap<()>;

const LARGE_PAGE: usize = 2 << 20;
/// Bytes populated by one call. Each holds the address space's lock, behind which a thread that maps something, and
/// then every fault of the guest, waits.
const STEP: usize = LARGE_PAGE;
/// How much longer than a step the thread rests after it: a page takes 6 ms where the host is a guest itself.
const REST: u32 = 9;

/// Memory of these runs (address, bytes), zero, not yet backed by pages.
///
/// # Errors
/// The system has not enough address space, or the runs overlap.
pub fn allocate(runs: &[(u64, u64)]) -> Result<Memory> {
    let regions = runs.iter().filter(|(_, bytes)| *bytes > 0).map(|&(start, bytes)| region(start, bytes));
    let regions = regions.collect::<Result<Vec<_>>>()?;
    GuestMemoryMmap::from_regions(regions).map_err(Error::other)
}

fn region(start: u64, bytes: u64) -> Result<GuestRegionMmap<()>> {
    let bytes = usize::try_from(bytes).map_err(Error::other)?;
    let base = map_aligned(bytes)?;
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_ANONYMOUS | libc::MAP_PRIVATE);
    // SAFETY: `base` is a fresh private mapping of that many bytes, which nothing unmaps.
    let region = unsafe { MmapRegion::build_raw(base, bytes, rights, flags) }.map_err(Error::other)?;
    GuestRegionMmap::new(region, GuestAddress(start))
        .ok_or_else(|| Error::other("guest memory: address overflow"))
}

/// Parts of `memory` as memory of their own (address, bytes): whoever has them reaches nothing else. `None` where one is not whole
/// inside a run.
#[must_use]
pub fn parts(memory: &Memory, runs: &[(u64, u64)]) -> Option<Memory> {
    let regions: Option<Vec<_>> = runs
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|&(start, bytes)| part(memory, start, bytes))
        .collect();
    GuestMemoryMmap::from_regions(regions?).ok()
}

fn part(memory: &Memory, start: u64, bytes: u64) -> Option<GuestRegionMmap<()>> {
    let region = memory.find_region(GuestAddress(start))?;
    let offset = start - region.start_addr().0;
    (offset.checked_add(bytes)? <= region.len()).then_some(())?;
    let base = region.as_ptr().wrapping_add(usize::try_from(offset).ok()?);
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_ANONYMOUS | libc::MAP_PRIVATE);
    // SAFETY: inside a mapping that nothing unmaps: `allocate` made it for as long as the process lives.
    let mapping = unsafe { MmapRegion::build_raw(base, usize::try_from(bytes).ok()?, rights, flags) };
    GuestRegionMmap::new(mapping.ok()?, GuestAddress(start))
}

/// Makes whole pages of `memory` zero, by giving them back to the system; `None` where they are not inside one run.
#[must_use]
pub fn discard(memory: &Memory, start: u64, bytes: u64) -> Option<()> {
    let region = memory.find_region(GuestAddress(start))?;
    let offset = start - region.start_addr().0;
    (offset.checked_add(bytes)? <= region.len()).then_some(())?;
    let start = region.as_ptr().wrapping_add(usize::try_from(offset).ok()?);
    // SAFETY: inside a private mapping that lives as long as the process; what is there is read and written as volatile alone, by
    // whoever shares it with a guest, and is zero when it is touched next.
    let done = unsafe { libc::madvise(start.cast(), usize::try_from(bytes).ok()?, libc::MADV_DONTNEED) };
    (done == 0).then_some(())
}

/// Maps `bytes` of zeros at a large page's boundary. The mapping lives as long as the process: a VM runs to its end.
fn map_aligned(bytes: usize) -> Result<*mut u8> {
    let (rights, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_ANONYMOUS | libc::MAP_PRIVATE | libc::MAP_NORESERVE);
    // SAFETY: a new mapping anywhere; touches nothing that exists.
    let base = unsafe { libc::mmap(core::ptr::null_mut(), bytes + LARGE_PAGE, rights, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    let start = base.cast::<u8>().map_addr(|address| address.next_multiple_of(LARGE_PAGE));
    // SAFETY: inside the mapping just made; advice changes no contents. Without large pages it is slower, not wrong.
    let _advice = unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
    Ok(start)
}

/// Backs all pages, from the lowest on. Meant for a thread beside the running guest: pages it touched first stay.
///
/// The first `soon` bytes are backed at once; for the others the thread rests most of the time, since the guest may need
/// the cpu to answer before it needs these pages.
pub fn populate(memory: &Memory, soon: u64) {
    let mut backed = 0;
    for region in memory.iter() {
        let bytes = usize::try_from(region.len()).unwrap_or(0);
        for offset in (0..bytes).step_by(STEP) {
            let (step, started) = (STEP.min(bytes - offset), Instant::now());
            if !back(region.as_ptr().wrapping_add(offset), step) {
                return;
            }
            backed += step as u64;
            if backed > soon {
                std::thread::sleep(started.elapsed() * REST);
            }
        }
    }
}

/// `false` on an older kernel: pages are then backed when they are touched.
fn back(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: inside a region, which lives as long as the process; populating changes no contents.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_POPULATE_WRITE) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::Bytes as _;

    #[test]
    fn a_part_is_the_same_memory_and_no_more_of_it() {
        let memory = allocate(&[(0, 8 << 20), (1 << 32, 4 << 20)]).unwrap();
        let part = parts(&memory, &[(2 << 20, 4096), (1 << 32, 4 << 20)]).unwrap();
        memory.write_obj(7_u32, GuestAddress(2 << 20)).unwrap();
        assert_eq!(part.read_obj::<u32>(GuestAddress(2 << 20)).unwrap(), 7);
        for outside in [0, (2 << 20) - 4, (2 << 20) + 4096, 5 << 32] {
            assert!(part.read_obj::<u32>(GuestAddress(outside)).is_err(), "{outside:#x}");
        }
        for (start, bytes) in [(8 << 20, 4096), (4 << 20, (4 << 20) + 1), (0, u64::MAX)] {
            assert!(parts(&memory, &[(start, bytes)]).is_none());
        }
    }

    #[test]
    fn what_is_discarded_is_zero_and_nothing_beside_it() {
        let memory = allocate(&[(0, 4 << 20)]).unwrap();
        for at in [0, 4096, 8192] {
            memory.write_obj(7_u32, GuestAddress(at)).unwrap();
        }
        discard(&memory, 4096, 4096).unwrap();
        assert_eq!([0, 4096, 8192].map(|at| memory.read_obj::<u32>(GuestAddress(at)).unwrap()), [7, 0, 7]);
        assert_eq!(discard(&memory, 4 << 20, 4096), None);
        assert_eq!(discard(&memory, 0, (4 << 20) + 4096), None);
    }

    #[test]
    fn memory_is_zero_aligned_and_keeps_what_is_written_while_populated() {
        let memory = allocate(&[(0, 8 << 20), (1 << 32, 4 << 20), (2 << 32, 0)]).unwrap();
        assert!(memory.iter().all(|region| region.as_ptr().addr().is_multiple_of(LARGE_PAGE)));
        memory.write_obj(7_u32, GuestAddress(5 << 20)).unwrap();
        populate(&memory, 2 << 20);
        assert_eq!(memory.read_obj::<u32>(GuestAddress(5 << 20)).unwrap(), 7);
        assert_eq!(memory.read_obj::<u32>(GuestAddress((1 << 32) + 4)).unwrap(), 0);
    }
}
