//! Requests to the disk, read only. Spec: virtio 1.2 §5.2.

use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes as _, GuestAddress, GuestMemory as _, Permissions};

use crate::{Lane, Memory};

/// The device's type.
pub const DEVICE: u32 = 2;
/// Feature: read only.
pub const READ_ONLY: u64 = 1 << 5;
/// Entries of its queue.
pub const QUEUE_SIZE: u16 = 128;
const SECTOR_BYTES: u64 = 512;
const READ: u32 = 0;
const HEADER_BYTES: u32 = 16;
const OK: u8 = 0;
const FAILED: u8 = 1;
const UNSUPPORTED: u8 = 2;

/// What the disk's bytes come from.
pub trait Backend: Send + Sync {
    /// Length in bytes.
    fn bytes(&self) -> u64;

    /// Fills `len` bytes of guest memory at `to` from `offset`.
    ///
    /// # Errors
    /// The read failed.
    fn read(&self, offset: u64, memory: &Memory, to: GuestAddress, len: u32) -> std::io::Result<()>;
}

/// The device's configuration: capacity in sectors.
#[must_use]
pub fn config(bytes: u64) -> Vec<u8> {
    (bytes / SECTOR_BYTES).to_le_bytes().to_vec()
}

/// One request of the driver.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its chain.
    pub head: u16,
    /// Life of the queue it came from.
    pub life: u64,
    kind: u32,
    offset: u64,
    data: Vec<(GuestAddress, u32)>,
    status: GuestAddress,
}

/// The next request. Chains without a header or a status byte are dropped: there is nowhere to answer.
pub fn next(lane: &mut Lane, memory: &Memory) -> Option<Request> {
    use virtio_queue::QueueT as _;
    loop {
        let chain = lane.queue.pop_descriptor_chain(memory)?;
        let (head, life) = (chain.head_index(), lane.life);
        let parts: Vec<Descriptor> = chain.collect();
        if let Some(request) = parse(&parts, memory, head, life) {
            return Some(request);
        }
    }
}

fn parse(parts: &[Descriptor], memory: &Memory, head: u16, life: u64) -> Option<Request> {
    let [header, data @ .., status] = parts else { return None };
    if header.is_write_only() || header.len() < HEADER_BYTES || !status.is_write_only() || status.len() == 0 {
        return None;
    }
    let kind = memory.read_obj::<u32>(header.addr()).ok()?;
    let sector = memory.read_obj::<u64>(header.addr().0.checked_add(8).map(GuestAddress)?).ok()?;
    let is_read = kind == READ && data.iter().all(Descriptor::is_write_only);
    let offset = sector.saturating_mul(SECTOR_BYTES);
    let kind = if is_read { READ } else { u32::MAX };
    let data = data.iter().map(|part| (part.addr(), part.len())).collect();
    Some(Request { head, life, kind, offset, data, status: status.addr() })
}

impl Request {
    /// Reads what it asks for and writes its status; gives the bytes written.
    pub fn serve(&self, memory: &Memory, backend: &dyn Backend) -> u32 {
        let (status, read) = match self.kind {
            READ => self.read(memory, backend).map_or((FAILED, 0), |read| (OK, read)),
            _ => (UNSUPPORTED, 0),
        };
        // A status outside memory is the guest's loss.
        let _lost = memory.write_obj(status, self.status);
        read.saturating_add(1)
    }

    fn read(&self, memory: &Memory, backend: &dyn Backend) -> Option<u32> {
        let mut offset = self.offset;
        let mut read = 0_u32;
        for &(to, len) in &self.data {
            let end = offset.checked_add(len.into()).filter(|&end| end <= backend.bytes())?;
            if !memory.check_range(to, usize::try_from(len).ok()?, Permissions::Write) {
                return None;
            }
            backend.read(offset, memory, to, len).ok()?;
            (offset, read) = (end, read.checked_add(len)?);
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rings::{DATA, Ring, WRITE};

    struct Pattern;

    impl Backend for Pattern {
        fn bytes(&self) -> u64 {
            8192
        }

        fn read(&self, offset: u64, memory: &Memory, to: GuestAddress, len: u32) -> std::io::Result<()> {
            let bytes: Vec<u8> =
                (offset..offset + u64::from(len)).map(|at| u8::try_from(at / 512).unwrap()).collect();
            memory.write_slice(&bytes, to).map_err(std::io::Error::other)
        }
    }

    fn header(ring: &Ring, kind: u32, sector: u64) {
        ring.memory.write_obj(kind, GuestAddress(DATA)).unwrap();
        ring.memory.write_obj(sector, GuestAddress(DATA + 8)).unwrap();
    }

    fn status(ring: &Ring) -> u8 {
        ring.memory.read_obj(GuestAddress(DATA + 0x100)).unwrap()
    }

    fn serve(ring: &mut Ring, parts: &[(u64, u32, u16)]) -> Option<u32> {
        ring.memory.write_obj(0xEE_u8, GuestAddress(DATA + 0x100)).unwrap();
        ring.offer(parts);
        let memory = ring.memory.clone();
        next(&mut ring.lane(), &memory).map(|request| request.serve(&memory, &Pattern))
    }

    const STATUS: (u64, u32, u16) = (DATA + 0x100, 1, WRITE);

    #[test]
    fn a_read_fills_guest_memory() {
        let mut ring = Ring::new();
        header(&ring, 0, 3);
        assert_eq!(serve(&mut ring, &[(DATA, 16, 0), (DATA + 0x1000, 1024, WRITE), STATUS]), Some(1025));
        assert_eq!(status(&ring), OK);
        let read = |at| ring.memory.read_obj::<u8>(GuestAddress(DATA + 0x1000 + at)).unwrap();
        assert_eq!([read(0), read(511), read(512)], [3, 3, 4]);
    }

    #[test]
    fn writes_reads_past_the_end_and_wrong_directions_are_answered_with_their_status() {
        let mut ring = Ring::new();
        let data = (DATA + 0x1000, 512, WRITE);
        for (kind, sector, data, expected) in [
            (1, 0, data, UNSUPPORTED),
            (0, 0, (DATA + 0x1000, 512, 0), UNSUPPORTED),
            (0, 16, data, FAILED),
            (0, u64::MAX, data, FAILED),
            (0, 0, (0x7FFF_FFFF, 512, WRITE), FAILED),
        ] {
            header(&ring, kind, sector);
            assert_eq!(serve(&mut ring, &[(DATA, 16, 0), data, STATUS]), Some(1));
            assert_eq!(status(&ring), expected);
        }
    }

    #[test]
    fn chains_with_nowhere_to_answer_are_dropped() {
        let mut ring = Ring::new();
        header(&ring, 0, 0);
        for parts in [&[(DATA, 16, 0)][..], &[(DATA, 8, 0), STATUS], &[(DATA, 16, 0), (DATA + 0x100, 1, 0)]] {
            assert_eq!(serve(&mut ring, parts), None);
        }
    }
}
