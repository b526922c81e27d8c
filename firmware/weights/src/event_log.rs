//! The event log: what firmware measured, in order, in the form TPM event logs have, with SHA-384 alone.
//!
//! Spec: TCG PC Client Platform Firmware Profile 1.06 §10 (`TCG_EfiSpecIDEvent`, `TCG_PCR_EVENT2`). The *head* is what a
//! PCR would hold: SHA-384 of the old head and the digest, from 48 zero bytes.

use alloc::vec::Vec;
use sha2::{Digest as _, Sha384};

use crate::sha384;

const EV_NO_ACTION: u32 = 3;
const EV_EVENT_TAG: u32 = 6;
const ALG_SHA384: u16 = 0x000C;
const SIGNATURE: [u8; 16] = *b"Spec ID Event03\0";
/// PCR that the events would extend: 8 and up are the operating system's.
const PCR: u32 = 8;
/// Most events of a log.
const EVENTS_MAX: usize = 64;
/// Longest event in bytes.
const EVENT_MAX: usize = 256;

/// A log being written.
#[derive(Clone, Debug)]
pub struct EventLog {
    bytes: Vec<u8>,
    head: [u8; 48],
}

/// One event of a log that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was measured: one of [`names`].
    pub name: Vec<u8>,
    /// SHA-384 of it.
    pub digest: [u8; 48],
}

/// Names of the events that firmware writes, in their order.
pub mod names {
    /// The launch page.
    pub const LAUNCH_PAGE: &str = "launch page";
    /// The manifest's bytes; its digest is the manifest digest.
    pub const MANIFEST: &str = "manifest";
    /// The kernel ELF.
    pub const KERNEL: &str = "kernel";
    /// The engine ELF.
    pub const ENGINE: &str = "engine";
    /// The agent bundle's blob.
    pub const BUNDLE: &str = "bundle";
    /// The 32 bytes of the weights root, recomputed from the tree.
    pub const WEIGHTS_ROOT: &str = "weights root";
    /// As [`WEIGHTS_ROOT`], after every leaf was read and compared (`--measure full`).
    pub const WEIGHTS: &str = "weights, every leaf";
    /// As [`WEIGHTS_ROOT`], of the draft model, where there is one.
    pub const DRAFT_ROOT: &str = "draft weights root";
    /// As [`WEIGHTS`], of the draft model.
    pub const DRAFT: &str = "draft weights, every leaf";
}

/// Why a log is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogError {
    /// The field at fault.
    pub field: &'static str,
}

impl core::fmt::Display for LogError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "event log {}: not what the format says", self.field)
    }
}

impl core::error::Error for LogError {}

impl Default for EventLog {
    fn default() -> Self {
        Self { bytes: first_event(), head: [0; 48] }
    }
}

impl EventLog {
    /// Measures `bytes` under `name`.
    pub fn measure(&mut self, name: &str, bytes: &[u8]) {
        self.append(name, sha384(bytes));
    }

    /// Appends what was hashed already.
    pub fn append(&mut self, name: &str, digest: [u8; 48]) {
        self.head = extended(&self.head, &digest);
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let words = [PCR, EV_EVENT_TAG, 1].into_iter().flat_map(u32::to_le_bytes);
        self.bytes.extend(words.chain(ALG_SHA384.to_le_bytes()).chain(digest));
        self.bytes.extend(length.to_le_bytes().into_iter().chain(name.bytes()));
    }

    /// The head: commits to every event and their order.
    #[must_use]
    pub fn head(&self) -> [u8; 48] {
        self.head
    }

    /// The log's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn extended(head: &[u8; 48], digest: &[u8; 48]) -> [u8; 48] {
    Sha384::new().chain_update(head).chain_update(digest).finalize().into()
}

/// The event that says which algorithm the others use.
fn first_event() -> Vec<u8> {
    let mut event = SIGNATURE.to_vec();
    // Platform class 0, version 2.0 errata 0 (minor, major, errata), 64-bit integers (2), one algorithm.
    event.extend([0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0]);
    event.extend(ALG_SHA384.to_le_bytes().into_iter().chain(48_u16.to_le_bytes()).chain([0]));
    let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
    let words = [0, EV_NO_ACTION].into_iter().flat_map(u32::to_le_bytes);
    words.chain([0; 20]).chain(length.to_le_bytes()).chain(event).collect()
}

