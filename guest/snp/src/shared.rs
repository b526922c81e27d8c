//! Bytes in shared memory, which is reached by words.

use crate::processor::Processor;

/// Copies `bytes` to `pa`, a multiple of eight; the last word is filled up with zeros.
pub(crate) fn put(on: &mut impl Processor, pa: u64, bytes: &[u8]) {
    let places = (pa..).step_by(8);
    for (at, chunk) in places.zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        on.set_shared(at, u64::from_le_bytes(word));
    }
}

/// Copies from `pa` on, a multiple of eight, each word once.
pub(crate) fn take(on: &impl Processor, pa: u64, to: &mut [u8]) {
    let places = (pa..).step_by(8);
    for (at, chunk) in places.zip(to.chunks_mut(8)) {
        chunk.iter_mut().zip(on.shared(at).to_le_bytes()).for_each(|(to, from)| *to = from);
    }
}
