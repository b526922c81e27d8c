//! A program's own view of physical memory: what it may give to its heap, its devices and its successor.
#![expect(unsafe_code, reason = "turns places of the memory map into memory")]

use crate::bytes::move_bytes;
use crate::dma::Window;
use crate::heap::Heap;
use crate::virtio::mmio::Slot;
use crate::width::word;
use alloc::vec::Vec;
use vial_abi::Handoff;
use vial_abi::launch_page::Tee;
use vial_abi::memory::{
    BLOBS_MAX_BYTES, BLOBS_PA, BOOT_HEAP_PA, CERTIFICATES_BYTES, CERTIFICATES_PA, DMA_BYTES, DMA_PA,
    ENGINE_BYTES, ENGINE_PA, KERNEL_TEXT_PA, LINEAR_VA, Region, VIRTIO_PA, VIRTIO_SLOT_BYTES, VIRTIO_SLOTS,
    heap, ram,
};

/// How a program sees physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The boot program: each physical address is its own virtual address.
    Identity,
    /// The engine: memory, blobs and devices lie at [`LINEAR_VA`] and up.
    Linear,
}

/// Where the boot program puts what it hands over; nothing of its own lies there.
const SUCCESSORS: [Region; 3] = [
    Region { pa: KERNEL_TEXT_PA, len: ENGINE_PA - KERNEL_TEXT_PA },
    Region { pa: ENGINE_PA, len: ENGINE_BYTES },
    Region { pa: BLOBS_PA, len: BLOBS_MAX_BYTES },
];

/// All memory of the program that is not its image or stack. There is one, and each part is taken from it once.
#[derive(Debug)]
pub struct Memory {
    view: View,
    argument: u64,
    has_heap: bool,
    has_devices: bool,
}

impl Memory {
    /// The program's memory.
    ///
    /// # Safety
    /// Ring 0 started this program with this view and argument, and it is called once.
    #[must_use]
    pub const unsafe fn assume(view: View, argument: u64) -> Self {
        Self { view, argument, has_heap: true, has_devices: true }
    }

    /// The page the program was started with: the launch page, or the handoff page.
    #[must_use]
    pub fn argument_page(&self) -> [u8; 4096] {
        let mut page = [0; 4096];
        let from = core::ptr::with_exposed_provenance(word(self.argument));
        // SAFETY: ring 0 maps a whole page at the argument; nobody writes it while this program runs.
        unsafe { move_bytes(page.as_mut_ptr(), from, page.len()) };
        page
    }

    /// Gives the boot program's heap its memory; the second time does nothing.
    pub fn give_boot_heap(&mut self, heap: &Heap, memory_bytes: u64) {
        let [low, _] = ram(memory_bytes);
        let len = low.pa.saturating_add(low.len).saturating_sub(BOOT_HEAP_PA);
        self.give(heap, &[Region { pa: BOOT_HEAP_PA, len }]);
    }

    /// Gives the engine's heap its memory; the second time does nothing.
    pub fn give_engine_heap(&mut self, to: &Heap, handoff: &Handoff) {
        let launch = &handoff.launch;
        self.give(to, &heap(launch.memory_bytes, launch.cpus, handoff.blobs_bytes));
    }

    fn give(&mut self, heap: &Heap, regions: &[Region]) {
        if !core::mem::take(&mut self.has_heap) {
            return;
        }
        for region in regions.iter().filter(|region| region.len > 0) {
            // SAFETY: by the memory map the region is RAM of this program, and given away only here.
            unsafe { heap.claim(self.at(region.pa), word(region.len)) };
        }
    }

    /// The DMA window and the device slots of an appliance in `tee`; `None` the second time.
    pub fn take_devices(&mut self, tee: Tee) -> Option<(Window, Vec<Slot>)> {
        if !core::mem::take(&mut self.has_devices) {
            return None;
        }
        // SAFETY: by the memory map the window is this program's, and taken once.
        let window = unsafe { Window::new(self.at(DMA_PA), DMA_PA, word(DMA_BYTES)) };
        let slots = (0..VIRTIO_SLOTS).map(|index| {
            if tee.is_confidential() {
                return Slot::called(index);
            }
            let registers = self.at(VIRTIO_PA + index * VIRTIO_SLOT_BYTES);
            // SAFETY: by the memory map a slot's registers are mapped there, and taken once.
            unsafe { Slot::new(registers, index) }
        });
        Some((window, slots.collect()))
    }

