//! What the secure processor tells this guest alone. Spec: AMD 56860 rev 1.58 §8.17.2.5, table 69.
//!
//! The page is also where the guest keeps which messages it has sent, in the bytes that are its own: whoever runs in ring 0 next,
//! the kernel after firmware, goes on from there.

use zeroize::Zeroize as _;

use crate::processor::Refusal;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// The key of privilege level 0.
const KEY: usize = 0x20;
/// Number of its last message, in the guest's bytes.
const SEQUENCE: usize = 0xA0;

/// The page: private memory.
#[derive(Debug)]
pub struct Secrets<'a>(&'a mut [u8; 4096]);

impl<'a> Secrets<'a> {
    /// The page as the secure processor left it, or as firmware did.
    #[must_use]
    pub const fn new(page: &'a mut [u8; 4096]) -> Self {
        Self(page)
    }

    /// The key of messages, and the number of the next one.
    ///
    /// # Errors
    /// [`Refusal::Report`] where there is no key, or its numbers are used up.
    pub fn key(&self) -> Result<(&[u8; KEY_BYTES], u32), Refusal> {
        let key = self.at::<KEY_BYTES>(KEY).filter(|key| key.iter().any(|&byte| byte != 0));
        let next = self.at(SEQUENCE).copied().map(u32::from_le_bytes).and_then(|last| last.checked_add(1));
        // The answer has a number, too.
        let next = next.filter(|&next| next < u32::MAX);
        key.zip(next).ok_or(Refusal::Report)
    }

    /// Message `sequence` was answered by the one after it.
    pub fn answered(&mut self, sequence: u32) {
        let last = sequence.saturating_add(1).to_le_bytes();
        if let Some(to) = self.0.get_mut(SEQUENCE..).and_then(|rest| rest.first_chunk_mut()) {
            *to = last;
        }
    }

    /// Forgets the key: a message was sent whose number may not be used again, and nobody knows what became of it.
    pub fn forget(&mut self) {
        if let Some(key) = self.0.get_mut(KEY..KEY + KEY_BYTES) {
            key.zeroize();
        }
    }

    fn at<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.0.get(offset..).and_then(|rest| rest.first_chunk())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> [u8; 4096] {
        let mut page = [0; 4096];
        page[0x20..0x40].fill(7);
        page
    }

    #[test]
    fn numbers_go_up_by_two_and_end_before_they_repeat() {
        let mut page = page();
        let mut secrets = Secrets::new(&mut page);
        assert_eq!(secrets.key(), Ok((&[7; 32], 1)));
        secrets.answered(1);
        assert_eq!(secrets.key(), Ok((&[7; 32], 3)));
        secrets.answered(u32::MAX - 2);
        assert_eq!(secrets.key(), Err(Refusal::Report));
    }

    #[test]
    fn a_forgotten_key_is_gone() {
        let mut page = page();
        Secrets::new(&mut page).forget();
        assert_eq!(Secrets::new(&mut page).key(), Err(Refusal::Report));
        assert!(page[0x20..0x40].iter().all(|&byte| byte == 0));
    }
}
