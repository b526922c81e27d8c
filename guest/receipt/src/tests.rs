//! Receipts signed, read, and changed.

use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use coset::cbor::Value;
use coset::{CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::{
    Answered, Call, LeafChecks, Outcome, Receipt, ReceiptError, Sampling, Tokens, digest, sign, verify,
};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public() -> [u8; 32] {
    key().verifying_key().to_bytes()
}

fn receipt() -> Receipt {
    Receipt {
        issued_s: 1_796_000_000,
        request: [1; 32],
        response: [2; 32],
        response_bytes: 12,
        outcome: Outcome::Stop,
        manifest_digest: [3; 48],
        weights_root: [4; 32],
        draft_root: Some([5; 32]),
        engine: "0.1.0".to_string(),
        sampling: Sampling { temperature: 0.7, top_p: 0.9, top_k: 40, seed: u64::MAX, ..Sampling::default() },
        tokens: Some(Tokens { prompt: 30, completion: 8 }),
        leaf_checks: LeafChecks { during: 0, since_start: 1094 },
        evidence: [6; 32],
    }
}

fn signed(receipt: &Receipt) -> Vec<u8> {
    sign(receipt, &public(), |content| key().sign(content).to_bytes()).unwrap()
}

#[test]
fn a_receipt_reads_as_it_was_signed() {
    let cut = Receipt { outcome: Outcome::Cut, draft_root: None, tokens: None, issued_s: 0, ..receipt() };
    for receipt in [receipt(), cut] {
        assert_eq!(verify(&signed(&receipt)), Ok((receipt, public())));
    }
}

#[test]
fn a_byte_that_changes_follows_or_is_missing_is_refused() {
    let good = signed(&receipt());
    for at in 0..good.len() {
        for bit in [1, 0x80] {
            let mut changed = good.clone();
            changed[at] ^= bit;
            assert!(verify(&changed).is_err_and(|error| !matches!(error, ReceiptError::Unknown)), "{at}");
        }
        assert_eq!(verify(&good[..at]), Err(ReceiptError::Form), "{at}");
    }
    assert_eq!(verify(&[good.as_slice(), &[0]].concat()), Err(ReceiptError::Form));
}

/// The receipt with other claims, signed.
fn with(change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Result<(Receipt, [u8; 32]), ReceiptError> {
    let message = CoseSign1::from_tagged_slice(&signed(&receipt())).unwrap();
    let mut claims = Value::from_slice(&message.payload.unwrap()).unwrap().into_map().unwrap();
    change(&mut claims);
    let payload = Value::Map(claims).to_vec().unwrap();
    let message = CoseSign1Builder::new().protected(message.protected.header).payload(payload);
    let message = message.create_signature(&[], |content| key().sign(content).to_bytes().to_vec());
    verify(&message.build().to_tagged_vec().unwrap())
}

#[test]
fn claims_that_are_missing_malformed_unknown_or_twice_are_refused_by_name() {
    let count = with(|_| ()).map(|_| 13).unwrap();
    for at in 0..count {
        let missing = with(|claims| drop(claims.remove(at)));
        let malformed = with(|claims| claims[at].1 = Value::Null);
        let twice = with(|claims| claims.push(claims[at].clone()));
        assert!(matches!(malformed, Err(ReceiptError::Claim(_) | ReceiptError::Form)), "{at}: {malformed:?}");
        assert!(matches!(twice, Err(ReceiptError::Unknown | ReceiptError::Form)), "{at}: {twice:?}");
        // The two that may be missing are the draft model's root and the tokens.
        let may_miss =
            matches!(&missing, Ok((found, _)) if found.draft_root.is_none() != found.tokens.is_none());
        assert!(may_miss || matches!(missing, Err(ReceiptError::Claim(_))), "{at}: {missing:?}");
    }
    let unknown = with(|claims| claims.push((Value::from(-70_099), Value::from(1))));
    assert_eq!(unknown, Err(ReceiptError::Unknown));
    let late = with(|claims| {
        claims.iter_mut().for_each(|(_, value)| {
            if value.is_map() {
                *value = Value::Map(vec![]);
            }
        })
    });
    assert_eq!(late, Err(ReceiptError::Claim("sampling")));
    assert_eq!(
        ReceiptError::Claim("tokens").to_string(),
        "receipt: tokens: found none or another form, expected one"
    );
}

#[test]
fn other_algorithms_headers_and_keys_are_refused() {
    let message = || CoseSign1::from_tagged_slice(&signed(&receipt())).unwrap();
    let other = |header: HeaderBuilder| {
        let built = CoseSign1Builder::new().protected(header.build()).payload(message().payload.unwrap());
        let built = built.create_signature(&[], |content| key().sign(content).to_bytes().to_vec()).build();
        verify(&built.to_tagged_vec().unwrap())
    };
    let eddsa = || HeaderBuilder::new().algorithm(coset::iana::Algorithm::EdDSA);
    assert!(other(eddsa().key_id(public().to_vec())).is_ok_and(|(_, key)| key == public()));
    assert_eq!(other(eddsa()), Err(ReceiptError::Form));
    assert_eq!(other(eddsa().key_id(vec![9; 32])), Err(ReceiptError::Signature));
    let es256 = HeaderBuilder::new().algorithm(coset::iana::Algorithm::ES256).key_id(public().to_vec());
    assert_eq!(other(es256), Err(ReceiptError::Form));
    let mut extra = message();
    extra.unprotected.key_id = vec![1];
    assert_eq!(verify(&extra.to_tagged_vec().unwrap()), Err(ReceiptError::Form));
}

#[test]
fn answers_that_say_other_things_have_other_digests() {
    let call =
        |name: &str, arguments: &str| Call { name: name.to_string(), arguments: arguments.to_string() };
    let answers = [
        Answered::default(),
        Answered { text: "ab".to_string(), ..Answered::default() },
        Answered { reasoning: "ab".to_string(), ..Answered::default() },
        Answered { text: "a".to_string(), reasoning: "b".to_string(), calls: vec![] },
        Answered { calls: vec![call("ab", "")], ..Answered::default() },
        Answered { calls: vec![call("a", "b")], ..Answered::default() },
        Answered { calls: vec![call("", ""), call("", "")], ..Answered::default() },
    ];
    let mut digests: Vec<_> = answers.iter().map(Answered::digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), answers.len());
    // Source: Python's `hashlib.sha256(b"vial answer 1" + struct.pack("<Q", 2) + b"ab" + bytes(16)).hexdigest()`.
    let expected = "2722662f2532d65c1bd250b8ae23103d160120004cd06f43b4613e99716fa0af";
    let hex: alloc::string::String =
        answers[1].digest().iter().map(|byte| alloc::format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
    assert_eq!(digest(b"")[..4], [0xE3, 0xB0, 0xC4, 0x42]);
}
