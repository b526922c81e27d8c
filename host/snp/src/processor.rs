//! The secure processor: its pages, and its messages. Spec: AMD 56860 rev 1.58 §7.3, §8.17.2.5, §8.26.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Tag};

const HEADER_BYTES: usize = 0x60;
const REPORT_BYTES: usize = 1184;
/// Codes of table 5, "status codes": INVALID_PARAM, AEAD_OFLOW.
const INVALID: u32 = 0x16;
const OVERFLOW: u32 = 0x1D;

/// Gives a report over 64 bytes of report data.
pub type Reporter = Box<dyn FnMut(&[u8; 64]) -> Vec<u8> + Send>;

/// The secure processor as one guest knows it.
pub struct SecureProcessor {
    keys: [[u8; 32]; 4],
    /// The last message's number, for each key.
    sequences: [u64; 4],
    reporter: Reporter,
}

impl core::fmt::Debug for SecureProcessor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SecureProcessor").field("sequences", &self.sequences).finish_non_exhaustive()
    }
}

/// A message, apart.
struct Message<'a> {
    sequence: u64,
    kind: u8,
    level: u8,
    payload: &'a [u8],
}

impl SecureProcessor {
    /// One with these keys, which must be random.
    #[must_use]
    pub fn new(keys: [[u8; 32]; 4], reporter: Reporter) -> Self {
        Self { keys, sequences: [0; 4], reporter }
    }

    /// What the guest is told alone: version 3, keys of all privilege levels.
    #[must_use]
    pub fn secrets(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[0] = 3;
        for (to, key) in page[0x20..].chunks_mut(32).zip(self.keys) {
            to.copy_from_slice(&key);
        }
        page
    }

    /// Answers a message that the host carries.
    ///
    /// # Errors
    /// The status with which the processor refuses it.
    pub fn answer(&mut self, request: &[u8; 4096]) -> Result<Vec<u8>, u32> {
        let level = request[0x3C];
        let key = *self.keys.get(usize::from(level)).ok_or(INVALID)?;
        let last = self.sequences.get_mut(usize::from(level)).ok_or(INVALID)?;
        let sequence = last.checked_add(1).ok_or(OVERFLOW)?;
        let payload = opened(request, &key, sequence).ok_or(INVALID)?;
        // An answer's type is the one behind the request's: there is none behind the last.
        let kind = request[0x34].checked_add(1).ok_or(INVALID)?;
        *last = sequence.checked_add(1).ok_or(OVERFLOW)?;
        let answer = self.served(request[0x34], &payload);
        let message = Message { sequence: sequence + 1, kind, level, payload: &answer };
        Ok(sealed(&message, &key))
    }

    /// MSG_REPORT_REQ: data, privilege level, which key signs, reserved. Others get a status that says so.
    fn served(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        let is_report = kind == 5 && payload.len() == 96 && payload[64..].iter().all(|&byte| byte == 0);
        let data = payload.first_chunk().filter(|_| is_report);
        let report = data.map(|data| (self.reporter)(data)).filter(|report| report.len() == REPORT_BYTES);
        let status = if report.is_some() { 0 } else { INVALID };
        let report = report.unwrap_or_default();
        let length = u32::try_from(report.len()).unwrap_or(0);
        [&status.to_le_bytes()[..], &length.to_le_bytes(), &[0; 24], &report].concat()
    }
}

/// The payload of a message with that number. Spec: table 98: algorithm 1, header version 1, header of 0x60 bytes, message
/// version 1, zeros where it says so.
fn opened(page: &[u8; 4096], key: &[u8; 32], sequence: u64) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_le_bytes([page[0x36], page[0x37]]));
    let is_formed = page[0x20..0x28] == sequence.to_le_bytes()
        && page[0x28..0x30] == [0; 8]
        && page[0x30..0x34] == [1, 1, 0x60, 0]
        && page[0x35] == 1
        && page[0x38..0x3C] == [0; 4]
        && page[0x3D..0x60].iter().all(|&byte| byte == 0);
    let mut payload = page.get(HEADER_BYTES..HEADER_BYTES + length).filter(|_| is_formed)?.to_vec();
    let tag = Tag::from(*page.first_chunk::<16>()?);
    let opened = Aes256Gcm::new(key.into()).decrypt_inout_detached(
        &nonce(sequence).into(),
        &page[0x30..0x60],
        payload.as_mut_slice().into(),
        &tag,
    );
    opened.ok().map(|()| payload)
}

fn sealed(message: &Message<'_>, key: &[u8; 32]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[0x20..0x28].copy_from_slice(&message.sequence.to_le_bytes());
    let length = u16::try_from(message.payload.len()).unwrap_or(0).to_le_bytes();
    let authenticated = [1, 1, 0x60, 0, message.kind, 1, length[0], length[1], 0, 0, 0, 0, message.level];
    bytes[0x30..0x3D].copy_from_slice(&authenticated);
    let mut payload = message.payload.to_vec();
    let cipher = Aes256Gcm::new(key.into());
    let associated = bytes[0x30..].to_vec();
    let nonce = nonce(message.sequence).into();
    if let Ok(tag) = cipher.encrypt_inout_detached(&nonce, &associated, payload.as_mut_slice().into()) {
        bytes[..16].copy_from_slice(&tag);
    }
    [bytes, payload].concat()
}

fn nonce(sequence: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&sequence.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: u8) -> [u8; 4096] {
        let mut page = sealed(&Message { sequence: 1, kind, level: 0, payload: &[0; 96] }, &[7; 32]);
        page.resize(4096, 0);
        page.try_into().unwrap()
    }

    #[test]
    fn a_type_that_has_no_answer_is_refused() {
        let processor = || SecureProcessor::new([[7; 32]; 4], Box::new(|_| vec![0; REPORT_BYTES]));
        assert_eq!(processor().answer(&request(u8::MAX)), Err(INVALID));
        assert_eq!(processor().answer(&request(5)).unwrap()[0x34], 6);
        assert_eq!(processor().answer(&request(254)).unwrap()[0x34], 255, "a status says that it is none");
    }
}
