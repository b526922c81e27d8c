//! The sealed header: the first 4 KiB of the sealed partition, which say where everything lies.
//!
//! Nothing here is trusted: what lies at these places is compared with the manifest, and the manifest with the launch
//! page. Layout, little endian: magic (8), format version (4), number of entries (4), then for each [`Part`] in order
//! offset (8) and length (8); the rest is zero. Version 1 has no draft model and no entries for one; version 3 has tags, whose
//! weights are encrypted, and entries for all parts, those without bytes too.

mod part;

pub use part::Part;
use part::parts;

/// Newest version of image and manifest that this vial writes and reads.
pub const FORMAT_VERSION: u32 = 3;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 4096;
/// Every part starts on a multiple of this.
pub const PART_ALIGN: u64 = 4096;
const MAGIC: [u8; 8] = *b"VIALSEAL";

/// The version of an image with or without a draft model and encrypted weights: the oldest that can say so.
pub(crate) const fn version(has_draft: bool, is_encrypted: bool) -> u32 {
    match (has_draft, is_encrypted) {
        (_, true) => 3,
        (true, false) => 2,
        (false, false) => 1,
    }
}

/// Where a part lies, in bytes from the partition's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub offset: u64,
    /// Length.
    pub len: u64,
}

/// A header whose parts lie in order, aligned, apart from each other, and inside their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedHeader {
    places: [Place; Part::ALL.len()],
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// No sealed image.
    Magic,
    /// Written by a newer vial.
    Newer {
        /// The version found.
        found: u32,
    },
    /// A part that overlaps another, is not aligned, or too long.
    Part {
        /// Its name.
        part: Part,
        /// Where it is said to lie.
        place: Place,
    },
    /// A count or padding byte that is not what this version writes.
    Form,
}

impl core::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Magic => f.write_str("sealed header: found no VIALSEAL, expected a sealed image"),
            Self::Newer { found } => {
                write!(f, "format version: found {found}, expected {FORMAT_VERSION}: use a newer vial")
            }
            Self::Part { part, place: Place { offset, len } } => {
                write!(f, "sealed header {}: found {len} bytes at {offset}, expected its place", part.name())
            }
            Self::Form => f.write_str("sealed header: found other bytes than its canonical form"),
        }
    }
}

impl core::error::Error for HeaderError {}

impl SealedHeader {
    /// The header for parts of these lengths, in the order of [`Part::ALL`]; no draft model, and no tags, where their length is 0.
    /// Weights start where `partition_start` plus their offset is a multiple of `weights_align`.
    #[must_use]
    pub fn plan(lens: [u64; Part::ALL.len()], partition_start: u64, weights_align: u64) -> Self {
        let mut header = Self { places: [Place::default(); Part::ALL.len()] };
        let len =
            |part| Part::ALL.iter().zip(lens).find(|(known, _)| **known == part).map_or(0, |(_, len)| len);
        let parts = parts(version(len(Part::DraftWeights) > 0, len(Part::Tags) > 0));
        let mut end = PART_ALIGN;
        for ((part, place), len) in parts.iter().zip(&mut header.places).zip(lens) {
            let (start, align) =
                if part.is_model() { (partition_start, weights_align) } else { (0, PART_ALIGN) };
            let offset = round_up(start.saturating_add(end), align).saturating_sub(start);
            end = offset.saturating_add(len);
            *place = Place { offset, len };
        }
        header
    }

    /// Where `part` lies.
    #[must_use]
    pub fn place(&self, part: Part) -> Place {
        let found = Part::ALL.iter().zip(self.places).find(|(known, _)| **known == part);
        found.map(|(_, place)| place).unwrap_or_default()
    }

    /// Where the last part ends, in bytes from the partition's start.
    #[must_use]
    pub fn end(&self) -> u64 {
        let ends = self.places.iter().map(|place| place.offset.saturating_add(place.len));
        ends.max().unwrap_or_default()
    }

    /// Bytes of the partition, a multiple of [`PART_ALIGN`].
    #[must_use]
    pub fn partition_bytes(&self) -> u64 {
        round_up(self.end(), PART_ALIGN)
    }

