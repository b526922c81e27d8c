//! What an answer says, and its digest.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

const TAG: &[u8] = b"vial answer 1";

/// SHA-256: what requests and evidence are named by.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// All that an answer says, or a beginning of it. Content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Text for people.
    pub text: String,
    /// What the model thought.
    pub reasoning: String,
    /// Calls of functions, in order.
    pub calls: Vec<Call>,
}

/// A call of a function. Content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub name: String,
    /// Its arguments, as the model wrote them.
    pub arguments: String,
}

impl Answered {
    /// SHA-256 of a tag, and then of text, reasoning and each call's name and arguments, each behind its length in bytes as 64
    /// bits, little-endian; the number of calls stands before them in the same form.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(TAG);
        let count = |hash: Sha256, count: usize| hash.chain_update((count as u64).to_le_bytes());
        let part = |hash: Sha256, text: &str| count(hash, text.len()).chain_update(text);
        hash = part(part(hash, &self.text), &self.reasoning);
        hash = count(hash, self.calls.len());
        hash = self.calls.iter().fold(hash, |hash, call| part(part(hash, &call.name), &call.arguments));
        hash.finalize().into()
    }
}
