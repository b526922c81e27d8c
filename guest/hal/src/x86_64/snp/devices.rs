//! Device registers that ring 3 does not see.

use super::secure;
use crate::platform::Devices;
use crate::x86_64::Hardware;
use vial_abi::call::CallError;
use vial_abi::memory::VIRTIO_PA;

impl Devices for Hardware {
    fn read_device(&mut self, offset: u64) -> Result<u32, CallError> {
        let secure = secure().ok_or(CallError::UnknownCall)?;
        Ok(secure.seat(self.ring0).ask(|ghcb| ghcb.read_device(VIRTIO_PA + offset)))
    }

    fn write_device(&mut self, offset: u64, value: u32) -> Result<(), CallError> {
        let secure = secure().ok_or(CallError::UnknownCall)?;
        secure.seat(self.ring0).ask(|ghcb| ghcb.write_device(VIRTIO_PA + offset, value));
        Ok(())
    }
}
