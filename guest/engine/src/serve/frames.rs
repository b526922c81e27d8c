//! Frames in and out, and sleep between them.

use vial_user::syscall;
use vial_user::virtio::DeviceError;
use vial_user::virtio::net::FRAME_BYTES;

use super::Appliance;

/// Longest sleep. The host may lose an interrupt, or withhold it; a frame then waits no longer than this.
const NAP_NS: u64 = 100_000_000;

impl Appliance<'_> {
    pub(super) fn take_frames(&mut self) -> Result<bool, DeviceError> {
        let mut is_any = false;
        let mut frame = [0; FRAME_BYTES];
        while let Some(len) = self.net.receive(&mut frame)? {
            self.server.receive(frame.get(..len).unwrap_or_default().to_vec());
            is_any = true;
        }
        Ok(is_any)
    }

    pub(super) fn send_frames(&mut self) -> Result<bool, DeviceError> {
        let mut is_any = false;
        while let Some(frame) = self.server.next_frame() {
            if !self.net.send(&frame)? {
                self.server.keep_frame(frame);
                break;
            }
            is_any = true;
        }
        self.net.notify();
        Ok(is_any)
    }

    /// Sleeps until a frame comes or a timer is due.
    pub(super) fn wait(&mut self) -> Result<(), DeviceError> {
        let now_ns = self.clock.now_ns();
        let delay_ns = self.server.poll_delay_ns(now_ns).unwrap_or(NAP_NS).min(NAP_NS);
        self.net.set_interrupts(true);
        // A frame that came before the switch would not interrupt.
        if !self.take_frames()? && delay_ns > 0 {
            syscall::wait(self.clock.ticks_at(now_ns.saturating_add(delay_ns)));
        }
        self.net.set_interrupts(false);
        self.net.acknowledge();
        Ok(())
    }
}
