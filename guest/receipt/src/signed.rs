//! Receipts under their signature. Spec: RFC 9052 §4.2.

use alloc::vec::Vec;

use coset::cwt::ClaimsSet;
use coset::iana::Algorithm;
use coset::{
    Algorithm as Named, CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder,
    TaggedCborSerializable as _,
};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::claims::{self, ReceiptError};
use crate::receipt::Receipt;

/// Signs a receipt with the key whose public half is `key`. `None` if it cannot be encoded, which is not known to happen.
#[must_use]
pub fn sign(receipt: &Receipt, key: &[u8; 32], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Option<Vec<u8>> {
    let payload = claims::of(receipt).to_vec().ok()?;
    let header = HeaderBuilder::new().algorithm(Algorithm::EdDSA).key_id(key.to_vec());
    let message = CoseSign1Builder::new().protected(header.build()).payload(payload);
    message.create_signature(&[], |content| sign(content).to_vec()).build().to_tagged_vec().ok()
}

/// Reads a receipt; gives the key that signed it, too. Whose key that is, evidence must say.
///
/// # Errors
/// It is none, or its signature does not hold.
pub fn verify(bytes: &[u8]) -> Result<(Receipt, [u8; 32]), ReceiptError> {
    let message = CoseSign1::from_tagged_slice(bytes).map_err(|_| ReceiptError::Form)?;
    let header = &message.protected.header;
    let is_eddsa = header.alg == Some(Named::Assigned(Algorithm::EdDSA));
    let is_bare = header.crit.is_empty() && message.unprotected.is_empty();
    let key: [u8; 32] = header.key_id.as_slice().try_into().map_err(|_| ReceiptError::Form)?;
    if !is_eddsa || !is_bare {
        return Err(ReceiptError::Form);
    }
    message
        .verify_signature(&[], |signature, content| holds(&key, content, signature).ok_or(()))
        .map_err(|()| ReceiptError::Signature)?;
    let payload = message.payload.as_deref().ok_or(ReceiptError::Form)?;
    let claims = ClaimsSet::from_slice(payload).map_err(|_| ReceiptError::Form)?;
    Ok((claims::read(claims)?, key))
}

/// Claims alone, without a signature: for tests of the parser behind one. Nothing that is believed may come of them.
#[cfg(fuzzing)]
#[must_use]
pub fn claims_of(payload: &[u8]) -> Option<Receipt> {
    claims::read(ClaimsSet::from_slice(payload).ok()?).ok()
}

fn holds(key: &[u8; 32], content: &[u8], signature: &[u8]) -> Option<()> {
    let signature = Signature::from_slice(signature).ok()?;
    VerifyingKey::from_bytes(key).ok()?.verify_strict(content, &signature).ok()
}
