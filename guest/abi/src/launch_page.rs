//! The launch page: the measured 4 KiB that tell firmware which appliance this is.

use crate::memory::{MAX_CPUS, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES};
use crate::wire::{Reader, WireError, Writer};

/// "VIALLNCH" and version 1.
const MAGIC: u64 = u64::from_le_bytes(*b"VIALLNCH");
const VERSION: u32 = 1;
/// Bytes of the page's head; all fields lie inside, the rest is zero.
pub const HEAD_BYTES: usize = 128;
/// Offset of the TEE's number, for firmware's entry: 2 and 3 are guests of SEV-SNP, 4 and 5 trust domains.
pub const TEE_AT: u64 = 24;
/// Offset of the number of the bit that says whose memory is meant, for firmware's entry: C-bit or shared bit.
pub const BIT_AT: u64 = 88;

/// The TEE around the appliance. Measured, so that an appliance cannot be talked into the simulated one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tee {
    /// Development only: the VMM signs reports under the simulated root.
    Simulated,
    /// SEV-SNP.
    SevSnp {
        /// The bit of page-table entries that says a page is encrypted. Spec: AMD APM vol. 2 §15.34.1.
        c_bit: u8,
    },
    /// Development only: a guest of SEV-SNP whose processor, host and secure processor our VMM plays; its reports are the
    /// simulated root's.
    SimulatedSnp {
        /// Bit of physical addresses that says the same.
        c_bit: u8,
    },
    /// Development only: a trust domain (Intel TDX) whose module, quoting service and host our VMM plays; its quotes are the
    /// simulated root's.
    SimulatedTdx {
        /// Bit of physical addresses that says that memory is shared with the host.
        shared_bit: u8,
    },
    /// A trust domain.
    Tdx {
        /// The last bit of guest physical addresses, 47 or 51: with it memory is shared. Spec: Intel 344426 (GHCI) §2.1.
        shared_bit: u8,
    },
}

impl Tee {
    /// Flag in page-table entries of memory that the host cannot read; 0 where there is none.
    #[must_use]
    pub const fn private_flag(self) -> u64 {
        match self {
            Self::SevSnp { c_bit } | Self::SimulatedSnp { c_bit } => 1_u64.wrapping_shl(widen(c_bit)),
            Self::Simulated | Self::SimulatedTdx { .. } | Self::Tdx { .. } => 0,
        }
    }

    /// Flag in page-table entries of memory that the host reads and writes; 0 where there is none.
    #[must_use]
    pub const fn shared_flag(self) -> u64 {
        match self {
            Self::SimulatedTdx { shared_bit } | Self::Tdx { shared_bit } => {
                1_u64.wrapping_shl(widen(shared_bit))
            }
            Self::Simulated | Self::SevSnp { .. } | Self::SimulatedSnp { .. } => 0,
        }
    }

    /// The guest speaks with its host through pages or registers that it shares with it, and with nothing else.
    #[must_use]
    pub const fn is_confidential(self) -> bool {
        !matches!(self, Self::Simulated)
    }

    /// A guest of SEV-SNP.
    #[must_use]
    pub const fn is_snp(self) -> bool {
        matches!(self, Self::SevSnp { .. } | Self::SimulatedSnp { .. })
    }

    /// A trust domain: it has run-time registers that firmware extends.
    #[must_use]
    pub const fn is_tdx(self) -> bool {
        matches!(self, Self::Tdx { .. } | Self::SimulatedTdx { .. })
    }

    /// Name of the evidence's kind.
    #[must_use]
    pub const fn evidence(self) -> &'static str {
        match self {
            Self::Simulated | Self::SimulatedSnp { .. } | Self::SimulatedTdx { .. } => "simulated",
            Self::SevSnp { .. } => "sev-snp",
            Self::Tdx { .. } => "tdx",
        }
    }

    /// The numbers in the page.
    const fn numbers(self) -> [u32; 2] {
        match self {
            Self::Simulated => [1, 0],
            Self::SevSnp { c_bit } => [2, widen(c_bit)],
            Self::SimulatedSnp { c_bit } => [3, widen(c_bit)],
            Self::SimulatedTdx { shared_bit } => [4, widen(shared_bit)],
            Self::Tdx { shared_bit } => [5, widen(shared_bit)],
        }
    }
}

