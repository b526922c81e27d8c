//! The user-mode network: one guest at 10.0.2.15, this gateway at 10.0.2.2, TCP connections to the guest's port 443.
//!
//! A state machine over frames, bytes and times; sockets of the host are the caller's. smoltcp does TCP.

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Address};
use std::collections::VecDeque;

use crate::net::FRAME_BYTES;

/// The guest's own address on its card.
pub const GUEST_MAC: [u8; 6] = [0x02, b'v', b'i', b'a', b'l', 2];
const GATEWAY_MAC: [u8; 6] = [0x02, b'v', b'i', b'a', b'l', 1];
const GUEST: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const PORT: u16 = 443;
const BUFFER_BYTES: usize = 64 << 10;
/// A guest that does not answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Asks the guest whether it is there. It answers such a question with a segment that counts; its own questions do not count here,
/// since their one byte is from before the window.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// First of our own ports.
const FIRST_PORT: u16 = 32_768;

/// A connection to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection(SocketHandle);

/// The gateway's end of the cable.
pub struct Network {
    interface: Interface,
    cable: Cable,
    sockets: SocketSet<'static>,
    next_port: u16,
}

impl core::fmt::Debug for Network {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Network").field("cable", &self.cable).finish_non_exhaustive()
    }
}

/// Frames on their way.
#[derive(Debug, Default)]
struct Cable {
    from_guest: VecDeque<Vec<u8>>,
    to_guest: VecDeque<Vec<u8>>,
}

/// Most frames that wait for the guest to take them.
const WAITING_MAX: usize = 512;

