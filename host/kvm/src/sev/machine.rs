//! A machine of SEV-SNP.

use kvm_bindings::{
    CpuId, KVM_CAP_EXIT_HYPERCALL, KVM_MAX_CPUID_ENTRIES, KVM_X86_SNP_VM, kvm_enable_cap, kvm_sev_init,
};
use kvm_ioctls::VmFd;
use std::fs::File;
use std::sync::Arc;
use vial_abi::launch_page::Tee;
use vial_abi::memory::{PAGE, Region};
use vial_launch::Part;

use crate::board::Board;
use crate::cpu::Cpu;
use crate::feature::features;
use crate::machine::refused;
use crate::memory::Memory;
use crate::sev::command::{Channel, Command};
use crate::sev::host::{self, MAP_GPA_RANGE};
use crate::sev::launch::{self, Launch};
use crate::sev::memory::PrivateMemory;
use crate::sev::{SevError, cpuid};

const INIT: Command = Command { number: 22, name: "SEV_INIT2" };
/// Version of the protocol between guest and host. Spec: AMD GHCB (56421) rev 2.04.
const GHCB_VERSION: u16 = 2;

/// A machine whose memory and registers this process cannot read. It lives as long as this and its cpus do.
#[derive(Debug)]
pub struct SevMachine {
    vm: Arc<VmFd>,
    device: File,
    board: Board,
    memory: Arc<PrivateMemory>,
    cpuid: CpuId,
}

impl SevMachine {
    /// A machine with this memory, private but for `shared` (whole pages), and the kernel's interrupt controllers. `memory` is what
    /// the guest shares: nothing that is written to it elsewhere reaches the guest.
    ///
    /// # Errors
    /// What host or kernel cannot do, or what they refused.
    pub fn new(memory: &Memory, shared: &[Region]) -> Result<Self, SevError> {
        let (kvm, device) = host::open()?;
        let vm = kvm.create_vm_with_type(KVM_X86_SNP_VM.into()).map_err(refused("create a machine"))?;
        let vm = Arc::new(vm);
        init(Channel { vm: &vm, device: &device })?;
        vm.enable_cap(&conversions()).map_err(refused("hear of conversions"))?;
        let board = Board::new(Arc::clone(&vm))?;
        let memory = Arc::new(PrivateMemory::new(Arc::clone(&vm), memory, shared)?);
        let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
        let cpuid = cpuid.map_err(refused("read supported features"))?;
        Ok(Self { vm, device, board, memory, cpuid })
    }

    /// Where devices connect.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Makes the plan's cpus, loads and measures it, and seals it all. A machine is launched once.
    ///
    /// # Errors
    /// The plan does not fit the machine, or what kernel or secure processor refused. The machine is of no use then.
    pub fn launch(&self, launch: &Launch<'_>) -> Result<Vec<Cpu>, SevError> {
        let parts = launch.plan.parts();
        self.check(&parts)?;
        check_c_bit(&self.cpuid, launch.plan.tee())?;
        let cpuid = cpuid::page(&self.features(0))?;
        let channel = Channel { vm: &self.vm, device: &self.device };
        launch::start(channel, launch.policy)?;
        // Registers must be set before the end, when they are measured and sealed.
        let cpus = (0..launch.plan.cpus()).map(|index| self.cpu(index, launch));
        let cpus = cpus.collect::<Result<Vec<_>, _>>()?;
        parts.iter().try_for_each(|part| launch::load(channel, part, &cpuid))?;
        launch::finish(channel, launch)?;
        Ok(cpus)
    }

    fn cpu(&self, index: u32, launch: &Launch<'_>) -> Result<Cpu, SevError> {
        let vcpu = self.vm.create_vcpu(index.into()).map_err(refused("create a cpu"))?;
        vcpu.set_cpuid2(&self.features(index)).map_err(refused("set a cpu's features"))?;
        let cpu = Cpu::with(vcpu, Arc::clone(&self.memory));
        let start = if index == 0 { launch.plan.start() } else { launch.plan.other_start() };
        cpu.start_measured(start)?;
        Ok(cpu)
    }

    fn features(&self, index: u32) -> CpuId {
        cpuid::without_refused(features(&self.cpuid, index))
    }

    /// The secure processor would refuse most of this, half-way and in fewer words.
    fn check(&self, parts: &[Part]) -> Result<(), SevError> {
        let mut expected = 0;
        for part in parts {
            let (gpa, bytes) = (part.gpa, part.end().saturating_sub(part.gpa));
            let is_whole = bytes > 0 && gpa.is_multiple_of(PAGE) && bytes.is_multiple_of(PAGE);
            if !is_whole || !self.memory.starts_private(gpa, bytes) {
                return Err(SevError::Place { gpa, bytes });
            }
            if gpa < expected {
                return Err(SevError::Order { gpa, expected });
            }
            expected = part.end();
        }
        Ok(())
    }
}

/// A guest that sets another bit in its page tables than its processor means does not get beyond its first page fault.
/// Spec: AMD APM vol. 3 (24594) appendix E, CPUID 8000_001FH.
fn check_c_bit(cpuid: &CpuId, tee: Tee) -> Result<(), SevError> {
    let leaf = cpuid.as_slice().iter().find(|entry| entry.function == 0x8000_001F && entry.eax != 0);
    match (tee, leaf.map(|entry| entry.ebx & 0x3F)) {
        (Tee::SevSnp { c_bit }, Some(expected)) if u32::from(c_bit) != expected => {
            Err(SevError::CBit { found: c_bit, expected })
        }
        (Tee::SevSnp { .. }, _) => Ok(()),
        (found, _) => Err(SevError::Plan { found }),
    }
}

/// Nothing is added to the registers' features: SEV-SNP itself is the kernel's to set.
fn init(channel: Channel<'_>) -> Result<(), SevError> {
    let mut data = kvm_sev_init { ghcb_version: GHCB_VERSION, ..kvm_sev_init::default() };
    channel.issue(INIT, &mut data).map_err(|refusal| refusal.at(0))
}

/// Guests' wishes to share pages, or not to, come to this process.
fn conversions() -> kvm_enable_cap {
    let mut wanted = kvm_enable_cap { cap: KVM_CAP_EXIT_HYPERCALL, ..kvm_enable_cap::default() };
    wanted.args[0] = 1 << MAP_GPA_RANGE;
    wanted
}
