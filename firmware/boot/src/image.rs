//! Finding the sealed partition and reading its parts.

use alloc::format;
use alloc::vec::Vec;
use vial_abi::ExitCode;
use vial_weights::gpt::{GptError, Partition, find};
use vial_weights::header::{HEADER_BYTES, HeaderError, Part, SealedHeader};

use crate::{Disk, Refusal, buffer};

/// A sealed partition whose parts all lie on the disk. Proves nothing of their contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    start: u64,
    header: SealedHeader,
}

impl Image {
    /// Finds it by the partition table and reads its header.
    pub(crate) fn find<D: Disk>(disk: &mut D) -> Result<Self, Refusal> {
        let partition = find(disk).map_err(|error| gpt_refusal::<D>(&error))?;
        let mut header = [0; HEADER_BYTES];
        disk.read_at(partition.start, &mut header)
            .map_err(|error| Refusal::of(ExitCode::ImageShort, &error))?;
        let header = SealedHeader::decode(&header).map_err(|error| match error {
            HeaderError::Newer { .. } => Refusal::of(ExitCode::NewerFormat, &error),
            _ => Refusal::of(ExitCode::SealedHeader, &error),
        })?;
        Self { start: partition.start, header }.on_disk(disk.bytes())
    }

    fn on_disk(self, found: u64) -> Result<Self, Refusal> {
        let expected = self.start.saturating_add(self.header.end());
        if found < expected {
            let line = format!("disk length: found {found} bytes, expected at least {expected}");
            return Err(Refusal::new(ExitCode::ImageShort, &line));
        }
        Ok(self)
    }

    /// Where a part lies, from the start of the disk.
    pub(crate) fn place(&self, part: Part) -> Partition {
        let place = self.header.place(part);
        Partition { start: self.start.saturating_add(place.offset), bytes: place.len }
    }

    /// Copies a part to private memory.
    pub(crate) fn read<D: Disk>(&self, disk: &mut D, part: Part) -> Result<Vec<u8>, Refusal> {
        let place = self.place(part);
        let mut bytes = buffer(place.bytes)?;
        let read = disk.read_at(place.start, &mut bytes);
        let refused = |error| Refusal::new(ExitCode::DiskRead, &format!("{}: {error}", part.name()));
        read.map_err(refused)?;
        Ok(bytes)
    }
}

fn gpt_refusal<D: Disk>(error: &GptError<D::Error>) -> Refusal {
    let code = match error {
        GptError::Read(_) => ExitCode::DiskRead,
        GptError::Table { .. } | GptError::NoSealedPartition => ExitCode::NoSealedPartition,
    };
    Refusal::of(code, error)
}
