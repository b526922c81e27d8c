//! A virtual machine: memory, interrupt controllers, doorbells, cpus.
#![expect(unsafe_code, reason = "registers guest memory with the kernel")]

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VmFd};
use std::sync::Arc;
use vial_launch::StartState;
use vm_memory::{GuestMemoryBackend as _, GuestMemoryRegion as _};

use crate::board::Board;
use crate::cpu::Cpu;
use crate::feature::features;
use crate::memory::Memory;

/// Three pages for the processor's real-mode emulation, in the hole below 4 GiB.
const TSS_PA: usize = 0xFFFB_D000;

/// First slot of memory that is shown once more.
const ALIASES: u32 = 8;

/// What CPUID says for one leaf and subleaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuidLeaf {
    /// EAX and ECX before.
    pub asked: [u32; 2],
    /// EAX, EBX, ECX, EDX after.
    pub found: [u32; 4],
}

/// What KVM refused.
#[derive(Debug)]
pub struct KvmError {
    /// What was asked.
    pub what: &'static str,
    /// Why it was refused.
    pub error: std::io::Error,
}

impl core::fmt::Display for KvmError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "/dev/kvm: {}: {}", self.what, self.error)
    }
}

impl core::error::Error for KvmError {}

pub(crate) fn refused(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> KvmError {
    move |error| KvmError { what, error: error.into() }
}

/// A virtual machine. Its interrupts end when this is dropped, even while its cpus run on.
#[derive(Debug)]
pub struct Machine {
    vm: Arc<VmFd>,
    board: Board,
    cpuid: CpuId,
}

impl Machine {
    /// A machine with this memory and the kernel's interrupt controllers.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn new(memory: &Memory) -> Result<Self, KvmError> {
        ask_for_tiles();
        let kvm = Kvm::new().map_err(refused("open"))?;
        let vm = kvm.create_vm().map_err(refused("create a machine"))?;
        vm.set_tss_address(TSS_PA).map_err(refused("set the task state's place"))?;
        let vm = Arc::new(vm);
        let board = Board::new(Arc::clone(&vm))?;
        let cpuid =
            kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(refused("read supported features"))?;
        let machine = Self { vm, board, cpuid };
        machine.add(memory, 0, 0)?;
        Ok(machine)
    }

    /// Shows `memory`, a part of the machine's or all, once more at its addresses plus `offset`.
    ///
    /// # Errors
    /// What KVM refused: an offset beyond the addresses that the processor knows.
    pub fn alias(&self, memory: &Memory, offset: u64) -> Result<(), KvmError> {
        self.add(memory, ALIASES, offset)
    }

    /// What KVM offers guests of CPUID.
    pub fn cpuid(&self) -> impl Iterator<Item = CpuidLeaf> {
        self.cpuid.as_slice().iter().map(|entry| CpuidLeaf {
            asked: [entry.function, entry.index],
            found: [entry.eax, entry.ebx, entry.ecx, entry.edx],
        })
    }

    /// Where devices connect. Their interrupts end with the machine.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    fn add(&self, memory: &Memory, first_slot: u32, offset: u64) -> Result<(), KvmError> {
        for (slot, region) in (first_slot..).zip(memory.iter()) {
            let region = kvm_userspace_memory_region {
                slot,
                flags: 0,
                guest_phys_addr: region.start_addr().0 + offset,
                memory_size: region.len(),
                userspace_addr: region.as_ptr().expose_provenance() as u64,
            };
            // SAFETY: the region is a mapping of that length that lives as long as the process.
            unsafe { self.vm.set_user_memory_region(region) }.map_err(refused("add memory"))?;
        }
        Ok(())
    }

    /// Cpu `index`; cpu 0 starts in `start`, the others wait for INIT and SIPI.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn cpu(&self, index: u32, start: &StartState) -> Result<Cpu, KvmError> {
        let vcpu = self.vm.create_vcpu(index.into()).map_err(refused("create a cpu"))?;
        vcpu.set_cpuid2(&features(&self.cpuid, index)).map_err(refused("set a cpu's features"))?;
        let cpu = Cpu::new(vcpu);
        if index == 0 {
            cpu.start_in(start)?;
        }
        Ok(cpu)
    }
}

/// Asks the kernel to let machines of this process have the state of AMX tiles, which KVM otherwise does not offer them. Where
/// there is none, or it is refused, machines do without. Source: Linux, Documentation/arch/x86/xstate.rst.
fn ask_for_tiles() {
    const ARCH_REQ_XCOMP_GUEST_PERM: libc::c_long = 0x1025;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call changes what machines may use, and no memory.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM, XFEATURE_XTILEDATA) };
}
