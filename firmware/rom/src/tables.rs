//! Firmware's page tables, made when it is built: an identity map with the rights of `vial_abi::memory`.

use vial_abi::memory::{
    BOOT_DATA_PA, BOOT_TEXT_PA, DMA_BYTES, DMA_PA, KERNEL_DATA_PA, KERNEL_TEXT_PA, LARGE_PAGE, LAUNCHED,
    LOW_END_PA, ROM_DATA_PA, ROM_TEXT_PA, Region, SHARED_PA, VIRTIO_PA, ram,
};
use vial_hal::page::{Access, ENTRIES, Size, Table, leaf, link};

const TABLE_BYTES: u64 = 4096;
/// Physical address of the root table.
pub const ROOT_PA: u64 = ROM_DATA_PA;
const POINTERS_PA: u64 = ROOT_PA + TABLE_BYTES;
/// Physical address of the directory of the first GiB.
pub const LOW_DIRECTORY_PA: u64 = POINTERS_PA + TABLE_BYTES;
const GIB: u64 = 1 << 30;

/// All tables, in the order of their addresses from [`ROOT_PA`] on.
#[derive(Clone, Debug)]
#[repr(C, align(4096))]
pub struct Tables {
    root: Table,
    pointers: Table,
    directories: [Table; 4],
}

impl Tables {
    /// The tables firmware starts with.
    pub const INITIAL: Self = Self {
        root: Table::EMPTY.with(0, link(POINTERS_PA)),
        pointers: pointers(),
        directories: [low(), memory(1), memory(2), devices()],
    };
}

/// A change of the low directory before the kernel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Entry of the low directory.
    pub index: usize,
    /// Its new value.
    pub entry: u64,
    /// Address it maps.
    pub va: u64,
}

/// Takes the kernel's pages from ring 3 and lets ring 0 execute its text.
pub const HAND_OVER: [Patch; 2] =
    [patch(KERNEL_TEXT_PA, Access::KernelText), patch(KERNEL_DATA_PA, Access::KernelData)];

const fn patch(va: u64, access: Access) -> Patch {
    Patch { index: index(va), entry: leaf(va, Size::Large, access), va }
}

/// What a guest that chooses shares with the host: ring 0's pages, in the first large page, and the DMA window.
pub const SHARED: [Region; 2] = [Region { pa: 0, len: LARGE_PAGE }, Region { pa: DMA_PA, len: DMA_BYTES }];

/// Large pages of the low directory that the host sees with SEV-SNP and TDX, without flags. All others are private then: with SEV-SNP
/// the entry code has flagged them so, with TDX they are without a flag.
pub fn shared() -> impl Iterator<Item = Patch> {
    let pages = (0..DMA_BYTES / LARGE_PAGE).map(|page| DMA_PA + page * LARGE_PAGE);
    let window =
        pages.map(|va| Patch { index: index(va), entry: leaf(va, Size::Large, Access::UserData), va });
    let ring_0 = Patch { index: 0, entry: leaf(0, Size::Large, Access::KernelData), va: SHARED_PA };
    core::iter::once(ring_0).chain(window)
}

/// Memory that firmware makes the guest's own with SEV-SNP and TDX: all that these tables map and that was not launched.
#[must_use]
pub const fn unclaimed(memory_bytes: u64) -> [Region; 2] {
    let [low, _] = ram(memory_bytes);
    let launched = LAUNCHED.pa + LAUNCHED.len;
    let rest = DMA_PA + DMA_BYTES;
    [Region { pa: launched, len: DMA_PA - launched }, Region { pa: rest, len: low.len - rest }]
}

/// Index of `pa`'s entry in its directory.
const fn index(pa: u64) -> usize {
    (pa % GIB / LARGE_PAGE) as usize
}

const fn pointers() -> Table {
    let mut table = Table::EMPTY;
    let (mut at, mut pa) = (0, LOW_DIRECTORY_PA);
    while at < 4 {
        table = table.with(at, link(pa));
        pa += TABLE_BYTES;
        at += 1;
    }
    table
}

const fn low() -> Table {
    memory(0)
        .with_run(0, 1, 0, Size::Large, Access::KernelData)
        .with_run(index(ROM_TEXT_PA), 1, ROM_TEXT_PA, Size::Large, Access::KernelText)
        .with_run(index(ROM_DATA_PA), 1, ROM_DATA_PA, Size::Large, Access::KernelData)
        .with_run(index(BOOT_TEXT_PA), 1, BOOT_TEXT_PA, Size::Large, Access::UserText)
        .with_run(index(BOOT_DATA_PA), 1, BOOT_DATA_PA, Size::Large, Access::UserData)
}

/// One GiB the boot program may read and write; beyond the end of memory nothing answers.
const fn memory(gib: u64) -> Table {
    assert!(gib * GIB < LOW_END_PA, "the device hole is not memory");
    Table::EMPTY.with_run(0, ENTRIES, gib * GIB, Size::Large, Access::UserData)
}

const fn devices() -> Table {
    let page = VIRTIO_PA - VIRTIO_PA % LARGE_PAGE;
    Table::EMPTY.with_run(index(page), 1, page, Size::Large, Access::UserDevice)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use vial_abi::memory::{BLOBS_PA, ENGINE_PA};

    fn entry(pa: u64) -> u64 {
        let gib = usize::try_from(pa / GIB).unwrap();
        Tables::INITIAL.directories[gib].0[index(pa)]
    }

    #[test]
    fn ring_3_reaches_its_own_pages_only() {
        for pa in [0, ROM_TEXT_PA, ROM_DATA_PA] {
            assert_eq!(entry(pa) & 4, 0, "{pa:#x}");
        }
        for pa in [BOOT_DATA_PA, KERNEL_TEXT_PA, ENGINE_PA, DMA_PA, BLOBS_PA, 2 * GIB] {
            assert_eq!(entry(pa), leaf(pa, Size::Large, Access::UserData), "{pa:#x}");
        }
        assert_eq!(entry(BOOT_TEXT_PA), leaf(BOOT_TEXT_PA, Size::Large, Access::UserText));
    }

    #[test]
    fn of_the_device_hole_only_virtio_is_mapped() {
        let mapped = Tables::INITIAL.directories[3].0.iter().filter(|&&entry| entry != 0).count();
        assert_eq!(mapped, 1);
        assert_eq!(entry(VIRTIO_PA) & 0x1F, 0x1F, "present, writable, user, uncached");
    }

    #[test]
    fn handing_over_changes_the_kernels_two_pages() {
        assert_eq!(HAND_OVER.map(|patch| patch.index), [5, 6]);
        assert!(HAND_OVER.iter().all(|patch| patch.entry & 4 == 0));
    }

    #[test]
    fn the_host_sees_the_first_pages_and_the_window() {
        let patches: std::vec::Vec<_> = shared().collect();
        assert_eq!(
            patches.iter().map(|patch| patch.index).collect::<std::vec::Vec<_>>(),
            [0, 12, 13, 14, 15]
        );
        assert!(patches.iter().all(|patch| patch.entry == Tables::INITIAL.directories[0].0[patch.index]));
        let claimed: u64 = unclaimed(512 << 20).iter().map(|region| region.len).sum();
        assert_eq!(claimed + LAUNCHED.len + DMA_BYTES + LARGE_PAGE, 512 << 20);
    }

    #[test]
    fn tables_link_to_each_other_in_order() {
        assert_eq!(Tables::INITIAL.root.0[0], link(0x40_1000));
        assert_eq!(Tables::INITIAL.pointers.0[3], link(0x40_5000));
        assert_eq!(size_of::<Tables>(), 6 * 4096);
    }
}
