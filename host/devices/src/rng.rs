//! Randomness for the guest; untrusted there. Spec: virtio 1.2 §5.4.

use virtio_queue::QueueT as _;
use vm_memory::Bytes as _;

use crate::net::Used;
use crate::{Lane, Memory};

/// The device's type.
pub const DEVICE: u32 = 4;
/// Entries of its queue.
pub const QUEUE_SIZE: u16 = 16;
/// Most bytes given at once.
const MOST: usize = 256;

/// Fills the next buffer from `random`.
pub fn fill(lane: &mut Lane, memory: &Memory, random: &mut dyn FnMut(&mut [u8])) -> Option<Used> {
    let chain = lane.queue.pop_descriptor_chain(memory)?;
    let head = chain.head_index();
    let Some(part) = chain.writable().next() else { return Some((head, 0)) };
    let mut bytes = vec![0; usize::try_from(part.len()).unwrap_or(MOST).min(MOST)];
    random(&mut bytes);
    let is_written = memory.write_slice(&bytes, part.addr()).is_ok();
    Some((head, if is_written { u32::try_from(bytes.len()).unwrap_or(0) } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rings::{DATA, Ring, WRITE};
    use vm_memory::GuestAddress;

    #[test]
    fn a_buffer_is_filled_and_a_readable_one_is_not() {
        let mut ring = Ring::new();
        let memory = ring.memory.clone();
        ring.offer(&[(DATA, 8, WRITE)]);
        assert_eq!(fill(&mut ring.lane(), &memory, &mut |bytes| bytes.fill(5)), Some((0, 8)));
        assert_eq!(memory.read_obj::<u64>(GuestAddress(DATA)).unwrap(), 0x0505_0505_0505_0505);
        ring.offer(&[(DATA, 8, 0)]);
        assert_eq!(fill(&mut ring.lane(), &memory, &mut |_| ()), Some((0, 0)));
    }
}
