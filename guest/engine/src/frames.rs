//! Frames in and out, and sleep between them.

use vial_net::Server;
use vial_user::clock::Clock;
use vial_user::syscall;
use vial_user::virtio::net::FRAME_BYTES;
use vial_user::virtio::{DeviceError, Net};

/// Longest sleep. The host may lose an interrupt, or withhold it; a frame then waits no longer than this.
const NAP_NS: u64 = 100_000_000;

/// Gives the server what came; `true` if something did.
pub(crate) fn take(net: &mut Net, server: &mut Server) -> Result<bool, DeviceError> {
    let mut is_any = false;
    let mut frame = [0; FRAME_BYTES];
    while let Some(len) = net.receive(&mut frame)? {
        server.receive(frame.get(..len).unwrap_or_default().to_vec());
        is_any = true;
    }
    Ok(is_any)
}

/// Sends what the server has and the card has room for; `true` if something went.
pub(crate) fn send(net: &mut Net, server: &mut Server) -> Result<bool, DeviceError> {
    let mut is_any = false;
    while let Some(frame) = server.next_frame() {
        if !net.send(&frame)? {
            server.keep_frame(frame);
            break;
        }
        is_any = true;
    }
    net.notify();
    Ok(is_any)
}

/// Sleeps until a frame comes or a timer is due.
pub(crate) fn wait(net: &mut Net, server: &mut Server, clock: &Clock) -> Result<(), DeviceError> {
    let now_ns = clock.now_ns();
    let delay_ns = server.poll_delay_ns(now_ns).unwrap_or(NAP_NS).min(NAP_NS);
    net.set_interrupts(true);
    // A frame that came before the switch would not interrupt.
    if !take(net, server)? && delay_ns > 0 {
        syscall::wait(clock.ticks_at(now_ns.saturating_add(delay_ns)));
    }
    net.set_interrupts(false);
    net.acknowledge();
    Ok(())
}
