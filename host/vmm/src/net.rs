//! The network's thread: frames of the guest, connections of the host, timers.

use std::io::Result;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Instant;
use vial_devices::network::Network;
use vial_devices::{Lanes, Memory, net};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::EventFd;

use crate::forward::Forward;

/// Most connections at once; more wait in the listener.
const FORWARDS_MAX: usize = 64;
const LISTENER: u64 = u64::MAX;
const DOORBELL: u64 = u64::MAX - 1;
const LISTENING: u64 = u64::MAX - 2;
const FORWARD: u64 = 0;

/// Everything the thread needs.
pub(crate) struct Net {
    pub(crate) lanes: Lanes,
    pub(crate) memory: Memory,
    pub(crate) interrupt: Arc<EventFd>,
    /// Rings for either queue.
    pub(crate) doorbell: Arc<EventFd>,
    /// Rings once the appliance accepts requests; connections wait until then.
    pub(crate) listening: Arc<EventFd>,
    pub(crate) listener: TcpListener,
    pub(crate) seed: u64,
}

/// The running thread's state.
struct Cable {
    net: Net,
    network: Network,
    forwards: Vec<Forward>,
    epoll: Epoll,
    started: Instant,
}

impl Net {
    /// Prepares what may fail; the result serves for ever.
    pub(crate) fn prepare(self) -> Result<impl FnOnce() + Send + 'static> {
        self.listener.set_nonblocking(true)?;
        let epoll = Epoll::new()?;
        for (event, data) in [(&self.doorbell, DOORBELL), (&self.listening, LISTENING)] {
            epoll.ctl(ControlOperation::Add, event.as_raw_fd(), EpollEvent::new(EventSet::IN, data))?;
        }
        let network = Network::new(0, self.seed);
        let mut cable = Cable { net: self, network, forwards: Vec::new(), epoll, started: Instant::now() };
        Ok(move || cable.serve())
    }
}

impl Cable {
    fn serve(&mut self) {
        let mut events = [EpollEvent::default(); 32];
        loop {
            let timeout = self.timeout_ms();
            let Ok(count) = self.epoll.wait(timeout, &mut events) else { continue };
            for event in events.iter().take(count) {
                self.handle(event.data());
            }
            self.turn();
        }
    }

    fn handle(&mut self, data: u64) {
        match data {
            DOORBELL => drop(self.net.doorbell.read()),
            LISTENING => {
                let _count = self.net.listening.read();
                let fd = self.net.listener.as_raw_fd();
                let wanted = EpollEvent::new(EventSet::IN, LISTENER);
                // A second mark finds it there already.
                let _again = self.epoll.ctl(ControlOperation::Add, fd, wanted);
            }
            LISTENER => self.accept(),
            _ => {}
        }
    }

    fn accept(&mut self) {
        while self.forwards.len() < FORWARDS_MAX {
            let Ok((host, _)) = self.net.listener.accept() else { return };
            let is_ready = host.set_nonblocking(true).and_then(|()| host.set_nodelay(true)).is_ok();
            let wanted = EpollEvent::new(EventSet::IN | EventSet::OUT | EventSet::EDGE_TRIGGERED, FORWARD);
            if !is_ready || self.epoll.ctl(ControlOperation::Add, host.as_raw_fd(), wanted).is_err() {
                continue;
            }
            if let Some(guest) = self.network.connect() {
                self.forwards.push(Forward::new(host, guest));
            }
        }
    }

    /// Moves frames and bytes until nothing moves any more.
    fn turn(&mut self) {
        loop {
            let taken = self.take_frames();
            let now_us = self.now_us();
            self.network.poll(now_us);
            let network = &mut self.network;
            let (open, over): (Vec<_>, Vec<_>) = self
                .forwards
                .drain(..)
                .map(|mut forward| (forward.pump(network), forward))
                .partition(|(open, _)| *open);
            self.forwards = open.into_iter().map(|(_, forward)| forward).collect();
            over.into_iter().for_each(|(_, forward)| network.forget(forward.guest, now_us));
            self.network.poll(now_us);
            let delivered = self.deliver();
            if !taken && !delivered {
                return;
            }
        }
    }

    fn take_frames(&mut self) -> bool {
        let (mut is_any, mut wants_interrupt) = (false, false);
        while let Some((used, frame, life)) = self.sent() {
            if !frame.is_empty() {
                self.network.receive(frame);
            }
            is_any = true;
            wants_interrupt |=
                self.net.lanes.give_back(net::TRANSMIT, &self.net.memory, used.0, used.1, life);
        }
        self.interrupt(wants_interrupt);
        is_any
    }

    fn sent(&self) -> Option<(net::Used, Vec<u8>, u64)> {
        use virtio_queue::QueueT as _;
        let mut lane = self.net.lanes.ready(net::TRANSMIT, &self.net.memory)?;
        let life = lane.life;
        let mut sent = net::sent(&mut lane, &self.net.memory);
        if sent.is_none() && lane.queue.enable_notification(&self.net.memory).unwrap_or(false) {
            sent = net::sent(&mut lane, &self.net.memory);
        }
        sent.map(|(used, frame)| (used, frame, life))
    }

    fn deliver(&mut self) -> bool {
        use virtio_queue::QueueT as _;
        let (mut is_any, mut wants_interrupt) = (false, false);
        while let Some(frame) = self.network.next_frame() {
            let memory = &self.net.memory;
            let used = self.net.lanes.ready(net::RECEIVE, memory).and_then(|mut lane| {
                let life = lane.life;
                let used = net::deliver(&mut lane, memory, &frame).or_else(|| {
                    let has_more = lane.queue.enable_notification(memory).unwrap_or(false);
                    has_more.then(|| net::deliver(&mut lane, memory, &frame)).flatten()
                });
                used.map(|used| (used, life))
            });
            let Some(((head, written), life)) = used else {
                self.network.keep_frame(frame);
                break;
            };
            is_any = true;
            wants_interrupt |= self.net.lanes.give_back(net::RECEIVE, memory, head, written, life);
        }
        self.interrupt(wants_interrupt);
        is_any
    }

    fn interrupt(&self, is_wanted: bool) {
        if is_wanted {
            let _full = self.net.interrupt.write(1);
        }
    }

    fn timeout_ms(&mut self) -> i32 {
        let now_us = self.now_us();
        let delay = self.network.poll_delay_us(now_us);
        delay.map_or(-1, |delay| i32::try_from(delay.div_ceil(1000)).unwrap_or(i32::MAX))
    }

    fn now_us(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}