impl Network {
    /// A network at time `now_us`; `seed` makes sequence numbers hard to guess.
    #[must_use]
    pub fn new(now_us: i64, seed: u64) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(GATEWAY_MAC)));
        config.random_seed = seed;
        let mut cable = Cable::default();
        let mut interface = Interface::new(config, &mut cable, Instant::from_micros(now_us));
        interface.update_ip_addrs(|addresses| {
            // The list has room for more than one address.
            let _full = addresses.push(IpCidr::new(IpAddress::Ipv4(GATEWAY), 24));
        });
        Self { interface, cable, sockets: SocketSet::new(Vec::new()), next_port: FIRST_PORT }
    }

    /// Takes a frame of the guest.
    pub fn receive(&mut self, frame: Vec<u8>) {
        self.cable.from_guest.push_back(frame);
    }

    /// The next frame for the guest.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.cable.to_guest.pop_front()
    }

    /// Gives a frame back that the guest had no room for.
    pub fn keep_frame(&mut self, frame: Vec<u8>) {
        self.cable.to_guest.push_front(frame);
    }

    /// Handles frames and timers.
    pub fn poll(&mut self, now_us: i64) {
        self.interface.poll(Instant::from_micros(now_us), &mut self.cable, &mut self.sockets);
    }

    /// Microseconds until [`Self::poll`] is due without a frame; `None` for never.
    #[must_use]
    pub fn poll_delay_us(&mut self, now_us: i64) -> Option<u64> {
        self.interface
            .poll_delay(Instant::from_micros(now_us), &self.sockets)
            .map(|delay| delay.total_micros())
    }

    /// Opens a connection to the guest's port; `None` if the network is out of ports.
    pub fn connect(&mut self) -> Option<Connection> {
        let buffer = || SocketBuffer::new(vec![0; BUFFER_BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_timeout(Some(PATIENCE));
        socket.set_keep_alive(Some(KEEP_ALIVE));
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        let port = self.next_port;
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        socket.connect(self.interface.context(), (GUEST, PORT), port).ok()?;
        Some(Connection(self.sockets.add(socket)))
    }

    /// Room for bytes to the guest.
    #[must_use]
    pub fn room(&mut self, Connection(handle): Connection) -> usize {
        let socket = self.sockets.get_mut::<Socket<'_>>(handle);
        if socket.may_send() { socket.send_capacity() - socket.send_queue() } else { 0 }
    }

    /// Sends bytes; gives how many were taken.
    pub fn send(&mut self, Connection(handle): Connection, bytes: &[u8]) -> usize {
        self.sockets.get_mut::<Socket<'_>>(handle).send_slice(bytes).unwrap_or(0)
    }

    /// Gives `take` the bytes the guest sent; it tells how many it took.
    pub fn take(&mut self, Connection(handle): Connection, mut take: impl FnMut(&[u8]) -> usize) {
        let socket = self.sockets.get_mut::<Socket<'_>>(handle);
        while socket.can_recv() {
            let taken = socket.recv(|bytes| {
                let taken = take(bytes).min(bytes.len());
                (taken, taken)
            });
            if taken.unwrap_or(0) == 0 {
                return;
            }
        }
    }

    /// No more bytes follow to the guest.
    pub fn finish(&mut self, Connection(handle): Connection) {
        self.sockets.get_mut::<Socket<'_>>(handle).close();
    }

    /// How far the connection is.
    #[must_use]
    pub fn progress(&mut self, Connection(handle): Connection) -> Progress {
        let socket = self.sockets.get_mut::<Socket<'_>>(handle);
        match socket.state() {
            State::Closed | State::TimeWait => Progress::Over,
            State::SynSent | State::SynReceived => Progress::Opening,
            _ if !socket.may_recv() && socket.recv_queue() == 0 => Progress::GuestFinished,
            _ => Progress::Open,
        }
    }

    /// Forgets a connection; a guest that still holds it is told.
    pub fn forget(&mut self, Connection(handle): Connection, now_us: i64) {
        self.sockets.get_mut::<Socket<'_>>(handle).abort();
        self.poll(now_us);
        self.sockets.remove(handle);
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The guest has not answered yet.
    Opening,
    /// Bytes flow both ways.
    Open,
    /// The guest sends no more, and all it sent was taken.
    GuestFinished,
    /// Both are done, or the guest refused.
    Over,
}

impl Device for Cable {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.from_guest.pop_front()?;
        Some((Received(frame), Sending(&mut self.to_guest)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending<'_>> {
        (self.to_guest.len() < WAITING_MAX).then_some(Sending(&mut self.to_guest))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }
}

/// A frame of the guest.
#[derive(Debug)]
pub struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for a frame to the guest.
#[derive(Debug)]
pub struct Sending<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest that listens, and answers when it wants to.
    struct Guest {
        interface: Interface,
        cable: Cable,
        sockets: SocketSet<'static>,
        handle: SocketHandle,
    }

    impl Guest {
        fn new() -> Self {
            let config = Config::new(HardwareAddress::Ethernet(EthernetAddress(GUEST_MAC)));
            let mut cable = Cable::default();
            let mut interface = Interface::new(config, &mut cable, Instant::from_micros(0));
            interface.update_ip_addrs(|addresses| {
                addresses.push(IpCidr::new(IpAddress::Ipv4(GUEST), 24)).unwrap();
            });
            let buffer = || SocketBuffer::new(vec![0; BUFFER_BYTES]);
            let mut socket = Socket::new(buffer(), buffer());
            socket.set_timeout(Some(PATIENCE));
            socket.set_keep_alive(Some(KEEP_ALIVE));
            socket.listen(PORT).unwrap();
            let mut sockets = SocketSet::new(Vec::new());
            let handle = sockets.add(socket);
            Self { interface, cable, sockets, handle }
        }

        fn socket(&mut self) -> &mut Socket<'static> {
            self.sockets.get_mut(self.handle)
        }
    }

    /// Lets time pass on both ends, in steps of 50 ms; while the cable is cut, frames are lost.
    fn pass(network: &mut Network, guest: &mut Guest, from_s: i64, to_s: i64, is_cut: bool) {
        for now_us in (from_s * 1_000_000..to_s * 1_000_000).step_by(50_000) {
            network.poll(now_us);
            while let Some(frame) = network.next_frame().filter(|_| !is_cut) {
                guest.cable.from_guest.push_back(frame);
            }
            guest.interface.poll(Instant::from_micros(now_us), &mut guest.cable, &mut guest.sockets);
            while let Some(frame) = guest.cable.to_guest.pop_front().filter(|_| !is_cut) {
                network.receive(frame);
            }
        }
    }

    #[test]
    fn an_answer_that_takes_minutes_comes_and_a_guest_that_is_gone_is_given_up() {
        let (mut network, mut guest) = (Network::new(0, 7), Guest::new());
        let connection = network.connect().unwrap();
        pass(&mut network, &mut guest, 0, 1, false);
        assert_eq!(network.send(connection, b"a question"), 10);
        pass(&mut network, &mut guest, 1, 301, false);
        assert_eq!(network.progress(connection), Progress::Open);
        assert_eq!(guest.socket().send_slice(b"an answer").unwrap(), 9);
        pass(&mut network, &mut guest, 301, 302, false);
        let mut heard = Vec::new();
        network.take(connection, |bytes| {
            heard.extend_from_slice(bytes);
            bytes.len()
        });
        assert_eq!(heard, b"an answer");
        pass(&mut network, &mut guest, 302, 345, true);
        assert_eq!(network.progress(connection), Progress::Over);
    }
}
