//! Event logs of firmware and boot loaders, for TPMs and for TDX (CCEL).
//!
//! Spec: TCG PC Client Platform Firmware Profile rev 1.06 §10; UEFI 2.10 §38 (CC measurement). No crate fits: those there are
//! stop at what they do not know, or read past it, and need std.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256, Sha384};

use crate::malformed::{Form, Malformed};

const FORM: Form = Form("event log");
/// `TCG_EfiSpecIDEvent`'s signature.
const SPEC_ID: &[u8; 16] = b"Spec ID Event03\0";
/// An event that is told and not measured.
const NO_ACTION: u32 = 3;
/// Event that names the locality a TPM was started from.
const STARTUP_LOCALITY: &[u8; 16] = b"StartupLocality\0";
/// Most events of a log; genuine ones have some hundred.
const EVENTS_MAX: usize = 1 << 14;

/// A bank's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// SHA-256, of TPMs.
    Sha256,
    /// SHA-384, of TDX and of TPMs.
    Sha384,
}

impl Bank {
    /// Its number. Spec: TCG Algorithm Registry.
    fn algorithm(self) -> u16 {
        match self {
            Self::Sha256 => 0x0B,
            Self::Sha384 => 0x0C,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    fn hash(self, parts: [&[u8]; 2]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::new().chain_update(parts[0]).chain_update(parts[1]).finalize().to_vec(),
            Self::Sha384 => Sha384::new().chain_update(parts[0]).chain_update(parts[1]).finalize().to_vec(),
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Register of a TPM; for TDX, 0 is MRTD and 1 to 4 are RTMR 0 to 3.
    pub register: u32,
    /// Kind.
    pub kind: u32,
    /// Digests by algorithm.
    pub digests: Vec<(u16, Vec<u8>)>,
    /// What was measured, or its description.
    pub data: Vec<u8>,
}

/// A log that was read. Proves nothing until its replay is compared with signed registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// All events after the first, which describes the log.
    pub events: Vec<Event>,
}

impl Log {
    /// Reads a log; zeros or ones that fill its area up may follow.
    ///
    /// # Errors
    /// The field that is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let lengths = first(&mut reader)?;
        let mut events = Vec::new();
        while !reader.is_padding() {
            events.push(event(&mut reader, &lengths)?);
            FORM.expect(events.len() <= EVENTS_MAX, "number of events")?;
        }
        Ok(Self { events })
    }

    /// The registers that a bank's digests lead to.
    ///
    /// # Errors
    /// An event has no digest of that bank.
    pub fn replay(&self, bank: Bank) -> Result<BTreeMap<u32, Vec<u8>>, Malformed> {
        let mut registers = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.kind != NO_ACTION) {
            let digest = event.digests.iter().find(|(algorithm, _)| *algorithm == bank.algorithm());
            let (_, digest) = digest.ok_or(FORM.malformed("digests"))?;
            let register =
                registers.entry(event.register).or_insert_with(|| self.start(event.register, bank));
            *register = bank.hash([register, digest]);
        }
        Ok(registers)
    }

    /// Registers start with zeros; a TPM's first one ends with the locality that it was started from.
    fn start(&self, register: u32, bank: Bank) -> Vec<u8> {
        let mut start = alloc::vec![0; bank.bytes()];
        let told = self.events.iter().filter(|event| event.kind == NO_ACTION && event.register == register);
        let mut localities = told.filter_map(|event| event.data.strip_prefix(STARTUP_LOCALITY));
        if let (0, Some([locality]), Some(last)) = (register, localities.next(), start.last_mut()) {
            *last = *locality;
        }
        start
    }
}

/// The first event, in the form of TPM 1.2, tells the lengths of digests by algorithm.
fn first(reader: &mut Reader<'_>) -> Result<BTreeMap<u16, usize>, Malformed> {
    let (register, kind) = (reader.number()?, reader.number()?);
    let digest = reader.bytes(20)?;
    // TDX has its first register there.
    FORM.expect(register <= 1 && kind == NO_ACTION && digest.iter().all(|&byte| byte == 0), "first event")?;
    let bytes = reader.count()?;
    let mut spec = Reader(reader.bytes(bytes)?);
    FORM.expect(spec.bytes(16)? == SPEC_ID, "signature")?;
    spec.bytes(8)?;
    let algorithms = spec.count()?;
    let mut lengths = BTreeMap::new();
    for _ in 0..algorithms {
        let (algorithm, length) = (spec.short()?, spec.short()?);
        FORM.expect(lengths.insert(algorithm, length.into()).is_none(), "algorithms")?;
    }
    let vendor = spec.bytes(1)?.first().copied().map_or(0, usize::from);
    spec.bytes(vendor)?;
    FORM.expect(spec.0.is_empty() && !lengths.is_empty(), "first event")?;
    Ok(lengths)
}

fn event(reader: &mut Reader<'_>, lengths: &BTreeMap<u16, usize>) -> Result<Event, Malformed> {
    let (register, kind) = (reader.number()?, reader.number()?);
    let count = reader.count()?;
    FORM.expect(count <= lengths.len(), "number of digests")?;
    let mut digests = Vec::new();
    for _ in 0..count {
        let algorithm = reader.short()?;
        let length = *lengths.get(&algorithm).ok_or(FORM.malformed("algorithm"))?;
        digests.push((algorithm, reader.bytes(length)?.to_vec()));
    }
    let bytes = reader.count()?;
    Ok(Event { register, kind, digests, data: reader.bytes(bytes)?.to_vec() })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FORM.malformed("length"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        let bytes = self.bytes(4)?.first_chunk().copied();
        Ok(bytes.map_or(0, u32::from_le_bytes))
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        let bytes = self.bytes(2)?.first_chunk().copied();
        Ok(bytes.map_or(0, u16::from_le_bytes))
    }

    /// A length or a number of parts.
    fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).map_err(|_| FORM.malformed("length"))
    }

    /// Whether nothing is left but what fills an area up.
    fn is_padding(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0) || self.0.iter().all(|&byte| byte == 0xFF)
    }
}
