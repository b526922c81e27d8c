//! The kernel's address space. Kernel addresses are physical ones; the engine's are those of
//! `vial_abi::memory`.

use crate::secure;
use vial_abi::Handoff;
use vial_abi::launch_page::Tee;
use vial_abi::memory::{
    BLOBS_PA, DMA_BYTES, DMA_PA, ENGINE_BYTES, ENGINE_DATA_OFFSET, ENGINE_PA, ENGINE_RODATA_OFFSET,
    ENGINE_VA, HANDOFF_PA, KERNEL_DATA_PA, KERNEL_TEXT_PA, LARGE_PAGE, LINEAR_VA, MAX_CPUS, PAGE, Region,
    STACK_STRIDE, STACKS_VA, VIRTIO_PA, heap, ram, round_up, stacks,
};
use vial_hal::page::{Access, Size, Table};
use vial_hal::space::{AddressSpace, MapError, TableMemory};

/// Page tables made at start.
pub const POOL_PA: u64 = KERNEL_DATA_PA + 0x4_0000;
/// Number of them: enough for 256 GiB with 1 GiB pages, for 48 GiB without.
pub const POOL_TABLES: u64 = 64;
/// Ring 0's stacks: for each cpu a guard page, then the stack; then one for double faults.
pub const STACKS_PA: u64 = HANDOFF_PA - (MAX_CPUS as u64 + 1) * RING0_STACK_STRIDE;
/// Distance between two cpus' ring-0 stacks.
pub const RING0_STACK_STRIDE: u64 = 3 * PAGE;
/// First address above the double-fault stack.
pub const FAULT_STACK_TOP: u64 = HANDOFF_PA;
const DATA_PAGES: usize = page_of(POOL_PA + POOL_TABLES * PAGE);
const FIRST_STACK_PAGE: usize = page_of(STACKS_PA);
/// Registers of I/O APIC and local APIC, each alone in its large page.
const INTERRUPT_CONTROLLERS: [u64; 2] = [0xFEC0_0000, 0xFEE0_0000];

/// Kernel data page by page: data and tables, then stacks with their guards, then the handoff page.
pub static DATA_TABLE: Table = data_table();

/// Why there is no address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// Blobs and stacks leave no heap.
    NoHeap,
    /// Tables ran out, or firmware gave an address that is no page.
    Map(MapError),
}

impl From<MapError> for LayoutError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

/// Memory the engine sees, by physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineMemory {
    /// Blobs, to the end of their last large page.
    pub blobs: Region,
    /// Stacks of all cpus.
    pub stacks: Region,
    /// The heap's two runs.
    pub heap: [Region; 2],
}

impl EngineMemory {
    /// What `handoff` leaves to the engine.
    ///
    /// # Errors
    /// [`LayoutError::NoHeap`].
    pub const fn from_handoff(handoff: &Handoff) -> Result<Self, LayoutError> {
        let (memory_bytes, cpus) = (handoff.launch.memory_bytes, handoff.launch.cpus);
        let blobs = Region { pa: BLOBS_PA, len: round_up(handoff.blobs_bytes, LARGE_PAGE) };
        let stacks = stacks(cpus, handoff.blobs_bytes);
        let [low, high] = heap(memory_bytes, cpus, handoff.blobs_bytes);
        if low.len == 0 || low.pa + low.len > ram(memory_bytes)[0].len {
            return Err(LayoutError::NoHeap);
        }
        Ok(Self { blobs, stacks, heap: [low, high] })
    }
}

/// Builds the address space of an appliance in `tee`; `data_table` is the physical address of [`DATA_TABLE`].
///
/// # Errors
/// Each variant of [`LayoutError`].
pub fn build<M: TableMemory>(
    tables: M,
    has_giant_pages: bool,
    tee: Tee,
    data_table: u64,
    engine: &EngineMemory,
) -> Result<AddressSpace<M>, LayoutError> {
    let mut space = AddressSpace::new(tables, has_giant_pages, tee)?;
    space.map(KERNEL_TEXT_PA, large(KERNEL_TEXT_PA), Access::KernelText)?;
    if tee.is_confidential() {
        secure::map_data(&mut space)?;
        secure::map_pages(&mut space)?;
    } else {
        space.adopt(KERNEL_DATA_PA, data_table)?;
        map_devices(&mut space)?;
    }
    map_image(&mut space)?;
    map_stacks(&mut space, engine.stacks)?;
    map_linear(&mut space, engine)?;
    Ok(space)
}