/// `From` is not const yet.
#[cfg_attr(not(test), expect(clippy::as_conversions, reason = "widening in a const fn"))]
const fn widen(value: u8) -> u32 {
    value as u32
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
        let [tee, bit] = self.tee.numbers();
        let mut out = Writer(&mut page);
        out.u64(MAGIC).u32(VERSION).u32(self.cpus).u64(self.memory_bytes);
        out.u32(tee).u32(machine).u32(measure).bytes(&self.manifest_digest).u32(kv).u32(bit);
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
        let kind = from.u32()?;
        let machine = machine(from.u32()?)?;
        let measure = measure(from.u32()?)?;
        let manifest_digest = from.bytes()?;
        let kv = kv(from.u32()?)?;
        let tee = tee(kind, from.u32()?)?;
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

/// Bits that no address of memory has: firmware's entry sets the C-bit in the upper half of entries.
const BITS: core::ops::RangeInclusive<u32> = 39..=51;
/// Widths of guest physical addresses, less one. Spec: Intel 348551 (TDX Module ABI), TD_PARAMS, GPAW.
const SHARED_BITS: [u32; 2] = [47, 51];

fn tee(kind: u32, bit: u32) -> Result<Tee, WireError> {
    let in_range = match kind {
        1 => bit == 0,
        5 => SHARED_BITS.contains(&bit),
        _ => BITS.contains(&bit),
    };
    let wrong = WireError::Field { name: "bit", found: bit.into() };
    let bit = u8::try_from(bit).ok().filter(|_| in_range).ok_or(wrong);
    match kind {
        1 => bit.map(|_| Tee::Simulated),
        2 => bit.map(|c_bit| Tee::SevSnp { c_bit }),
        3 => bit.map(|c_bit| Tee::SimulatedSnp { c_bit }),
        4 => bit.map(|shared_bit| Tee::SimulatedTdx { shared_bit }),
        5 => bit.map(|shared_bit| Tee::Tdx { shared_bit }),
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
        let snp = [Tee::SevSnp { c_bit: 51 }, Tee::SimulatedSnp { c_bit: 47 }];
        let tdx = [Tee::Tdx { shared_bit: 47 }, Tee::SimulatedTdx { shared_bit: 45 }];
        let pages = snp.into_iter().chain(tdx).map(|tee| LaunchPage { tee, ..PAGE });
        for page in [PAGE, LaunchPage { kv: Kv::Q8_0, ..PAGE }].into_iter().chain(pages) {
            assert_eq!(LaunchPage::decode(&page.encode()), Ok(page));
        }
    }

    #[test]
    fn firmwares_entry_finds_its_numbers() {
        let page = LaunchPage { tee: Tee::SevSnp { c_bit: 51 }, ..PAGE }.encode();
        let at = |offset| page[usize::try_from(offset).unwrap()];
        assert_eq!((at(TEE_AT), at(BIT_AT)), (2, 51));
        assert_eq!(Tee::SevSnp { c_bit: 51 }.private_flag(), 1 << 51);
    }

    #[test]
    fn the_bit_says_private_with_snp_and_shared_with_tdx() {
        let flags = |tee: Tee| [tee.private_flag(), tee.shared_flag()];
        assert_eq!(flags(Tee::Simulated), [0, 0]);
        assert_eq!(flags(Tee::SimulatedSnp { c_bit: 45 }), [1 << 45, 0]);
        assert_eq!(flags(Tee::SimulatedTdx { shared_bit: 45 }), [0, 1 << 45]);
        assert_eq!(flags(Tee::Tdx { shared_bit: 51 }), [0, 1 << 51]);
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
        let tee = |value, bit| {
            let mut page = PAGE.encode();
            (page[24], page[88]) = (value, bit);
            LaunchPage::decode(&page).unwrap_err()
        };
        assert_eq!(tee(9, 51), WireError::Field { name: "tee", found: 9 });
        for (value, bit) in [(1, 51), (2, 0), (2, 38), (3, 52), (3, 255), (4, 38), (4, 52), (5, 45), (5, 48)]
        {
            assert_eq!(tee(value, bit), WireError::Field { name: "bit", found: bit.into() });
        }
        assert_eq!(broken(28, 9), WireError::Field { name: "machine", found: 9 });
        assert_eq!(broken(32, 9), WireError::Field { name: "measure", found: 9 });
        assert_eq!(broken(84, 2), WireError::Field { name: "kv", found: 2 });
        assert_eq!(broken(92, 1), WireError::Reserved);
        assert_eq!(broken(4095, 1), WireError::Reserved);
    }
}
