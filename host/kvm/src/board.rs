//! Where devices connect to a machine: interrupts and doorbells.

use kvm_bindings::{
    KVM_IRQ_ROUTING_MSI, KvmIrqRouting, kvm_irq_routing_entry, kvm_irq_routing_entry__bindgen_ty_1,
    kvm_irq_routing_msi,
};
use kvm_ioctls::{IoEventAddress, VmFd};
use std::io::ErrorKind;
use std::sync::Arc;
use vial_abi::memory::{DEVICE_VECTOR, VIRTIO_IRQ, VIRTIO_SLOTS};
use vmm_sys_util::eventfd::EventFd;

use crate::machine::{KvmError, refused};

/// Where messages to cpu 0's APIC go. Spec: Intel SDM vol. 3 §10.11.
const MESSAGE_PA: u32 = 0xFEE0_0000;

/// The kernel's interrupt controllers and what devices connect to them.
#[derive(Debug)]
pub struct Board(Arc<VmFd>);

impl Board {
    /// Makes the interrupt controllers of a machine.
    ///
    /// Devices' interrupts are messages to cpu 0: they take no detour over a kernel thread, as those of a controller's pin
    /// do, and the guest has no pins to program.
    pub(crate) fn new(vm: Arc<VmFd>) -> Result<Self, KvmError> {
        vm.create_irq_chip().map_err(refused("create interrupt controllers"))?;
        let pins = VIRTIO_IRQ..VIRTIO_IRQ + u32::try_from(VIRTIO_SLOTS).unwrap_or(0);
        let entries: Vec<_> = pins.map(route).collect();
        let failed = |_| KvmError { what: "route interrupts", error: ErrorKind::OutOfMemory.into() };
        let routing = KvmIrqRouting::from_entries(&entries).map_err(failed)?;
        vm.set_gsi_routing(&routing).map_err(refused("route interrupts"))?;
        Ok(Self(vm))
    }

    /// Interrupts cpu 0 for pin `pin` whenever `event` is written.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn interrupt(&self, event: &EventFd, pin: u32) -> Result<(), KvmError> {
        self.0.register_irqfd(event, pin).map_err(refused("connect an interrupt"))
    }

    /// Writes `event` whenever the guest stores the 32-bit `value` to `address`.
    ///
    /// # Errors
    /// What KVM refused.
    pub fn doorbell(&self, event: &EventFd, address: u64, value: u32) -> Result<(), KvmError> {
        let address = IoEventAddress::Mmio(address);
        self.0.register_ioevent(event, &address, value).map_err(refused("connect a doorbell"))
    }
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