    fn version(&self) -> u32 {
        version(self.place(Part::DraftWeights).len > 0, self.place(Part::Tags).len > 0)
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let parts = parts(self.version());
        let places = self.places.iter().zip(parts);
        let words = places.flat_map(|(place, _)| [place.offset, place.len]);
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let head = [self.version(), count].into_iter().flat_map(u32::to_le_bytes);
        let all = MAGIC.into_iter().chain(head).chain(words.flat_map(u64::to_le_bytes));
        for (to, from) in bytes.iter_mut().zip(all) {
            *to = from;
        }
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderError> {
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(HeaderError::Form)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(HeaderError::Form)?;
        if *magic != MAGIC {
            return Err(HeaderError::Magic);
        }
        let version = u32::from_le_bytes(*version);
        if version > FORMAT_VERSION {
            return Err(HeaderError::Newer { found: version });
        }
        let parts = parts(version);
        let (_, words) = rest.split_first_chunk::<4>().ok_or(HeaderError::Form)?;
        let (words, _) = words.as_chunks::<8>();
        let word = |at: usize| words.get(at).map(|word| u64::from_le_bytes(*word)).unwrap_or_default();
        let mut header = Self { places: [Place::default(); Part::ALL.len()] };
        for (at, (place, _)) in header.places.iter_mut().zip(parts).enumerate() {
            let first = at.saturating_mul(2);
            *place = Place { offset: word(first), len: word(first.saturating_add(1)) };
        }
        header.checked(parts, bytes)
    }

    fn checked(self, parts: &[Part], bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderError> {
        let mut end = PART_ALIGN;
        for (&part, place) in parts.iter().zip(self.places) {
            let is_placed = place.offset >= end && place.offset.is_multiple_of(PART_ALIGN);
            if !is_placed || place.len > part.max_bytes() {
                return Err(HeaderError::Part { part, place });
            }
            end = place.offset.saturating_add(place.len);
        }
        if self.encode() != *bytes { Err(HeaderError::Form) } else { Ok(self) }
    }
}

fn round_up(value: u64, unit: u64) -> u64 {
    value.checked_next_multiple_of(unit).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENS: [u64; 12] = [300, 64, 5000, 4096, 10_000, 1, 64, 200_000, 32, 100_000, 32, 16];

    fn header() -> SealedHeader {
        SealedHeader::plan(LENS, 17 * 4096, 1 << 20)
    }

    /// A header without the last of the parts.
    fn without(count: usize) -> SealedHeader {
        let mut lens = LENS;
        lens[12 - count..].fill(0);
        SealedHeader::plan(lens, 17 * 4096, 1 << 20)
    }

    fn plain() -> SealedHeader {
        without(2)
    }

    fn without_draft() -> SealedHeader {
        without(4)
    }

    fn encrypted_without_draft() -> SealedHeader {
        let mut lens = LENS;
        (lens[8], lens[9], lens[11]) = (0, 0, 0);
        SealedHeader::plan(lens, 17 * 4096, 1 << 20)
    }

    #[test]
    fn a_header_survives_its_encoding() {
        for header in [header(), plain(), without_draft(), encrypted_without_draft()] {
            assert_eq!(SealedHeader::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn a_header_without_a_draft_model_is_of_the_version_before_there_were_any() {
        let [one, two] = [without_draft(), plain()].map(|header| header.encode());
        assert_eq!(
            (one[8..16].to_vec(), two[8..16].to_vec()),
            ([1, 0, 0, 0, 8, 0, 0, 0].to_vec(), [2, 0, 0, 0, 10, 0, 0, 0].to_vec())
        );
        assert_eq!(without_draft().place(Part::DraftWeights), Place::default());
        let three = [header(), encrypted_without_draft()].map(|header| header.encode());
        assert!(three.iter().all(|bytes| bytes[8..16] == [3, 0, 0, 0, 12, 0, 0, 0]));
        // Of one version and with the entries of another.
        for (mut bytes, version) in [(one, 2), (two, 1), (one, 3), (two, 3), (three[0], 2), (three[1], 1)] {
            bytes[8] = version;
            let _refused: HeaderError = SealedHeader::decode(&bytes).unwrap_err();
        }
    }

    #[test]
    fn weights_are_aligned_from_the_start_of_the_disk() {
        for part in [Part::Weights, Part::DraftWeights] {
            assert_eq!((17 * 4096 + header().place(part).offset) % (1 << 20), 0);
        }
        assert_eq!(header().partition_bytes() % PART_ALIGN, 0);
    }

    #[test]
    fn no_header_a_newer_one_and_one_with_padding_are_refused() {
        let bytes = header().encode();
        let refused = |at: usize, value: u8| {
            let mut changed = bytes;
            changed[at] = value;
            SealedHeader::decode(&changed).unwrap_err()
        };
        assert_eq!(refused(0, b'v'), HeaderError::Magic);
        assert_eq!(refused(8, 4), HeaderError::Newer { found: 4 });
        assert_eq!(refused(8, 0), HeaderError::Form);
        assert_eq!(refused(12, 9), HeaderError::Form);
        assert_eq!(refused(4095, 1), HeaderError::Form);
    }

    #[test]
    fn parts_that_overlap_stray_or_grow_are_refused() {
        for (at, part) in Part::ALL.into_iter().enumerate() {
            let place = header().place(part);
            let long = Place { len: part.max_bytes() + 1, ..place };
            let stray = Place { offset: place.offset + 1, ..place };
            let back = Place { offset: 0, ..place };
            for place in [long, stray, back] {
                let mut changed = header();
                changed.places[at] = place;
                let refused = SealedHeader::decode(&changed.encode());
                assert_eq!(refused, Err(HeaderError::Part { part, place }));
            }
        }
    }
}
