//! What a report binds, and how report requests cross the rings.
//!
//! `REPORT_DATA = SHA-512(tag ‖ version ‖ purpose ‖ nonce ‖ channel key ‖ manifest digest ‖ weights root ‖
//! event-log head)`; this module gives the preimage, each side hashes it. Numbers are little-endian u32.

use crate::wire::{Reader, WireError, Writer};

/// Domain-separation tag, 16 bytes.
pub const TAG: [u8; 16] = *b"vial report data";
/// Version of the preimage's layout.
pub const VERSION: u32 = 1;
/// Bytes of the preimage.
pub const PREIMAGE_BYTES: usize = 16 + 4 + 4 + 64 + 32 + 48 + 32 + 48;
/// Bytes of a SEV-SNP attestation report. Spec: AMD 56860 rev 1.56 §7.3, table 23.
pub const REPORT_BYTES: usize = 1184;
/// Bytes of [`ReportRequest`] in memory.
pub const REQUEST_BYTES: usize = 4 + 64 + 32;
/// Bytes before the report in a [`ReportResponse`]: status, report length, certificates length, 20 zero.
pub const RESPONSE_HEADER_BYTES: usize = 32;

/// Why a report was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// By firmware before hand-over; nonce and channel key are zero.
    Boot,
    /// By a remote verifier.
    Attestation,
    /// By a remote verifier too, of an appliance that answers nothing any more: weights that it read differed from what was
    /// sealed, or could not be read.
    Unhealthy,
}

impl Purpose {
    /// The number in the preimage.
    #[must_use]
    pub const fn value(self) -> u32 {
        match self {
            Self::Boot => 1,
            Self::Attestation => 2,
            Self::Unhealthy => 3,
        }
    }

    /// The purpose with that number.
    #[must_use]
    pub const fn from_value(value: u32) -> Option<Self> {
        match value {
            1 => Some(Self::Boot),
            2 => Some(Self::Attestation),
            3 => Some(Self::Unhealthy),
            _ => None,
        }
    }
}

/// Everything a report binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeData {
    /// Why the report was asked for.
    pub purpose: Purpose,
    /// The verifier's nonce, zero-padded to 64 bytes. Untrusted.
    pub nonce: [u8; 64],
    /// The appliance's Ed25519 public key, made in memory at boot.
    pub channel_key: [u8; 32],
    /// SHA-384 of the manifest.
    pub manifest_digest: [u8; 48],
    /// BLAKE3 of the GGUF bytes.
    pub weights_root: [u8; 32],
    /// Head of the event log.
    pub event_log_head: [u8; 48],
}

impl RuntimeData {
    /// The bytes whose SHA-512 is the report data.
    #[must_use]
    pub fn preimage(&self) -> [u8; PREIMAGE_BYTES] {
        let mut bytes = [0; PREIMAGE_BYTES];
        let mut out = Writer(&mut bytes);
        out.bytes(&TAG).u32(VERSION).u32(self.purpose.value()).bytes(&self.nonce).bytes(&self.channel_key);
        out.bytes(&self.manifest_digest).bytes(&self.weights_root).bytes(&self.event_log_head);
        bytes
    }
}

/// What the engine gives the kernel to be bound: the rest comes from the handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportRequest {
    /// [`Purpose::Boot`] is firmware's: the kernel serves the others to ring 3.
    pub purpose: Purpose,
    /// The verifier's nonce, zero-padded.
    pub nonce: [u8; 64],
    /// The appliance's public key.
    pub channel_key: [u8; 32],
}

impl ReportRequest {
    /// The request's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        Writer(&mut bytes).u32(self.purpose.value()).bytes(&self.nonce).bytes(&self.channel_key);
        bytes
    }

    /// Reads a request from ring 3: untrusted.
    ///
    /// # Errors
    /// An unknown purpose.
    pub fn decode(bytes: &[u8; REQUEST_BYTES]) -> Result<Self, WireError> {
        let mut from = Reader(bytes);
        let purpose = from.u32()?;
        let purpose = Purpose::from_value(purpose)
            .ok_or(WireError::Field { name: "purpose", found: purpose.into() })?;
        Ok(Self { purpose, nonce: from.bytes()?, channel_key: from.bytes()? })
    }
}

/// A TEE's answer: header, report, certificates (DER, one after another). From the host: untrusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportResponse<'a> {
    /// The report's bytes.
    pub report: &'a [u8],
    /// The chain the host sent with it, leaf first.
    pub certificates: &'a [u8],
}

impl<'a> ReportResponse<'a> {
    /// Header for a report and certificates of these lengths, status 0.
    #[must_use]
    pub fn header(report_bytes: u32, certificates_bytes: u32) -> [u8; RESPONSE_HEADER_BYTES] {
        let mut bytes = [0; RESPONSE_HEADER_BYTES];
        Writer(&mut bytes).u32(0).u32(report_bytes).u32(certificates_bytes);
        bytes
    }

    /// Splits an answer.
    ///
    /// # Errors
    /// A status other than 0, lengths past the end, reserved bytes that are not zero.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (header, body) = bytes.split_first_chunk::<RESPONSE_HEADER_BYTES>().ok_or(WireError::Short)?;
        let mut from = Reader(header);
        let (status, report_bytes, certificates_bytes) = (from.u32()?, from.u32()?, from.u32()?);
        from.finish()?;
        if status != 0 {
            return Err(WireError::Field { name: "status", found: status.into() });
        }
        let (report, rest) = take(body, report_bytes)?;
        let (certificates, _) = take(rest, certificates_bytes)?;
        Ok(Self { report, certificates })
    }
}

fn take(bytes: &[u8], len: u32) -> Result<(&[u8], &[u8]), WireError> {
    let len = usize::try_from(len).map_err(|_| WireError::Short)?;
    bytes.split_at_checked(len).ok_or(WireError::Short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_preimage() {
        let data = RuntimeData {
            purpose: Purpose::Attestation,
            nonce: [1; 64],
            channel_key: [2; 32],
            manifest_digest: [3; 48],
            weights_root: [4; 32],
            event_log_head: [5; 48],
        };
        let whole = data.preimage();
        assert_eq!(whole[PREIMAGE_BYTES - 1], 5, "the last field reaches the end");
        for other in [
            RuntimeData { purpose: Purpose::Boot, ..data },
            RuntimeData { nonce: [0; 64], ..data },
            RuntimeData { channel_key: [0; 32], ..data },
            RuntimeData { manifest_digest: [0; 48], ..data },
            RuntimeData { weights_root: [0; 32], ..data },
            RuntimeData { event_log_head: [0; 48], ..data },
        ] {
            assert_ne!(other.preimage(), whole);
        }
    }

    #[test]
    fn a_response_longer_than_its_buffer_is_refused() {
        let header = ReportResponse::header(8, 0);
        assert_eq!(ReportResponse::decode(&header), Err(WireError::Short));
    }
}
