//! The appliance's network: one card, one address, listening sockets. smoltcp does TCP.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Address};

const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const PORT: u16 = 443;
const RECEIVE_BYTES: usize = 16 << 10;
const SEND_BYTES: usize = 32 << 10;
/// A peer that does not answer for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const FRAME_BYTES: usize = 1514;
/// Most frames that wait for the card.
const WAITING_MAX: usize = 512;

/// The stack.
pub(crate) struct Stack {
    interface: Interface,
    pub(crate) cable: Cable,
    sockets: SocketSet<'static>,
    pub(crate) handles: Vec<SocketHandle>,
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack").field("sockets", &self.handles.len()).finish_non_exhaustive()
    }
}

/// Frames on their way.
#[derive(Debug, Default)]
pub(crate) struct Cable {
    pub(crate) received: VecDeque<Vec<u8>>,
    pub(crate) to_send: VecDeque<Vec<u8>>,
}

impl Stack {
    pub(crate) fn new(mac: [u8; 6], seed: u64, sockets: usize, now_ns: u64) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        config.random_seed = seed;
        let mut cable = Cable::default();
        let mut interface = Interface::new(config, &mut cable, instant(now_ns));
        interface.update_ip_addrs(|addresses| {
            // The list has room for more than one address.
            let _full = addresses.push(IpCidr::new(IpAddress::Ipv4(ADDRESS), 24));
        });
        // The table has room for one route.
        let _full = interface.routes_mut().add_default_ipv4_route(GATEWAY);
        let mut set = SocketSet::new(Vec::new());
        let handles = (0..sockets).map(|_| set.add(listening())).collect();
        Self { interface, cable, sockets: set, handles }
    }

    pub(crate) fn poll(&mut self, now_ns: u64) {
        self.interface.poll(instant(now_ns), &mut self.cable, &mut self.sockets);
    }

    /// Nanoseconds until a timer is due.
    pub(crate) fn poll_delay_ns(&mut self, now_ns: u64) -> Option<u64> {
        let delay = self.interface.poll_delay(instant(now_ns), &self.sockets)?;
        Some(delay.total_micros().saturating_mul(1000))
    }

    pub(crate) fn socket(&mut self, at: usize) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handles[at])
    }

    /// Drops what a socket holds and lets it listen again.
    pub(crate) fn listen(&mut self, at: usize) {
        let handle = self.handles[at];
        self.sockets.get_mut::<Socket<'_>>(handle).abort();
        self.sockets.remove(handle);
        self.handles[at] = self.sockets.add(listening());
    }
}

fn listening() -> Socket<'static> {
    let mut socket =
        Socket::new(SocketBuffer::new(vec![0; RECEIVE_BYTES]), SocketBuffer::new(vec![0; SEND_BYTES]));
    socket.set_timeout(Some(PATIENCE));
    socket.set_keep_alive(Some(KEEP_ALIVE));
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    // A fresh socket and a port that is not 0 are never refused.
    let _fresh = socket.listen(PORT);
    socket
}

fn instant(now_ns: u64) -> Instant {
    Instant::from_micros(i64::try_from(now_ns / 1000).unwrap_or(i64::MAX))
}

impl Device for Cable {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sending(&mut self.to_send)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending<'_>> {
        (self.to_send.len() < WAITING_MAX).then_some(Sending(&mut self.to_send))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }
}

pub(crate) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(crate) struct Sending<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

#[cfg(test)]
impl Stack {
    /// A client at the gateway's address with one socket that connects to the appliance.
    pub(crate) fn gateway(now_ns: u64) -> Self {
        let mut stack = Self::new([2, 0, 0, 0, 0, 9], 7, 1, now_ns);
        stack.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            addresses.push(IpCidr::new(IpAddress::Ipv4(GATEWAY), 24)).unwrap();
        });
        stack.connect(50_000);
        stack
    }

    /// Connects to the appliance from that port.
    pub(crate) fn connect(&mut self, port: u16) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handles[0]);
        socket.abort();
        socket.connect(self.interface.context(), (ADDRESS, PORT), port).unwrap();
    }
}
