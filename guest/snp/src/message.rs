//! Messages between guest and secure processor, which the host carries. Spec: AMD 56860 rev 1.58 §8.26, tables 97 to 99.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Tag};

use crate::secrets::KEY_BYTES;

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 0x60;
/// The same, as the header says it.
const HEADER_SIZE: u8 = 0x60;
/// The tag takes the first half of its place.
const TAG_BYTES: usize = 16;
const SEQUENCE: usize = 0x20;
/// From here on the header is authenticated.
const AUTHENTICATED: usize = 0x30;
const AES_256_GCM: u8 = 1;
const HEADER_VERSION: u8 = 1;
const MESSAGE_VERSION: u8 = 1;

/// What a message is. Spec: table 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MSG_REPORT_REQ.
    ReportRequest,
    /// MSG_REPORT_RSP.
    ReportResponse,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::ReportRequest => 5,
            Self::ReportResponse => 6,
        }
    }
}

/// What stands in a header beside the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message's number: its nonce. Used once for each key.
    pub sequence: u64,
    /// What it is.
    pub kind: Kind,
    /// Bytes of its payload.
    pub payload: u16,
}

impl Header {
    /// The header's bytes, without a tag. Its key is that of privilege level 0.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let [low, high] = self.payload.to_le_bytes();
        let fields =
            [AES_256_GCM, HEADER_VERSION, HEADER_SIZE, 0, self.kind.number(), MESSAGE_VERSION, low, high];
        let numbers = self.sequence.to_le_bytes();
        header.iter_mut().skip(SEQUENCE).zip(numbers).for_each(|(to, from)| *to = from);
        header.iter_mut().skip(AUTHENTICATED).zip(fields).for_each(|(to, from)| *to = from);
        header
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(self.sequence.to_le_bytes()).for_each(|(to, from)| *to = from);
        nonce
    }
}

/// Encrypts `payload` in its place; gives the header with its tag. `None` for more bytes than the header says.
#[must_use]
pub fn seal(key: &[u8; KEY_BYTES], header: &Header, payload: &mut [u8]) -> Option<[u8; HEADER_BYTES]> {
    let mut bytes = header.encode();
    (payload.len() == usize::from(header.payload)).then_some(())?;
    let associated = bytes.get(AUTHENTICATED..)?;
    let cipher = Aes256Gcm::new(key.into());
    let tag = cipher.encrypt_inout_detached(&header.nonce().into(), associated, payload.into()).ok()?;
    bytes.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    Some(bytes)
}

/// Decrypts `payload` in its place, private memory, where `found` is the header that is expected, tag aside. `None` where
/// anything differs.
#[must_use]
pub fn open(
    key: &[u8; KEY_BYTES],
    expected: &Header,
    found: &[u8; HEADER_BYTES],
    payload: &mut [u8],
) -> Option<()> {
    let header = expected.encode();
    (header.get(SEQUENCE..) == found.get(SEQUENCE..)).then_some(())?;
    (payload.len() == usize::from(expected.payload)).then_some(())?;
    let tag = Tag::from(*found.first_chunk::<TAG_BYTES>()?);
    let associated = header.get(AUTHENTICATED..)?;
    let cipher = Aes256Gcm::new(key.into());
    cipher.decrypt_inout_detached(&expected.nonce().into(), associated, payload.into(), &tag).ok()
}
