//! Small ELF files: only what a loader needs, so that two builds give equal bytes.

use anyhow::{Context as _, Result};
use elf::ElfBytes;
use elf::abi::{PT_LOAD, PT_NOTE};
use elf::endian::LittleEndian;
use std::path::Path;

const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
/// Executable, x86-64, version 1.
const TYPE_AND_MACHINE: [u8; 8] = [2, 0, 62, 0, 1, 0, 0, 0];
const IDENT: [u8; 16] = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";

/// One program header with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) va: u64,
    pub(crate) pa: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) memory_bytes: u64,
}

/// A program as its loader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) entry: u64,
    pub(crate) segments: Vec<Segment>,
}

impl Image {
    /// Reads what a linker wrote.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&bytes).with_context(|| format!("parse {}", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes)?;
        let headers = elf.segments().context("no program headers")?;
        let wanted = headers
            .iter()
            .filter(|header| header.p_type == PT_LOAD && header.p_memsz > 0 || header.p_type == PT_NOTE);
        let segments = wanted.map(|header| {
            Ok(Segment {
                kind: header.p_type,
                flags: header.p_flags,
                va: header.p_vaddr,
                pa: header.p_paddr,
                bytes: without_zeros(elf.segment_data(&header)?, header.p_type),
                memory_bytes: header.p_memsz,
            })
        });
        Ok(Self { entry: elf.ehdr.e_entry, segments: segments.collect::<Result<_>>()? })
    }

    /// This program with the segments of `other`.
    pub(crate) fn merged_with(mut self, other: Self) -> Self {
        self.segments.extend(other.segments);
        self
    }

    /// The file's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = self.segments.len();
        let mut file = [IDENT.as_slice(), &TYPE_AND_MACHINE, &self.entry.to_le_bytes()].concat();
        file.extend(header_bytes().to_le_bytes());
        file.extend([0; 12]);
        for half in [HEADER_BYTES, PROGRAM_HEADER_BYTES, count, HEADER_BYTES, 0, 0] {
            file.extend(u16::try_from(half).unwrap_or(u16::MAX).to_le_bytes());
        }
        let mut offset = (HEADER_BYTES + count * PROGRAM_HEADER_BYTES).next_multiple_of(16);
        let mut body = Vec::new();
        for segment in &self.segments {
            file.extend(segment.header(offset));
            body.extend(&segment.bytes);
            body.resize(body.len().next_multiple_of(16), 0);
            offset += segment.bytes.len().next_multiple_of(16);
        }
        file.resize(file.len().next_multiple_of(16), 0);
        file.extend(body);
        file
    }
}

impl Segment {
    fn header(&self, offset: usize) -> Vec<u8> {
        let align = if self.kind == PT_NOTE { 4 } else { 1 };
        let words = [widen(offset), self.va, self.pa, widen(self.bytes.len()), self.memory_bytes, align];
        let mut bytes = [self.kind.to_le_bytes(), self.flags.to_le_bytes()].concat();
        bytes.extend(words.into_iter().flat_map(u64::to_le_bytes));
        bytes
    }
}

/// Loaders zero what the file leaves out.
fn without_zeros(bytes: &[u8], kind: u32) -> Vec<u8> {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let kept = if kind == PT_LOAD { used } else { bytes.len() };
    bytes.get(..kept).unwrap_or(bytes).to_vec()
}

fn header_bytes() -> u64 {
    widen(HEADER_BYTES)
}

fn widen(value: usize) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        let text =
            Segment { kind: PT_LOAD, flags: 5, va: 0x1000, pa: 0x2000, bytes: vec![1; 7], memory_bytes: 9 };
        let note = Segment { kind: PT_NOTE, flags: 4, bytes: vec![2; 24], memory_bytes: 24, ..text.clone() };
        Image { entry: 0x1003, segments: vec![text, note] }
    }

    #[test]
    fn an_image_survives_its_encoding() {
        assert_eq!(Image::parse(&image().encode()).unwrap(), image());
    }

    #[test]
    fn zeros_at_the_end_are_left_to_the_loader() {
        assert_eq!(without_zeros(&[1, 0, 2, 0, 0], PT_LOAD), [1, 0, 2]);
        assert!(without_zeros(&[0, 0], PT_LOAD).is_empty());
        assert_eq!(without_zeros(&[1, 0], PT_NOTE), [1, 0]);
    }
}
