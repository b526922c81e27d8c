//! A virtual machine: memory, interrupt controllers, doorbells, cpus.
#![expect(unsafe_code, reason = "registers guest memory with the kernel")]

use kvm_bindings::{
    CpuId, KVM_IRQ_ROUTING_MSI, KVM_MAX_CPUID_ENTRIES, KvmIrqRouting, kvm_irq_routing_entry,
    kvm_irq_routing_entry__bindgen_ty_1, kvm_irq_routing_msi, kvm_userspace_memory_region,
};
use kvm_ioctls::{IoEventAddress, Kvm, VmFd};
use std::io::ErrorKind;
use vial_abi::memory::{DEVICE_VECTOR, VIRTIO_IRQ, VIRTIO_SLOTS};
use vial_launch::StartState;
use vm_memory::{GuestMemoryBackend as _, GuestMemoryRegion as _};
use vmm_sys_util::eventfd::EventFd;

use crate::cpu::Cpu;
use crate::memory::Memory;

/// Three pages for the processor's real-mode emulation, in the hole below 4 GiB.
const TSS_PA: usize = 0xFFFB_D000;
/// Where messages to cpu 0's APIC go. Spec: Intel SDM vol. 3 §10.11.
const MESSAGE_PA: u32 = 0xFEE0_0000;

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
    vm: VmFd,
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
        vm.create_irq_chip().map_err(refused("create interrupt controllers"))?;
        let cpuid =
            kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(refused("read supported features"))?;
        let machine = Self { vm, cpuid };
        machine.route()?;
        machine.add(memory)?;
        Ok(machine)
    }

    /// Devices' interrupts are messages to cpu 0: they take no detour over a kernel thread, as those of a controller's pin
    /// do, and the guest has no pins to program.
    fn route(&self) -> Result<(), KvmError> {
        let pins = VIRTIO_IRQ..VIRTIO_IRQ + u32::try_from(VIRTIO_SLOTS).unwrap_or(0);
        let entries: Vec<_> = pins.map(route).collect();
        let failed = |_| KvmError { what: "route interrupts", error: ErrorKind::OutOfMemory.into() };
        let routing = KvmIrqRouting::from_entries(&entries).map_err(failed)?;
        self.vm.set_gsi_routing(&routing).map_err(refused("route interrupts"))
    }

    fn add(&self, memory: &Memory) -> Result<(), KvmError> {
        for (slot, region) in (0..).zip(memory.iter()) {
            let region = kvm_userspace_memory_region {
                slot,
                flags: 0,
                guest_phys_addr: region.start_addr().0,
                memory_size: region.len(),
                userspace_addr: region.as_ptr().expose_provenance() as u64,
            };
            // SAFETY: the region is a mapping of that length that lives as long as the process.
            unsafe { self.vm.set_user_memory_region(region) }.map_err(refused("add memory"))?;
        }
        Ok(())
    }

    /// Interrupts cpu 0 for pin `pin` whenever `event` is written.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn interrupt(&self, event: &EventFd, pin: u32) -> Result<(), KvmError> {
        self.vm.register_irqfd(event, pin).map_err(refused("connect an interrupt"))
    }

    /// Writes `event` whenever the guest stores the 32-bit `value` to `address`.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn doorbell(&self, event: &EventFd, address: u64, value: u32) -> Result<(), KvmError> {
        let address = IoEventAddress::Mmio(address);
        self.vm.register_ioevent(event, &address, value).map_err(refused("connect a doorbell"))
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

/// Interrupt `pin` is a message with the devices' vector: fixed, edge.
fn route(pin: u32) -> kvm_irq_routing_entry {
    let msi = kvm_irq_routing_msi {
        address_lo: MESSAGE_PA,
        data: DEVICE_VECTOR.into(),
        ..kvm_irq_routing_msi::default()
    };
    let u = kvm_irq_routing_entry__bindgen_ty_1 { msi };
    kvm_irq_routing_entry { gsi: pin, type_: KVM_IRQ_ROUTING_MSI, u, ..kvm_irq_routing_entry::default() }
}

/// The host's features with the cpu's own number, the deadline timer and the hypervisor bit.
/// Spec: Intel SDM vol. 2A, CPUID leaves 1, 0BH, 1FH.
fn features(supported: &CpuId, index: u32) -> CpuId {
    let mut cpuid = supported.clone();
    for entry in cpuid.as_mut_slice() {
        match entry.function {
            1 => {
                entry.ebx = entry.ebx & 0x00FF_FFFF | index << 24;
                entry.ecx |= 1 << 24 | 1 << 31;
            }
            0xB | 0x1F => entry.edx = index,
            _ => {}
        }
    }
    cpuid
}
