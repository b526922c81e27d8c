//! The handoff page: what firmware measured and where it put it. The kernel completes it for the engine.

use crate::launch_page::{HEAD_BYTES, LaunchPage};
use crate::memory::Region;
use crate::wire::{Reader, WireError, Writer};

const MAGIC: u64 = u64::from_le_bytes(*b"VIALHAND");
/// Bytes before [`Handoff::tsc_khz`]: magic, launch page's head, root, event-log head, regions, six numbers.
const CLOCK_OFFSET: usize = 8 + HEAD_BYTES + 32 + 48 + 8 * 16 + 6 * 8;

/// Written by firmware at [`crate::memory::HANDOFF_PA`], completed by the kernel, read-only in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// The measured launch page.
    pub launch: LaunchPage,
    /// BLAKE3 of the weights as they lie on the disk, recomputed from the tree by firmware.
    pub weights_root: [u8; 32],
    /// Head of the event log: SHA-384 chain over its digests.
    pub event_log_head: [u8; 48],
    /// Manifest bytes, in the blobs area.
    pub manifest: Region,
    /// TCG2 event log, in the blobs area.
    pub event_log: Region,
    /// Agent bundle archive, in the blobs area.
    pub bundle: Region,
    /// Chaining values of the leaves, in the blobs area.
    pub tree: Region,
    /// The same of the draft model; without bytes if there is none.
    pub draft_tree: Region,
    /// Tags of encrypted leaves, as they lay on the disk: nobody vouches for them. Without bytes if weights are not encrypted.
    pub tags: Region,
    /// The same of the draft model.
    pub draft_tags: Region,
    /// The report obtained at boot, in the blobs area.
    pub boot_report: Region,
    /// Bytes of the blobs area in use.
    pub blobs_bytes: u64,
    /// Offset of the first GGUF byte from the start of the disk.
    pub weights_disk_offset: u64,
    /// Length of the GGUF in bytes.
    pub weights_bytes: u64,
    /// Offset of the draft model's first byte from the start of the disk.
    pub draft_disk_offset: u64,
    /// Length of the draft model's GGUF in bytes; 0 if there is none.
    pub draft_bytes: u64,
    /// Bytes of one leaf.
    pub leaf_bytes: u64,
    /// Time stamp counter ticks a millisecond; set by the kernel (0 before). From the host: untrusted.
    pub tsc_khz: u64,
    /// Unix time in ns at time stamp counter value [`Self::unix_tsc`]; 0 if unknown. From the host: untrusted.
    pub unix_ns: u64,
    /// See [`Self::unix_ns`].
    pub unix_tsc: u64,
}

