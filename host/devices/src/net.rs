//! Frames between the driver's rings and the network. Spec: virtio 1.2 §5.1.

use virtio_queue::QueueT as _;
use vm_memory::Bytes as _;

use crate::{Lane, Memory};

/// The device's type.
pub const DEVICE: u32 = 1;
/// Feature: the configuration holds an address.
pub const HAS_MAC: u64 = 1 << 5;
/// Entries of each queue.
pub const QUEUE_SIZE: u16 = 256;
/// Queue of frames to the guest.
pub const RECEIVE: usize = 0;
/// Queue of frames from the guest.
pub const TRANSMIT: usize = 1;
/// `virtio_net_hdr` of virtio 1.
const HEADER_BYTES: usize = 12;
/// Longest frame: 1500 bytes behind an Ethernet header.
pub const FRAME_BYTES: usize = 1514;

/// A chain used up, to be given back: head and bytes written.
pub type Used = (u16, u32);

/// Takes the next frame the guest sends. One that is malformed is empty.
pub fn sent(lane: &mut Lane, memory: &Memory) -> Option<(Used, Vec<u8>)> {
    let chain = lane.queue.pop_descriptor_chain(memory)?;
    let head = chain.head_index();
    let mut bytes = Vec::new();
    for part in chain.readable() {
        let start = bytes.len();
        let len =
            usize::try_from(part.len()).unwrap_or(usize::MAX).min(HEADER_BYTES + FRAME_BYTES + 1 - start);
        bytes.resize(start + len, 0);
        if memory.read_slice(bytes.get_mut(start..).unwrap_or_default(), part.addr()).is_err() {
            bytes.clear();
            break;
        }
    }
    let is_frame = (HEADER_BYTES + 14..=HEADER_BYTES + FRAME_BYTES).contains(&bytes.len());
    let frame = if is_frame { bytes.split_off(HEADER_BYTES) } else { Vec::new() };
    Some(((head, 0), frame))
}

/// Writes a frame into the guest's next buffer; `None` while it offers none. One that does not fit is lost.
pub fn deliver(lane: &mut Lane, memory: &Memory, frame: &[u8]) -> Option<Used> {
    let chain = lane.queue.pop_descriptor_chain(memory)?;
    let head = chain.head_index();
    // One buffer: Spec §5.1.6.1, `num_buffers`.
    let header = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let bytes = [&header, frame].concat();
    let mut rest = bytes.as_slice();
    for part in chain.writable() {
        let len = usize::try_from(part.len()).unwrap_or(usize::MAX).min(rest.len());
        let (now, later) = rest.split_at(len);
        if memory.write_slice(now, part.addr()).is_err() {
            return Some((head, 0));
        }
        rest = later;
    }
    let written = if rest.is_empty() { u32::try_from(bytes.len()).unwrap_or(0) } else { 0 };
    Some((head, written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rings::{DATA, Ring, WRITE};
    use vm_memory::GuestAddress;

    #[test]
    fn frames_cross_without_their_header() {
        let mut ring = Ring::new();
        let memory = ring.memory.clone();
        memory.write_slice(&[9; 60], GuestAddress(DATA + 12)).unwrap();
        ring.offer(&[(DATA, 12, 0), (DATA + 12, 60, 0)]);
        assert_eq!(sent(&mut ring.lane(), &memory), Some(((0, 0), vec![9; 60])));
        ring.offer(&[(DATA + 0x1000, 100, WRITE)]);
        assert_eq!(deliver(&mut ring.lane(), &memory, &[7; 64]), Some((0, 76)));
        assert_eq!(memory.read_obj::<u8>(GuestAddress(DATA + 0x1000 + 12)).unwrap(), 7);
    }

    #[test]
    fn short_long_and_stray_chains_are_no_frames() {
        let mut ring = Ring::new();
        let memory = ring.memory.clone();
        for parts in [&[(DATA, 20, 0)][..], &[(DATA, 2000, 0)], &[(DATA, 60, WRITE)], &[(0x7FFF_FFFF, 60, 0)]]
        {
            ring.offer(parts);
            assert_eq!(sent(&mut ring.lane(), &memory), Some(((0, 0), vec![])));
        }
        ring.offer(&[(DATA, 20, WRITE)]);
        assert_eq!(deliver(&mut ring.lane(), &memory, &[7; 64]), Some((0, 0)));
        assert_eq!(deliver(&mut ring.lane(), &memory, &[7; 64]), None);
    }
}
