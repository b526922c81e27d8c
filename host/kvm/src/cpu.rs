//! One virtual cpu.

use kvm_bindings::{
    KVM_MEMORY_EXIT_FLAG_PRIVATE, KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE, KVM_SYSTEM_EVENT_SEV_TERM,
    Msrs, kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs,
};
use kvm_ioctls::{VcpuExit, VcpuFd};
use std::sync::Arc;
use vial_launch::{Segment, StartState};

use crate::machine::{KvmError, refused};
use crate::sev::{Ended, PrivateMemory, answer};

/// How a trust domain's cpus start. Spec: Intel TDX Module ABI (348551), "TD VCPU initial state".
const CR4_MCE: u64 = 1 << 6;
const EFER_LONG_MODE: u64 = 1 << 8 | 1 << 11;

/// A virtual cpu; belongs to the thread that runs it.
#[derive(Debug)]
pub struct Cpu {
    vcpu: VcpuFd,
    /// Memory whose pages the guest may share, or not.
    memory: Option<Arc<PrivateMemory>>,
}

/// Why the guest stopped for the VMM.
#[derive(Debug)]
pub enum Exit<'a> {
    /// Wrote these bytes to a port.
    Out(u16, &'a [u8]),
    /// Reads a port into these bytes.
    In(u16, &'a mut [u8]),
    /// Wrote these bytes to an address that is no memory.
    Write(u64, &'a [u8]),
    /// Reads an address that is no memory.
    Read(u64, &'a mut [u8]),
    /// Nothing for the VMM to do.
    Nothing,
    /// The cpu cannot go on, and why.
    Broken(String),
}

impl Cpu {
    pub(crate) fn new(vcpu: VcpuFd) -> Self {
        Self { vcpu, memory: None }
    }

    /// One that converts pages of `memory` as its guest asks.
    pub(crate) fn with(vcpu: VcpuFd, memory: Arc<PrivateMemory>) -> Self {
        Self { vcpu, memory: Some(memory) }
    }

    /// Sets the registers of the load plan.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn start_in(&self, start: &StartState) -> Result<(), KvmError> {
        self.start_from(self.special()?, start)
    }

    /// Sets these registers and clears all others, as they are measured.
    pub(crate) fn start_measured(&self, start: &StartState) -> Result<(), KvmError> {
        let apic_base = self.special()?.apic_base;
        self.start_from(kvm_sregs { apic_base, ..kvm_sregs::default() }, start)
    }

    fn special(&self) -> Result<kvm_sregs, KvmError> {
        self.vcpu.get_sregs().map_err(refused("read registers"))
    }

    fn start_from(&self, mut special: kvm_sregs, start: &StartState) -> Result<(), KvmError> {
        special.cs = segment(&start.code);
        for data in [&mut special.ds, &mut special.es, &mut special.fs, &mut special.gs, &mut special.ss] {
            *data = segment(&start.data);
        }
        special.tr = segment(&start.task);
        special.cr0 = start.cr0;
        self.vcpu.set_sregs(&special).map_err(refused("set registers"))?;
        let general = kvm_regs { rip: start.rip, rflags: start.rflags, ..kvm_regs::default() };
        self.vcpu.set_regs(&general).map_err(refused("set registers"))
    }

    /// Sets the registers of the load plan as a cpu of a trust domain has them: guest addresses have `width` bits, its number is
    /// `index`, and it is ready for long mode.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn start_in_domain(&self, start: &StartState, width: u8, index: u32) -> Result<(), KvmError> {
        let special = kvm_sregs { cr4: CR4_MCE, efer: EFER_LONG_MODE, ..self.special()? };
        self.start_from(special, start)?;
        let mut general = self.vcpu.get_regs().map_err(refused("read registers"))?;
        (general.rbx, general.rsi) = (width.into(), index.into());
        self.vcpu.set_regs(&general).map_err(refused("set registers"))
    }

    /// RAX, RCX, RDX, R8, R10 to R15.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn operands(&self) -> Result<[u64; 10], KvmError> {
        let it = self.vcpu.get_regs().map_err(refused("read registers"))?;
        Ok([it.rax, it.rcx, it.rdx, it.r8, it.r10, it.r11, it.r12, it.r13, it.r14, it.r15])
    }

    /// Sets them.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn set_operands(&self, values: [u64; 10]) -> Result<(), KvmError> {
        let mut general = self.vcpu.get_regs().map_err(refused("read registers"))?;
        let it = &mut general;
        [it.rax, it.rcx, it.rdx, it.r8, it.r10, it.r11, it.r12, it.r13, it.r14, it.r15] = values;
        self.vcpu.set_regs(&general).map_err(refused("set registers"))
    }

    /// Lets it wait for an interrupt before it goes on, or go on although nothing has started it.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn set_halted(&self, is_halted: bool) -> Result<(), KvmError> {
        let mp_state = if is_halted { KVM_MP_STATE_HALTED } else { KVM_MP_STATE_RUNNABLE };
        self.vcpu.set_mp_state(kvm_mp_state { mp_state }).map_err(refused("set whether a cpu runs"))
    }

    /// Reads a model-specific register as the guest would; `None` where KVM knows none.
    #[must_use]
    pub fn msr(&self, register: u32) -> Option<u64> {
        let entry = kvm_msr_entry { index: register, ..kvm_msr_entry::default() };
        let mut list = Msrs::from_entries(&[entry]).ok()?;
        let read = self.vcpu.get_msrs(&mut list).ok()?;
        list.as_slice().first().filter(|_| read == 1).map(|entry| entry.data)
    }

    /// Writes one; `None` where KVM takes it not.
    #[must_use]
    pub fn set_msr(&self, register: u32, value: u64) -> Option<()> {
        let entry = kvm_msr_entry { index: register, data: value, ..kvm_msr_entry::default() };
        let list = Msrs::from_entries(&[entry]).ok()?;
        (self.vcpu.set_msrs(&list).ok()? == 1).then_some(())
    }

    /// Its root table's address as the guest wrote it; `None` while it has no paging.
    #[must_use]
    pub fn tables(&self) -> Option<u64> {
        let special = self.vcpu.get_sregs().ok()?;
        (special.cr0 >> 31 & 1 == 1).then_some(special.cr3)
    }

    /// Runs the guest until it needs the VMM. Pages that it wants shared, or private, are converted here.
    ///
    /// # Errors
    /// KVM itself failed.
    pub fn run(&mut self) -> Result<Exit<'_>, KvmError> {
        match self.vcpu.run() {
            Ok(VcpuExit::Hypercall(call)) => {
                answer(self.memory.as_deref(), call);
                Ok(Exit::Nothing)
            }
            Ok(exit) => Ok(of_exit(exit)),
            Err(error) if error.errno() == libc::EINTR || error.errno() == libc::EAGAIN => Ok(Exit::Nothing),
            Err(error) => Err(refused("run a cpu")(error)),
        }
    }

    /// Where it stands, for people; 0 if that cannot be told.
    #[must_use]
    pub fn instruction(&self) -> u64 {
        self.vcpu.get_regs().map(|registers| registers.rip).unwrap_or_default()
    }
}

