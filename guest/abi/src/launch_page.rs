//! The launch page: the measured 4 KiB that tell firmware which appliance this is.

use crate::memory::{MAX_CPUS, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES};
use crate::wire::{Reader, WireError, Writer};

/// "VIALLNCH" and version 1.
const MAGIC: u64 = u64::from_le_bytes(*b"VIALLNCH");
const VERSION: u32 = 1;
/// Bytes of the page's head; all fields lie inside, the rest is zero.
pub const HEAD_BYTES: usize = 128;

/// The TEE around the appliance. Measured, so that an appliance cannot be talked into the simulated one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tee {
    /// Development only: the VMM signs reports under the simulated root.
    Simulated,
}

/// Which VMM's devices carry TEE messages and marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Our own VMM.
    Vial,
    /// QEMU's microvm.
    Qemu,
}

/// How much firmware reads before hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The tree's nodes; leaves are checked as they are read.
    Nodes,
    /// Every leaf too.
    Full,
}

/// How keys and values of attention are kept.
///
/// Written as 0 and 1: a page from before there was this field says [`Self::F16`], and firmware from before it refuses any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kv {
    /// Half floats.
    F16,
    /// 8-bit integers with a scale for each 32.
    Q8_0,
}

impl Kv {
    /// Its name, as llama.cpp has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }
}

/// What the VMM places at [`crate::memory::LAUNCH_PAGE_PA`]. Measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchPage {
    /// SHA-384 of the manifest bytes.
    pub manifest_digest: [u8; 48],
    /// Memory in bytes; a multiple of 2 MiB.
    pub memory_bytes: u64,
    /// Number of cpus, from 1.
    pub cpus: u32,
    /// The TEE around the appliance.
    pub tee: Tee,
    /// Which VMM.
    pub machine: Machine,
    /// How much firmware reads.
    pub measure: Measure,
    /// How the engine keeps keys and values.
    pub kv: Kv,
}

impl LaunchPage {
    /// The page's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; 4096] {
        let mut page = [0; 4096];
        let machine = match self.machine {
            Machine::Vial => 1,
            Machine::Qemu => 2,
        };
        let measure = match self.measure {
            Measure::Nodes => 1,
            Measure::Full => 2,
        };
        let kv = match self.kv {
            Kv::F16 => 0,
            Kv::Q8_0 => 1,
        };
        let Tee::Simulated = self.tee;
        let mut out = Writer(&mut page);
        out.u64(MAGIC).u32(VERSION).u32(self.cpus).u64(self.memory_bytes);
        out.u32(1).u32(machine).u32(measure).bytes(&self.manifest_digest).u32(kv);
        page
    }

    /// Reads a page. From the host: untrusted until measured.
    ///
    /// # Errors
    /// The field that is malformed; reserved bytes that are not zero.
    pub fn decode(page: &[u8; 4096]) -> Result<Self, WireError> {
        Self::fields(Reader(page))
    }

    /// Reads the head alone, for ring 0, which is emulated on some hosts: [`Self::decode`] has checked the
    /// rest before.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_head(head: &[u8; HEAD_BYTES]) -> Result<Self, WireError> {
        Self::fields(Reader(head))
    }

    fn fields(mut from: Reader<'_>) -> Result<Self, WireError> {
        expect(from.u64()?, MAGIC)?;
        expect(from.u32()?.into(), VERSION.into())?;
        let (cpus, memory_bytes) = (from.u32()?, from.u64()?);
        let tee = tee(from.u32()?)?;
        let machine = machine(from.u32()?)?;
        let measure = measure(from.u32()?)?;
        let manifest_digest = from.bytes()?;
        let kv = kv(from.u32()?)?;
        from.finish()?;
        Self { manifest_digest, memory_bytes, cpus, tee, machine, measure, kv }.checked()
    }

    /// The page, if its numbers are in range.
    fn checked(self) -> Result<Self, WireError> {
        if !(1..=MAX_CPUS).contains(&self.cpus) {
            return Err(WireError::Field { name: "cpus", found: self.cpus.into() });
        }
        let in_range = (MIN_MEMORY_BYTES..=MAX_MEMORY_BYTES).contains(&self.memory_bytes);
        if !in_range || !self.memory_bytes.is_multiple_of(crate::memory::LARGE_PAGE) {
            return Err(WireError::Field { name: "memory_bytes", found: self.memory_bytes });
        }
        Ok(self)
    }
}

fn expect(found: u64, expected: u64) -> Result<(), WireError> {
    if found == expected { Ok(()) } else { Err(WireError::Version { found, expected }) }
}

fn tee(value: u32) -> Result<Tee, WireError> {
    match value {
        1 => Ok(Tee::Simulated),
        found => Err(WireError::Field { name: "tee", found: found.into() }),
    }
}

fn machine(value: u32) -> Result<Machine, WireError> {
    match value {
        1 => Ok(Machine::Vial),
        2 => Ok(Machine::Qemu),
        found => Err(WireError::Field { name: "machine", found: found.into() }),
    }
}

fn measure(value: u32) -> Result<Measure, WireError> {
    match value {
        1 => Ok(Measure::Nodes),
        2 => Ok(Measure::Full),
        found => Err(WireError::Field { name: "measure", found: found.into() }),
    }
}

fn kv(value: u32) -> Result<Kv, WireError> {
    match value {
        0 => Ok(Kv::F16),
        1 => Ok(Kv::Q8_0),
        found => Err(WireError::Field { name: "kv", found: found.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: LaunchPage = LaunchPage {
        manifest_digest: [7; 48],
        memory_bytes: 512 << 20,
        cpus: 2,
        tee: Tee::Simulated,
        machine: Machine::Vial,
        measure: Measure::Nodes,
        kv: Kv::F16,
    };

    fn broken(at: usize, value: u8) -> WireError {
        let mut page = PAGE.encode();
        page[at] = value;
        LaunchPage::decode(&page).unwrap_err()
    }

    #[test]
    fn a_page_survives_its_encoding() {
        for page in [PAGE, LaunchPage { kv: Kv::Q8_0, ..PAGE }] {
            assert_eq!(LaunchPage::decode(&page.encode()), Ok(page));
        }
    }

    #[test]
    fn half_floats_are_what_a_page_without_the_field_says() {
        assert_eq!(PAGE.encode()[36 + 48..], [0; 4096 - 36 - 48]);
    }

    #[test]
    fn each_malformed_field_is_named() {
        assert!(matches!(broken(0, 0), WireError::Version { .. }));
        assert!(matches!(broken(8, 2), WireError::Version { found: 2, expected: 1 }));
        assert_eq!(broken(12, 0), WireError::Field { name: "cpus", found: 0 });
        assert!(matches!(broken(16, 1), WireError::Field { name: "memory_bytes", .. }));
        assert_eq!(broken(24, 9), WireError::Field { name: "tee", found: 9 });
        assert_eq!(broken(28, 9), WireError::Field { name: "machine", found: 9 });
        assert_eq!(broken(32, 9), WireError::Field { name: "measure", found: 9 });
        assert_eq!(broken(84, 2), WireError::Field { name: "kv", found: 2 });
        assert_eq!(broken(88, 1), WireError::Reserved);
        assert_eq!(broken(4095, 1), WireError::Reserved);
    }
}
