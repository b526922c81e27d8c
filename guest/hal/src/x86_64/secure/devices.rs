//! Device registers that ring 3 does not see.

use super::{Secure, secure};
use crate::platform::Devices;
use crate::x86_64::Hardware;
use vial_abi::call::CallError;
use vial_abi::memory::VIRTIO_PA;
use vial_tdx::instruction::{Width, read_mmio, write_mmio};

impl Devices for Hardware {
    fn read_device(&mut self, offset: u64) -> Result<u32, CallError> {
        let pa = VIRTIO_PA + offset;
        Ok(match secure().ok_or(CallError::UnknownCall)? {
            Secure::Snp(guest) => guest.seat(self.ring0).ask(|ghcb| ghcb.read_device(pa)),
            Secure::Tdx(domain) => {
                let gpa = domain.shared_bit().share(pa);
                domain.seat(self.ring0).ask(|seat| read_mmio(seat, gpa, Width::Four)) as u32
            }
        })
    }

    fn write_device(&mut self, offset: u64, value: u32) -> Result<(), CallError> {
        let pa = VIRTIO_PA + offset;
        match secure().ok_or(CallError::UnknownCall)? {
            Secure::Snp(guest) => guest.seat(self.ring0).ask(|ghcb| ghcb.write_device(pa, value)),
            Secure::Tdx(domain) => {
                let gpa = domain.shared_bit().share(pa);
                domain.seat(self.ring0).ask(|seat| write_mmio(seat, gpa, Width::Four, value.into()));
            }
        }
        Ok(())
    }
}