/// Reads a log and replays it: its events and the head they give.
///
/// # Errors
/// The field that is malformed.
pub fn replay(bytes: &[u8]) -> Result<(Vec<Event>, [u8; 48]), LogError> {
    let rest = bytes.strip_prefix(first_event().as_slice()).ok_or(LogError { field: "first event" })?;
    let mut reader = Reader(rest);
    let (mut events, mut head) = (Vec::new(), [0; 48]);
    while !reader.0.is_empty() {
        let event = reader.event()?;
        head = extended(&head, &event.digest);
        events.push(event);
        if events.len() > EVENTS_MAX {
            return Err(LogError { field: "count" });
        }
    }
    Ok((events, head))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn event(&mut self) -> Result<Event, LogError> {
        self.expect(PCR, "pcr index")?;
        self.expect(EV_EVENT_TAG, "type")?;
        self.expect(1, "digest count")?;
        if u16::from_le_bytes(self.take("algorithm")?) != ALG_SHA384 {
            return Err(LogError { field: "algorithm" });
        }
        let digest = self.take("digest")?;
        let length = usize::try_from(u32::from_le_bytes(self.take("size")?)).unwrap_or(usize::MAX);
        let split = self.0.split_at_checked(length).filter(|_| length <= EVENT_MAX);
        let (name, rest) = split.ok_or(LogError { field: "size" })?;
        self.0 = rest;
        Ok(Event { name: name.to_vec(), digest })
    }

    fn expect(&mut self, value: u32, field: &'static str) -> Result<(), LogError> {
        let found = u32::from_le_bytes(self.take(field)?);
        if found == value { Ok(()) } else { Err(LogError { field }) }
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], LogError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(LogError { field })?;
        self.0 = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> EventLog {
        let mut log = EventLog::default();
        log.measure(names::MANIFEST, b"manifest");
        log.measure(names::KERNEL, b"kernel");
        log
    }

    #[test]
    fn a_log_replays_to_its_head() {
        let (events, head) = replay(log().bytes()).unwrap();
        assert_eq!(head, log().head());
        assert_eq!(events[0], Event { name: b"manifest".to_vec(), digest: sha384(b"manifest") });
        assert_eq!(events.len(), 2);
        let by_hand = sha384(
            &[&sha384(&[&[0; 48][..], &sha384(b"manifest")].concat())[..], &sha384(b"kernel")].concat(),
        );
        assert_eq!(head, by_hand);
    }

    #[test]
    fn order_and_every_digest_change_the_head() {
        let mut swapped = EventLog::default();
        swapped.measure(names::KERNEL, b"kernel");
        swapped.measure(names::MANIFEST, b"manifest");
        assert_ne!(swapped.head(), log().head());
    }

    #[test]
    fn every_cut_is_refused_but_between_events() {
        let bytes = log().bytes().to_vec();
        let first = first_event().len();
        let whole = [first, first + 14 + 48 + 4 + names::MANIFEST.len(), bytes.len()];
        for end in 0..=bytes.len() {
            assert_eq!(replay(&bytes[..end]).is_ok(), whole.contains(&end), "{end}");
        }
    }

    #[test]
    fn each_wrong_field_is_named() {
        let start = first_event().len();
        let fields =
            [(0, "first event"), (start, "pcr index"), (start + 4, "type"), (start + 8, "digest count")];
        let more = [(start + 12, "algorithm"), (start + 14 + 48 + 3, "size")];
        for (at, field) in fields.into_iter().chain(more) {
            let mut bytes = log().bytes().to_vec();
            bytes[at] ^= 0x80;
            assert_eq!(replay(&bytes), Err(LogError { field }));
        }
        let mut many = EventLog::default();
        (0..65).for_each(|_| many.measure("x", b""));
        assert_eq!(replay(many.bytes()), Err(LogError { field: "count" }));
    }
}