impl Handoff {
    /// The page's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; 4096] {
        let mut page = [0; 4096];
        let launch = self.launch.encode();
        let mut out = Writer(&mut page);
        out.u64(MAGIC).bytes(launch.first_chunk::<HEAD_BYTES>().unwrap_or(&[0; HEAD_BYTES]));
        out.bytes(&self.weights_root).bytes(&self.event_log_head);
        for region in self.blobs() {
            out.u64(region.pa).u64(region.len);
        }
        out.u64(self.blobs_bytes).u64(self.weights_disk_offset).u64(self.weights_bytes);
        out.u64(self.draft_disk_offset).u64(self.draft_bytes).u64(self.leaf_bytes);
        out.u64(self.tsc_khz).u64(self.unix_ns).u64(self.unix_tsc);
        page
    }

    /// Reads a page. Measured firmware wrote it; checked all the same.
    ///
    /// # Errors
    /// The field that is malformed.
    pub fn decode(page: &[u8; 4096]) -> Result<Self, WireError> {
        let mut from = Reader(page);
        let magic = from.u64()?;
        if magic != MAGIC {
            return Err(WireError::Version { found: magic, expected: MAGIC });
        }
        let handoff = Self {
            launch: LaunchPage::decode_head(&from.bytes()?)?,
            weights_root: from.bytes()?,
            event_log_head: from.bytes()?,
            manifest: region(&mut from)?,
            event_log: region(&mut from)?,
            bundle: region(&mut from)?,
            tree: region(&mut from)?,
            draft_tree: region(&mut from)?,
            tags: region(&mut from)?,
            draft_tags: region(&mut from)?,
            boot_report: region(&mut from)?,
            blobs_bytes: from.u64()?,
            weights_disk_offset: from.u64()?,
            weights_bytes: from.u64()?,
            draft_disk_offset: from.u64()?,
            draft_bytes: from.u64()?,
            leaf_bytes: from.u64()?,
            tsc_khz: from.u64()?,
            unix_ns: from.u64()?,
            unix_tsc: from.u64()?,
        };
        // Not `finish`: ring 0 is emulated on some hosts, and the rest of the page is never read.
        handoff.checked()
    }

    /// Writes the clock fields, which firmware left zero, into an encoded page.
    pub fn encode_clock(page: &mut [u8; 4096], tsc_khz: u64, unix_ns: u64, unix_tsc: u64) {
        if let Some(fields) = page.get_mut(CLOCK_OFFSET..) {
            Writer(fields).u64(tsc_khz).u64(unix_ns).u64(unix_tsc);
        }
    }

    fn blobs(&self) -> [Region; 8] {
        let Self { manifest, event_log, bundle, tree, draft_tree, tags, draft_tags, boot_report, .. } = *self;
        [manifest, event_log, bundle, tree, draft_tree, tags, draft_tags, boot_report]
    }

    /// The handoff, if every blob lies inside the blobs area.
    fn checked(self) -> Result<Self, WireError> {
        use crate::memory::{BLOBS_MAX_BYTES, BLOBS_PA};
        if self.blobs_bytes > BLOBS_MAX_BYTES {
            return Err(WireError::Field { name: "blobs_bytes", found: self.blobs_bytes });
        }
        let end = BLOBS_PA.saturating_add(self.blobs_bytes);
        for blob in self.blobs() {
            if blob.pa < BLOBS_PA || blob.pa.saturating_add(blob.len) > end {
                return Err(WireError::Field { name: "blob", found: blob.pa });
            }
        }
        Ok(self)
    }
}

fn region(from: &mut Reader<'_>) -> Result<Region, WireError> {
    Ok(Region { pa: from.u64()?, len: from.u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch_page::{Kv, Machine, Measure, Tee};
    use crate::memory::BLOBS_PA;

    fn handoff() -> Handoff {
        let blob = |at| Region { pa: BLOBS_PA + at, len: 16 };
        Handoff {
            launch: LaunchPage {
                manifest_digest: [1; 48],
                memory_bytes: 512 << 20,
                cpus: 2,
                tee: Tee::Simulated,
                machine: Machine::Qemu,
                measure: Measure::Full,
                kv: Kv::Q8_0,
            },
            weights_root: [2; 32],
            event_log_head: [3; 48],
            manifest: blob(0),
            event_log: blob(16),
            bundle: blob(32),
            tree: blob(48),
            draft_tree: blob(64),
            tags: blob(80),
            draft_tags: blob(96),
            boot_report: blob(112),
            blobs_bytes: 4096,
            weights_disk_offset: 1 << 20,
            weights_bytes: 99,
            draft_disk_offset: 2 << 20,
            draft_bytes: 77,
            leaf_bytes: 131_072,
            tsc_khz: 2_600_000,
            unix_ns: 5,
            unix_tsc: 6,
        }
    }

    #[test]
    fn a_handoff_survives_its_encoding() {
        assert_eq!(Handoff::decode(&handoff().encode()), Ok(handoff()));
    }

    #[test]
    fn the_clock_is_written_where_it_is_read() {
        let mut page = Handoff { tsc_khz: 0, unix_ns: 0, unix_tsc: 0, ..handoff() }.encode();
        Handoff::encode_clock(&mut page, 2_600_000, 5, 6);
        assert_eq!(Handoff::decode(&page), Ok(handoff()));
    }

    #[test]
    fn a_blob_outside_its_area_is_refused() {
        let outside = Handoff { tree: Region { pa: BLOBS_PA + 4090, len: 7 }, ..handoff() };
        let refused = Handoff::decode(&outside.encode());
        assert_eq!(refused, Err(WireError::Field { name: "blob", found: BLOBS_PA + 4090 }));
    }
}