    /// Copies `bytes` to `pa` for the boot program's successors; `false` if that is not their place.
    #[must_use]
    pub fn put(&mut self, pa: u64, bytes: &[u8]) -> bool {
        let fits = self.view == View::Identity && is_successors(pa, bytes.len() as u64);
        if fits {
            // SAFETY: the places of its successors are writable and nothing of this program lies there.
            unsafe { move_bytes(self.at(pa), bytes.as_ptr(), bytes.len()) };
        }
        fits
    }

    /// Zeroes `len` bytes at `pa` for the boot program's successors; `false` if that is not their place.
    #[must_use]
    pub fn clear(&mut self, pa: u64, len: u64) -> bool {
        let fits = self.view == View::Identity && is_successors(pa, len);
        if fits {
            // SAFETY: as in `put`.
            unsafe { crate::bytes::wipe(self.at(pa), word(len)) };
        }
        fits
    }

    /// A blob that firmware handed over; measured, and read-only for the engine. `None` outside the blobs area.
    #[must_use]
    pub fn blob(&self, region: Region) -> Option<&'static [u8]> {
        if self.view != View::Linear || !lies_in(region.pa, region.len, BLOBS_PA, BLOBS_MAX_BYTES) {
            return None;
        }
        let from: *const u8 = self.at(region.pa);
        // SAFETY: the kernel maps the blobs readable for the engine and nobody writes them while it runs.
        Some(unsafe { core::slice::from_raw_parts(from, word(region.len)) })
    }

    /// Where the host adds certificates to reports.
    #[must_use]
    pub fn host_certificates(&self, tee: Tee) -> HostCertificates {
        let is_mapped = self.view == View::Linear && tee.is_snp();
        HostCertificates(is_mapped.then(|| self.at(CERTIFICATES_PA).expose_provenance()))
    }

    fn at(&self, pa: u64) -> *mut u8 {
        let offset = match self.view {
            View::Identity => 0,
            View::Linear => LINEAR_VA,
        };
        core::ptr::with_exposed_provenance_mut(word(offset + pa))
    }
}

/// The pages in which the host leaves certificates for a report, with SEV-SNP.
#[derive(Clone, Copy, Debug)]
pub struct HostCertificates(Option<usize>);

impl HostCertificates {
    /// A copy of them; nothing without SEV-SNP. From the host: untrusted.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        let words = (0..CERTIFICATES_BYTES).step_by(8);
        let places = self.0.into_iter().flat_map(|start| words.clone().map(move |at| start + word(at)));
        let read = |at| {
            let word = core::ptr::with_exposed_provenance::<u64>(at);
            // SAFETY: the kernel maps these pages readable for the engine; the host may write them at any time, hence volatile.
            unsafe { word.read_volatile() }
        };
        places.map(read).flat_map(u64::to_le_bytes).collect()
    }
}

fn is_successors(pa: u64, len: u64) -> bool {
    SUCCESSORS.iter().any(|place| lies_in(pa, len, place.pa, place.len))
}

fn lies_in(pa: u64, len: u64, start: u64, bytes: u64) -> bool {
    pa.checked_sub(start).and_then(|offset| offset.checked_add(len)).is_some_and(|end| end <= bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_abi::memory::{BOOT_DATA_PA, HANDOFF_PA, PAGE};

    #[test]
    fn the_boot_program_writes_its_successors_places_only() {
        assert!(is_successors(KERNEL_TEXT_PA, 1));
        assert!(is_successors(HANDOFF_PA, PAGE));
        assert!(is_successors(ENGINE_PA, ENGINE_BYTES));
        assert!(is_successors(BLOBS_PA, BLOBS_MAX_BYTES));
        for (pa, len) in [
            (BOOT_DATA_PA, 1),
            (KERNEL_TEXT_PA - 1, 1),
            (DMA_PA, 1),
            (ENGINE_PA, ENGINE_BYTES + 1),
            (BLOBS_PA, BLOBS_MAX_BYTES + 1),
            (BLOBS_PA, u64::MAX),
        ] {
            assert!(!is_successors(pa, len), "{pa:#x} {len:#x}");
        }
    }

    #[test]
    fn each_part_is_taken_once() {
        // SAFETY: no part is touched: slots and window are made, not used.
        let mut memory = unsafe { Memory::assume(View::Linear, 0) };
        assert_eq!(memory.take_devices(Tee::Simulated).map(|(_, slots)| slots.len()), Some(8));
        assert!(memory.take_devices(Tee::Simulated).is_none());
        assert!(!memory.put(BLOBS_PA, &[1]), "the engine has no successor");
        assert!(memory.blob(Region { pa: DMA_PA, len: 1 }).is_none());
    }
}