/// Registers of interrupt controllers for ring 0, of virtio devices for ring 3.
fn map_devices<M: TableMemory>(space: &mut AddressSpace<M>) -> Result<(), MapError> {
    for pa in INTERRUPT_CONTROLLERS {
        space.map_shared(pa, large(pa), Access::KernelDevice)?;
    }
    let registers = Region { pa: VIRTIO_PA, len: PAGE };
    space.map_shared(LINEAR_VA + VIRTIO_PA, registers, Access::UserDevice)
}

fn map_image<M: TableMemory>(space: &mut AddressSpace<M>) -> Result<(), MapError> {
    let bounds = [0, ENGINE_RODATA_OFFSET, ENGINE_DATA_OFFSET, ENGINE_BYTES];
    let parts = [Access::UserText, Access::UserConst, Access::UserData];
    for (part, access) in bounds.windows(2).zip(parts) {
        if let &[start, end] = part {
            let region = Region { pa: ENGINE_PA + start, len: end - start };
            space.map(ENGINE_VA + start, region, access)?;
        }
    }
    Ok(())
}

/// One large page a cpu; the large page below stays absent and guards it.
fn map_stacks<M: TableMemory>(space: &mut AddressSpace<M>, stacks: Region) -> Result<(), MapError> {
    let (mut pa, mut va) = (stacks.pa, STACKS_VA + STACK_STRIDE - LARGE_PAGE);
    while pa < stacks.pa + stacks.len {
        space.map(va, large(pa), Access::UserData)?;
        pa += LARGE_PAGE;
        va += STACK_STRIDE;
    }
    Ok(())
}

fn map_linear<M: TableMemory>(space: &mut AddressSpace<M>, engine: &EngineMemory) -> Result<(), MapError> {
    let [low, high] = engine.heap;
    let private = [
        (Region { pa: HANDOFF_PA, len: PAGE }, Access::UserConst),
        (engine.blobs, Access::UserConst),
        (low, Access::UserData),
        (high, Access::UserData),
    ];
    private.into_iter().try_for_each(|(region, access)| space.map(LINEAR_VA + region.pa, region, access))?;
    let window = Region { pa: DMA_PA, len: DMA_BYTES };
    space.map_shared(LINEAR_VA + window.pa, window, Access::UserData)
}

const fn large(pa: u64) -> Region {
    Region { pa, len: LARGE_PAGE }
}

/// Number of the kernel data page at `pa`.
const fn page_of(pa: u64) -> usize {
    let page = (pa - KERNEL_DATA_PA) / PAGE;
    assert!(page < LARGE_PAGE / PAGE, "outside kernel data");
    page as usize
}

