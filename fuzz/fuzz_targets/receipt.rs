//! Receipts of whoever shows one: what is accepted, signed again, reads the same.
#![no_main]

use ed25519_dalek::{Signer as _, SigningKey};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _read = vial_receipt::verify(data);
    // The claims behind a signature that holds, whatever they are.
    let Some(receipt) = vial_receipt::claims_of(data) else { return };
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let signed = vial_receipt::sign(&receipt, &public, |content| key.sign(content).to_bytes()).expect("signed");
    assert_eq!(vial_receipt::verify(&signed).map(|(read, _)| format!("{read:?}")), Ok(format!("{receipt:?}")));
});