fn of_exit(exit: VcpuExit<'_>) -> Exit<'_> {
    let broken = |why: &str| Exit::Broken(why.to_owned());
    match exit {
        VcpuExit::IoOut(port, bytes) => Exit::Out(port, bytes),
        VcpuExit::IoIn(port, bytes) => Exit::In(port, bytes),
        VcpuExit::MmioWrite(address, bytes) => Exit::Write(address, bytes),
        VcpuExit::MmioRead(address, bytes) => Exit::Read(address, bytes),
        VcpuExit::Shutdown => broken("triple fault"),
        VcpuExit::InternalError => broken("an instruction KVM cannot emulate"),
        VcpuExit::FailEntry(..) => broken("a state the processor does not enter"),
        VcpuExit::SystemEvent(KVM_SYSTEM_EVENT_SEV_TERM, data) => {
            Exit::Broken(Ended::Terminated(data.first().copied().unwrap_or_default()).to_string())
        }
        VcpuExit::SystemEvent(..) => broken("a reset"),
        VcpuExit::MemoryFault { flags, gpa, size } => {
            let is_private = flags & u64::from(KVM_MEMORY_EXIT_FLAG_PRIVATE) != 0;
            Exit::Broken(Ended::Fault { is_private, gpa, size }.to_string())
        }
        _ => Exit::Nothing,
    }
}

/// Source: VMCB attribute form, AMD APM vol. 2 (24593) rev 3.42 §15.5.1.
fn segment(from: &Segment) -> kvm_segment {
    let bit = |at: u16| u8::from(from.attributes >> at & 1 == 1);
    let field = |at: u16, mask: u16| u8::try_from(from.attributes >> at & mask).unwrap_or_default();
    kvm_segment {
        base: from.base,
        limit: from.limit,
        selector: from.selector,
        type_: field(0, 15),
        s: bit(4),
        dpl: field(5, 3),
        present: bit(7),
        avl: bit(8),
        l: bit(9),
        db: bit(10),
        g: bit(11),
        unusable: 0,
        padding: 0,
    }
}
