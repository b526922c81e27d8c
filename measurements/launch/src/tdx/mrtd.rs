//! MRTD: one SHA-384 over the building of a trust domain.
//!
//! Spec: Intel TDX Module Base Architecture (348549) §12.2.1 (MRTD); Intel TDX Module ABI (348551), TDH.MEM.PAGE.ADD and
//! TDH.MR.EXTEND: each inserts a block of 128 bytes with its name at 0 and the address at 16.

use sha2::{Digest as _, Sha384};
use vial_abi::memory::PAGE;

/// Bytes of a block: SHA-384's own.
const BLOCK_BYTES: usize = 128;
/// Bytes that one TDH.MR.EXTEND covers.
const CHUNK_BYTES: usize = 256;

/// The measurement so far.
#[derive(Clone, Debug, Default)]
pub struct Mrtd(Sha384);

impl Mrtd {
    /// TDH.MEM.PAGE.ADD of the page at `gpa`. Its contents are not measured by this.
    #[must_use]
    pub fn add_page(self, gpa: u64) -> Self {
        Self(self.0.chain_update(block(b"MEM.PAGE.ADD", gpa)))
    }

    /// TDH.MR.EXTEND of the 256 bytes at `gpa`.
    #[must_use]
    pub fn extend_chunk(self, gpa: u64, chunk: &[u8; CHUNK_BYTES]) -> Self {
        Self(self.0.chain_update(block(b"MR.EXTEND", gpa)).chain_update(chunk))
    }

    /// Whole pages with contents from `gpa` on, each added and then extended; what is left over is not measured.
    #[must_use]
    pub fn pages(self, gpa: u64, bytes: &[u8]) -> Self {
        let page_bytes = usize::try_from(PAGE).unwrap_or(4096);
        let places = (gpa..).step_by(page_bytes);
        places.zip(bytes.chunks_exact(page_bytes)).fold(self, |mrtd, (gpa, page)| {
            let places = (gpa..).step_by(CHUNK_BYTES);
            let chunks = page.as_chunks().0.iter();
            places.zip(chunks).fold(mrtd.add_page(gpa), |mrtd, (gpa, chunk)| mrtd.extend_chunk(gpa, chunk))
        })
    }

    /// As [`Self::pages`] of so many bytes of zeros.
    #[must_use]
    pub fn zeros(self, gpa: u64, bytes: u64) -> Self {
        let places = (gpa..gpa.saturating_add(bytes)).step_by(usize::try_from(PAGE).unwrap_or(4096));
        places.fold(self, |mrtd, gpa| mrtd.pages(gpa, &[0; 4096]))
    }

    /// TDH.MR.FINALIZE: the register's value.
    #[must_use]
    pub fn digest(self) -> [u8; 48] {
        self.0.finalize().into()
    }
}

fn block(name: &[u8], gpa: u64) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    let fields = name.iter().copied().chain(core::iter::repeat(0)).take(16).chain(gpa.to_le_bytes());
    block.iter_mut().zip(fields).for_each(|(to, byte)| *to = byte);
    block
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_block_has_its_name_at_0_and_the_address_at_16() {
        let block = block(b"MR.EXTEND", 0x1122_3344_5566_7788);
        assert_eq!(block[..16], *b"MR.EXTEND\0\0\0\0\0\0\0");
        assert_eq!(block[16..24], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
        assert_eq!(block[24..], [0; 104]);
    }

    #[test]
    fn a_page_is_added_and_then_extended_in_sixteen_chunks() {
        let page: Vec<u8> = (0..4096_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        let mut stream = block(b"MEM.PAGE.ADD", 0x7000).to_vec();
        for (gpa, chunk) in (0x7000..).step_by(256).zip(page.chunks(256)) {
            stream.extend(block(b"MR.EXTEND", gpa));
            stream.extend(chunk);
        }
        assert_eq!(stream.len(), 128 + 16 * 384);
        let whole: [u8; 48] = Sha384::digest(&stream).into();
        assert_eq!(Mrtd::default().pages(0x7000, &page).digest(), whole);
    }

    #[test]
    fn address_contents_and_order_are_measured() {
        let digest = |pages: &[(u64, u8)]| {
            pages.iter().fold(Mrtd::default(), |mrtd, &(gpa, byte)| mrtd.pages(gpa, &[byte; 4096])).digest()
        };
        let whole = digest(&[(0x1000, 1), (0x2000, 2)]);
        for other in [[(0x1000, 2), (0x2000, 1)], [(0x2000, 2), (0x1000, 1)], [(0x1000, 1), (0x3000, 2)]] {
            assert_ne!(digest(&other), whole);
        }
        assert_ne!(Mrtd::default().add_page(0x1000).digest(), digest(&[(0x1000, 0)]));
    }
}