const fn data_table() -> Table {
    let access = Access::KernelData;
    let mut table = Table::EMPTY.with_run(0, DATA_PAGES, KERNEL_DATA_PA, Size::Small, access).with_run(
        511,
        1,
        HANDOFF_PA,
        Size::Small,
        access,
    );
    let (mut page, mut pa) = (FIRST_STACK_PAGE, STACKS_PA);
    while page < 511 {
        table = table.with_run(page + 1, 2, pa + PAGE, Size::Small, access);
        page += 3;
        pa += RING0_STACK_STRIDE;
    }
    table
}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;
    use vial_abi::launch_page::{Kv, LaunchPage, Machine, Measure, Tee};
    use vial_abi::memory::{CERTIFICATES_PA, CPUID_PA, OTHER_CPUS_PA, SHARED_END_PA, SHARED_PA};
    use vial_hal::fake::FakeTables;
    use vial_hal::page::leaf;

    pub(crate) fn handoff(memory_bytes: u64, cpus: u32) -> Handoff {
        let blob = Region { pa: BLOBS_PA, len: 16 };
        let launch = LaunchPage {
            manifest_digest: [1; 48],
            memory_bytes,
            cpus,
            tee: Tee::Simulated,
            machine: Machine::Vial,
            measure: Measure::Nodes,
            kv: Kv::F16,
        };
        Handoff {
            launch,
            weights_root: [2; 32],
            event_log_head: [3; 48],
            manifest: blob,
            event_log: blob,
            bundle: blob,
            tree: blob,
            draft_tree: blob,
            tags: blob,
            draft_tags: blob,
            boot_report: blob,
            blobs_bytes: 4096,
            weights_disk_offset: 1 << 20,
            weights_bytes: 99,
            draft_disk_offset: 0,
            draft_bytes: 0,
            leaf_bytes: 131_072,
            tsc_khz: 0,
            unix_ns: 0,
            unix_tsc: 0,
        }
    }

    struct Built(FakeTables, u64);

    impl Built {
        fn new(memory_bytes: u64, cpus: u32, has_giant_pages: bool) -> Self {
            Self::within(Tee::Simulated, memory_bytes, cpus, has_giant_pages)
        }

        fn within(tee: Tee, memory_bytes: u64, cpus: u32, has_giant_pages: bool) -> Self {
            let engine = EngineMemory::from_handoff(&handoff(memory_bytes, cpus)).unwrap();
            let mut tables = FakeTables::with_room_for(64);
            tables.private = tee.private_flag();
            let data_table = tables.allocate().unwrap();
            for (index, &entry) in DATA_TABLE.0.iter().enumerate() {
                tables.fill(data_table, index, 1, entry, 0);
            }
            let space = build(tables, has_giant_pages, tee, data_table, &engine).unwrap();
            let root = space.root();
            Self(space.into_memory(), root)
        }

        fn at(&self, va: u64) -> u64 {
            self.0.walk(self.1, va).0
        }
    }

    #[test]
    fn the_engine_gets_each_part_with_its_rights() {
        let built = Built::new(512 << 20, 2, true);
        let parts = [
            (ENGINE_VA, ENGINE_PA, Access::UserText),
            (ENGINE_VA + ENGINE_RODATA_OFFSET, ENGINE_PA + ENGINE_RODATA_OFFSET, Access::UserConst),
            (ENGINE_VA + ENGINE_DATA_OFFSET, ENGINE_PA + ENGINE_DATA_OFFSET, Access::UserData),
            (LINEAR_VA + DMA_PA, DMA_PA, Access::UserData),
            (LINEAR_VA + BLOBS_PA, BLOBS_PA, Access::UserConst),
            (LINEAR_VA + (512 << 20) - LARGE_PAGE, (512 << 20) - LARGE_PAGE, Access::UserData),
        ];
        for (va, pa, access) in parts {
            assert_eq!(built.at(va), leaf(pa, Size::Large, access), "{va:#x}");
        }
        let handoff = leaf(HANDOFF_PA, Size::Small, Access::UserConst);
        assert_eq!(built.at(LINEAR_VA + HANDOFF_PA), handoff);
        let virtio = leaf(VIRTIO_PA, Size::Small, Access::UserDevice);
        assert_eq!(built.at(LINEAR_VA + VIRTIO_PA), virtio);
    }

    #[test]
    fn ring_3_sees_no_kernel_page_and_nothing_past_its_own() {
        let built = Built::new(512 << 20, 2, true);
        for va in [KERNEL_TEXT_PA, KERNEL_DATA_PA, STACKS_PA + PAGE, HANDOFF_PA] {
            assert_eq!(built.at(va) & 5, 1, "{va:#x}: present, not for ring 3");
        }
        let absent = [
            0,
            0x8000,
            0x60_0000,
            ENGINE_VA + ENGINE_BYTES,
            LINEAR_VA,
            LINEAR_VA + KERNEL_DATA_PA,
            LINEAR_VA + HANDOFF_PA - PAGE,
            LINEAR_VA + (512 << 20),
            LINEAR_VA + VIRTIO_PA + PAGE,
            LINEAR_VA + 0xFEE0_0000,
        ];
        for va in absent {
            assert_eq!(built.at(va), 0, "{va:#x}");
        }
    }

    #[test]
    fn every_stack_has_a_guard_below() {
        let built = Built::new(512 << 20, 3, true);
        for cpu in 0..3 {
            let top = STACKS_VA + STACK_STRIDE * (cpu + 1);
            let pa = BLOBS_PA + LARGE_PAGE * (1 + cpu);
            assert_eq!(built.at(top - 1), leaf(pa, Size::Large, Access::UserData));
            assert_eq!(built.at(top - LARGE_PAGE - 1), 0);
            assert_eq!(built.at(LINEAR_VA + pa), 0, "no second way to the stack");
        }
        assert_eq!(built.at(STACKS_VA + STACK_STRIDE * 4 - 1), 0);
        for stack in 0..=u64::from(MAX_CPUS) {
            let guard = STACKS_PA + stack * RING0_STACK_STRIDE;
            assert_eq!(built.at(guard), 0);
            assert_ne!(built.at(guard + PAGE) & built.at(guard + 2 * PAGE) & 1, 0);
        }
    }

    const SNP: Tee = Tee::SevSnp { c_bit: 51 };
    const TDX: Tee = Tee::Tdx { shared_bit: 51 };

    #[test]
    fn large_machines_fit_the_pool() {
        for (memory_bytes, has_giant_pages) in [(256 << 30, true), (48 << 30, false)] {
            for tee in [Tee::Simulated, SNP, TDX] {
                let built = Built::within(tee, memory_bytes, 64, has_giant_pages);
                assert_ne!(built.at(LINEAR_VA + memory_bytes + (1 << 30) - 1), 0);
            }
        }
    }

    #[test]
    fn with_snp_the_host_sees_the_window_and_ring_0s_shared_pages_alone() {
        the_host_sees_the_window_and_shared_pages_alone(SNP);
    }

    #[test]
    fn with_tdx_the_host_sees_the_window_and_ring_0s_shared_pages_alone() {
        the_host_sees_the_window_and_shared_pages_alone(TDX);
    }

    fn the_host_sees_the_window_and_shared_pages_alone(tee: Tee) {
        let (flag, open) = (tee.private_flag(), tee.shared_flag());
        let (plain, built) = (Built::new(5 << 30, 2, true), Built::within(tee, 5 << 30, 2, true));
        let private = [
            KERNEL_TEXT_PA,
            KERNEL_DATA_PA,
            POOL_PA,
            STACKS_PA + PAGE,
            FAULT_STACK_TOP - PAGE,
            HANDOFF_PA,
            ENGINE_VA,
            ENGINE_VA + ENGINE_DATA_OFFSET,
            LINEAR_VA + HANDOFF_PA,
            LINEAR_VA + BLOBS_PA,
            LINEAR_VA + (2 << 30),
            LINEAR_VA + (4 << 30),
            STACKS_VA + STACK_STRIDE - 1,
        ];
        for va in private {
            // Kernel data is mapped by small pages where there is no table of it.
            assert_eq!(built.at(va) & (flag | open), flag, "{va:#x}");
            assert_eq!(built.at(va) & 7, plain.at(va) & 7, "{va:#x}");
        }
        assert_eq!(built.at(LINEAR_VA + DMA_PA), leaf(DMA_PA, Size::Large, Access::UserData) | open);
        let shared = SHARED_END_PA - PAGE;
        assert_eq!(built.at(shared), leaf(shared, Size::Small, Access::KernelData) | open);
        let read_only = leaf(CERTIFICATES_PA, Size::Small, Access::UserConst) | open;
        assert_eq!(built.at(LINEAR_VA + CERTIFICATES_PA), read_only);
        assert_eq!(built.at(CPUID_PA), leaf(CPUID_PA, Size::Small, Access::KernelData) | flag);
        for va in [
            LINEAR_VA + VIRTIO_PA,
            0xFEC0_0000,
            0xFEE0_0000,
            STACKS_PA,
            OTHER_CPUS_PA - PAGE,
            SHARED_PA - PAGE,
        ] {
            assert_eq!(built.at(va), 0, "{va:#x}");
        }
    }

    #[test]
    fn too_many_stacks_are_refused() {
        let refused = EngineMemory::from_handoff(&handoff(64 << 20, 64));
        assert_eq!(refused, Err(LayoutError::NoHeap));
    }

    #[test]
    fn no_page_of_the_data_table_is_for_ring_3() {
        let user: Vec<_> = DATA_TABLE.0.iter().filter(|&&entry| entry & 4 != 0).collect();
        assert!(user.is_empty());
    }
}
