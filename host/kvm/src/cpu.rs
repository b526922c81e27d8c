//! One virtual cpu.

use kvm_bindings::{kvm_regs, kvm_segment};
use kvm_ioctls::{VcpuExit, VcpuFd};
use vial_launch::{Segment, StartState};

use crate::machine::{KvmError, refused};

/// A virtual cpu; belongs to the thread that runs it.
#[derive(Debug)]
pub struct Cpu(VcpuFd);

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
    Broken(&'static str),
}

impl Cpu {
    pub(crate) fn new(vcpu: VcpuFd) -> Self {
        Self(vcpu)
    }

    /// Sets the registers of the load plan.
    pub(crate) fn start_in(&self, start: &StartState) -> Result<(), KvmError> {
        let mut special = self.0.get_sregs().map_err(refused("read registers"))?;
        special.cs = segment(&start.code);
        for data in [&mut special.ds, &mut special.es, &mut special.fs, &mut special.gs, &mut special.ss] {
            *data = segment(&start.data);
        }
        special.tr = segment(&start.task);
        special.cr0 = start.cr0;
        self.0.set_sregs(&special).map_err(refused("set registers"))?;
        let general = kvm_regs { rip: start.rip, rflags: start.rflags, ..kvm_regs::default() };
        self.0.set_regs(&general).map_err(refused("set registers"))
    }

    /// Runs the guest until it needs the VMM.
    ///
    /// # Errors
    /// KVM itself failed.
    pub fn run(&mut self) -> Result<Exit<'_>, KvmError> {
        match self.0.run() {
            Ok(exit) => Ok(of_exit(exit)),
            Err(error) if error.errno() == libc::EINTR || error.errno() == libc::EAGAIN => Ok(Exit::Nothing),
            Err(error) => Err(refused("run a cpu")(error)),
        }
    }

    /// Where it stands, for people; 0 if that cannot be told.
    #[must_use]
    pub fn instruction(&self) -> u64 {
        self.0.get_regs().map(|registers| registers.rip).unwrap_or_default()
    }
}

fn of_exit(exit: VcpuExit<'_>) -> Exit<'_> {
    match exit {
        VcpuExit::IoOut(port, bytes) => Exit::Out(port, bytes),
        VcpuExit::IoIn(port, bytes) => Exit::In(port, bytes),
        VcpuExit::MmioWrite(address, bytes) => Exit::Write(address, bytes),
        VcpuExit::MmioRead(address, bytes) => Exit::Read(address, bytes),
        VcpuExit::Shutdown => Exit::Broken("triple fault"),
        VcpuExit::InternalError => Exit::Broken("an instruction KVM cannot emulate"),
        VcpuExit::FailEntry(..) => Exit::Broken("a state the processor does not enter"),
        VcpuExit::SystemEvent(..) => Exit::Broken("a reset"),
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
