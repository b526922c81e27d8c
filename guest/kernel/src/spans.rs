//! The engine's memory as its calls may name it.

use crate::layout::EngineMemory;
use vial_abi::call::CallError;
use vial_abi::memory::{
    DMA_BYTES, DMA_PA, ENGINE_BYTES, ENGINE_DATA_OFFSET, ENGINE_RODATA_OFFSET, ENGINE_VA, HANDOFF_PA,
    LARGE_PAGE, LINEAR_VA, PAGE, Region, STACK_STRIDE, STACKS_VA,
};
use vial_hal::range::{Span, UserInput, UserOutput, UserSpans};

/// Everything but the stacks.
#[derive(Clone, Copy, Debug)]
pub struct EngineSpans([Span; 7]);

impl EngineSpans {
    /// The spans of `memory`. Text is left out: no call takes data from it.
    #[must_use]
    pub const fn new(memory: &EngineMemory) -> Self {
        let [low, high] = memory.heap;
        Self([
            data(low),
            Span::data(ENGINE_VA + ENGINE_DATA_OFFSET, ENGINE_BYTES - ENGINE_DATA_OFFSET),
            Span::constant(ENGINE_VA + ENGINE_RODATA_OFFSET, ENGINE_DATA_OFFSET - ENGINE_RODATA_OFFSET),
            data(high),
            data(Region { pa: DMA_PA, len: DMA_BYTES }),
            constant(memory.blobs),
            constant(Region { pa: HANDOFF_PA, len: PAGE }),
        ])
    }

    /// Checks a buffer that `cpu` gives to be read.
    ///
    /// # Errors
    /// [`CallError::BadRange`].
    pub fn input(&self, cpu: u32, address: u64, len: u64) -> Result<UserInput, CallError> {
        let stack = [stack(cpu)];
        UserSpans(&stack).input(address, len).or_else(|_| UserSpans(&self.0).input(address, len))
    }

    /// Checks a buffer that `cpu` gives to be written.
    ///
    /// # Errors
    /// [`CallError::BadRange`].
    pub fn output(&self, cpu: u32, address: u64, len: u64) -> Result<UserOutput, CallError> {
        let stack = [stack(cpu)];
        UserSpans(&stack).output(address, len).or_else(|_| UserSpans(&self.0).output(address, len))
    }
}

fn stack(cpu: u32) -> Span {
    let top = STACKS_VA + STACK_STRIDE * (u64::from(cpu) + 1);
    Span::data(top - LARGE_PAGE, LARGE_PAGE)
}

const fn data(region: Region) -> Span {
    Span::data(LINEAR_VA + region.pa, region.len)
}

const fn constant(region: Region) -> Span {
    Span::constant(LINEAR_VA + region.pa, region.len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::tests::handoff;
    use vial_abi::memory::{BLOBS_PA, KERNEL_DATA_PA, VIRTIO_PA};

    fn spans() -> EngineSpans {
        EngineSpans::new(&EngineMemory::from_handoff(&handoff(512 << 20, 2)).unwrap())
    }

    #[test]
    fn the_engine_may_name_its_own_memory() {
        let end = LINEAR_VA + (512 << 20);
        for address in [STACKS_VA + STACK_STRIDE - 8, ENGINE_VA + ENGINE_DATA_OFFSET, end - 8] {
            assert_eq!(spans().output(0, address, 8).unwrap().address(), address);
        }
        assert_eq!(spans().input(0, LINEAR_VA + BLOBS_PA, 8).unwrap().len(), 8);
    }

    #[test]
    fn kernel_registers_and_constants_are_refused() {
        for address in [0, KERNEL_DATA_PA, LINEAR_VA + VIRTIO_PA, LINEAR_VA + KERNEL_DATA_PA, u64::MAX] {
            assert_eq!(spans().input(0, address, 8), Err(CallError::BadRange), "{address:#x}");
        }
        for address in [LINEAR_VA + BLOBS_PA, LINEAR_VA + HANDOFF_PA, ENGINE_VA + ENGINE_RODATA_OFFSET] {
            assert_eq!(spans().output(0, address, 8), Err(CallError::BadRange), "{address:#x}");
        }
    }

    #[test]
    fn a_stack_is_its_own_cpus() {
        let address = STACKS_VA + 2 * STACK_STRIDE - 8;
        assert_eq!(spans().output(1, address, 8).unwrap().address(), address);
        assert_eq!(spans().output(0, address, 8), Err(CallError::BadRange));
    }
}
