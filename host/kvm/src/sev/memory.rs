//! Memory with two sides: private pages in the kernel's keeping, shared ones in this process.
#![expect(unsafe_code, reason = "registers guest memory with the kernel and gives pages back")]

use kvm_bindings::{
    KVM_MEM_GUEST_MEMFD, KVM_MEMORY_ATTRIBUTE_PRIVATE, kvm_create_guest_memfd, kvm_memory_attributes,
    kvm_userspace_memory_region2,
};
use kvm_ioctls::VmFd;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::sync::Arc;
use vial_abi::memory::{PAGE, Region};
use vm_memory::{GuestMemoryBackend as _, GuestMemoryRegion as _, GuestRegionMmap};

use crate::machine::{KvmError, refused};
use crate::memory::Memory;

/// Who reads a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The guest alone.
    Private,
    /// Guest and host.
    Shared,
}

/// A machine's memory. Each run has a file that nobody can read for its private pages, and lies in this process for shared ones.
#[derive(Debug)]
pub(crate) struct PrivateMemory {
    vm: Arc<VmFd>,
    memory: Memory,
    files: Vec<File>,
    private: Vec<Region>,
}

impl PrivateMemory {
    /// Gives the machine all of `memory`: private but for `shared`.
    pub(crate) fn new(
        vm: Arc<VmFd>,
        memory: &Memory,
        shared: &[Region],
    ) -> core::result::Result<Self, KvmError> {
        let files = memory.iter().map(|run| file(&vm, run.len()));
        let files = files.collect::<core::result::Result<Vec<_>, _>>()?;
        for (slot, (run, file)) in (0..).zip(memory.iter().zip(&files)) {
            add(&vm, slot, run, file)?;
        }
        let runs = memory.iter().map(|run| Region { pa: run.start_addr().0, len: run.len() });
        let private = runs.flat_map(|run| without(run, shared)).collect();
        let all = Self { vm, memory: memory.clone(), files, private };
        let give = |region: &Region| all.give(region.pa, region.len, Side::Private);
        all.private
            .iter()
            .try_for_each(give)
            .map_err(|error| KvmError { what: "make memory private", error })?;
        Ok(all)
    }

    /// Whether all of these bytes are private when the machine is made.
    pub(crate) fn starts_private(&self, gpa: u64, bytes: u64) -> bool {
        let end = gpa.checked_add(bytes);
        self.private
            .iter()
            .any(|region| gpa >= region.pa && end.is_some_and(|end| end <= region.pa + region.len))
    }

    /// Moves whole pages to a side; what was on the other one is gone. From the guest: untrusted.
    ///
    /// # Errors
    /// They are not whole pages of one run of memory, or the kernel refuses.
    pub(crate) fn convert(&self, gpa: u64, bytes: u64, side: Side) -> Result<()> {
        let (run, file) = self.run(gpa, bytes).ok_or(ErrorKind::InvalidInput)?;
        let offset = gpa - run.start_addr().0;
        self.give(gpa, bytes, side)?;
        match side {
            Side::Private => discard(run, offset, bytes),
            Side::Shared => punch(file, offset, bytes),
        }
    }

    /// The run that holds all of these bytes, and its file.
    fn run(&self, gpa: u64, bytes: u64) -> Option<(&GuestRegionMmap<()>, &File)> {
        let end = gpa.checked_add(bytes)?;
        let is_whole = bytes > 0 && gpa.is_multiple_of(PAGE) && bytes.is_multiple_of(PAGE);
        let mut runs = self.memory.iter().zip(&self.files).filter(|_| is_whole);
        runs.find(|(run, _)| run.start_addr().0 <= gpa && end <= run.start_addr().0 + run.len())
    }

    fn give(&self, gpa: u64, bytes: u64, side: Side) -> Result<()> {
        let attributes = match side {
            Side::Private => KVM_MEMORY_ATTRIBUTE_PRIVATE.into(),
            Side::Shared => 0,
        };
        let wanted = kvm_memory_attributes { address: gpa, size: bytes, attributes, flags: 0 };
        self.vm.set_memory_attributes(wanted).map_err(Error::from)
    }
}

/// A file for the private pages of a run. Nothing maps, reads or writes it; the guest's accesses and the launch fill it.
fn file(vm: &VmFd, bytes: u64) -> core::result::Result<File, KvmError> {
    let wanted = kvm_create_guest_memfd { size: bytes, ..kvm_create_guest_memfd::default() };
    let fd = vm.create_guest_memfd(wanted).map_err(refused("make private memory"))?;
    // SAFETY: the kernel has just opened the descriptor for this call, so nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

fn add(vm: &VmFd, slot: u32, run: &GuestRegionMmap<()>, file: &File) -> core::result::Result<(), KvmError> {
    let region = kvm_userspace_memory_region2 {
        slot,
        flags: KVM_MEM_GUEST_MEMFD,
        guest_phys_addr: run.start_addr().0,
        memory_size: run.len(),
        userspace_addr: run.as_ptr().expose_provenance() as u64,
        guest_memfd: file.as_raw_fd().cast_unsigned(),
        ..kvm_userspace_memory_region2::default()
    };
    // SAFETY: the run is a mapping of that length that lives as long as the process.
    unsafe { vm.set_user_memory_region2(region) }.map_err(refused("add memory"))
}

/// Gives the shared pages of a run back to the system; they read as zeros then.
fn discard(run: &GuestRegionMmap<()>, offset: u64, bytes: u64) -> Result<()> {
    let (offset, bytes) = (size(offset)?, size(bytes)?);
    let start = run.as_ptr().wrapping_add(offset);
    // SAFETY: inside the run, as the caller has checked. It is a private mapping that lives as long as the process, and no
    // reference to it exists: the guest writes it at any time.
    let done = unsafe { libc::madvise(start.cast(), bytes, libc::MADV_DONTNEED) };
    if done == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Gives private pages back to the system.
fn punch(file: &File, offset: u64, bytes: u64) -> Result<()> {
    let signed = |value| libc::off64_t::try_from(value).map_err(Error::other);
    let (offset, bytes) = (signed(offset)?, signed(bytes)?);
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the call changes the file alone, which nothing maps.
    let done = unsafe { libc::fallocate64(file.as_raw_fd(), mode, offset, bytes) };
    if done == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

fn size(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(Error::other)
}

/// What of `run` lies in none of `shared`.
fn without(run: Region, shared: &[Region]) -> Vec<Region> {
    let mut shared = shared.to_vec();
    shared.sort_by_key(|region| region.pa);
    let (mut rest, mut at, end) = (Vec::new(), run.pa, run.pa + run.len);
    for region in shared {
        let start = region.pa.clamp(at, end);
        rest.push(Region { pa: at, len: start - at });
        at = region.pa.saturating_add(region.len).clamp(at, end);
    }
    rest.push(Region { pa: at, len: end - at });
    rest.retain(|region| region.len > 0);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn region(pa: u64, len: u64) -> Region {
        Region { pa, len }
    }

    #[test]
    fn shared_areas_are_left_out_wherever_they_lie() {
        let run = region(100, 100);
        let rest = |shared: &[Region]| without(run, shared);
        assert_eq!(rest(&[]), [run]);
        assert_eq!(rest(&[region(150, 10), region(0, 110)]), [region(110, 40), region(160, 40)]);
        assert_eq!(rest(&[region(0, 50), region(190, 90), region(300, 5)]), [region(100, 90)]);
        assert_eq!(rest(&[region(120, 20), region(130, 5)]), [region(100, 20), region(140, 60)]);
        assert_eq!(rest(&[region(0, u64::MAX)]), []);
    }
}
