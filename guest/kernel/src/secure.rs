//! Parts of the address space that only guests have whose host does not see their memory.

use crate::layout::{POOL_PA, POOL_TABLES, RING0_STACK_STRIDE, STACKS_PA};
use vial_abi::memory::{
    CERTIFICATES_BYTES, CERTIFICATES_PA, CPUID_PA, HANDOFF_PA, KERNEL_DATA_PA, LINEAR_VA, MAX_CPUS,
    OTHER_CPUS_PA, PAGE, Region, SHARED_END_PA, SHARED_PA,
};
use vial_hal::page::Access;
use vial_hal::space::{AddressSpace, MapError, TableMemory};

/// What [`crate::layout::DATA_TABLE`] maps, by entries that say it is private.
pub(crate) fn map_data<M: TableMemory>(space: &mut AddressSpace<M>) -> Result<(), MapError> {
    let data = Region { pa: KERNEL_DATA_PA, len: POOL_PA + POOL_TABLES * PAGE - KERNEL_DATA_PA };
    space.map(data.pa, data, Access::KernelData)?;
    for stack in 0..=u64::from(MAX_CPUS) {
        let pages = Region { pa: STACKS_PA + stack * RING0_STACK_STRIDE + PAGE, len: 2 * PAGE };
        space.map(pages.pa, pages, Access::KernelData)?;
    }
    space.map(HANDOFF_PA, Region { pa: HANDOFF_PA, len: PAGE }, Access::KernelData)
}

/// Ring 0 has the other cpus' page, behind it those of a secure processor, and the pages it shares with the host; ring 3 reads the
/// host's certificates. With TDX the latter and the secure processor's pages are there and say nothing.
/// Devices have no page: their registers are reached by calls.
pub(crate) fn map_pages<M: TableMemory>(space: &mut AddressSpace<M>) -> Result<(), MapError> {
    let secure = Region { pa: OTHER_CPUS_PA, len: CPUID_PA + PAGE - OTHER_CPUS_PA };
    space.map(secure.pa, secure, Access::KernelData)?;
    let shared = Region { pa: SHARED_PA, len: SHARED_END_PA - SHARED_PA };
    space.map_shared(shared.pa, shared, Access::KernelData)?;
    let certificates = Region { pa: CERTIFICATES_PA, len: CERTIFICATES_BYTES };
    space.map_shared(LINEAR_VA + certificates.pa, certificates, Access::UserConst)
}
