//! Frames in and out, and sleep between them.

use vial_user::virtio::DeviceError;

use super::Appliance;
use crate::frames;

impl Appliance<'_> {
    pub(super) fn take_frames(&mut self) -> Result<bool, DeviceError> {
        frames::take(&mut self.net, &mut self.server)
    }

    pub(super) fn send_frames(&mut self) -> Result<bool, DeviceError> {
        frames::send(&mut self.net, &mut self.server)
    }

    /// Sleeps until a frame comes or a timer is due.
    pub(super) fn wait(&mut self) -> Result<(), DeviceError> {
        frames::wait(&mut self.net, &mut self.server, &self.clock)
    }
}
