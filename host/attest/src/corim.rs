//! Reference values as a signed CoRIM, which other verifiers read.
//!
//! Spec: draft-ietf-rats-corim-10: §4 (`signed-corim`, COSE_Sign1), §5 (CoMID, reference triples).

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use coset::cbor::Value;
use coset::iana::Algorithm;
use coset::{CborSerializable as _, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _};

use crate::bytes::unhex;
use crate::reference::Reference;

/// Tags: a whole CoRIM, and one of its parts.
const UNSIGNED_CORIM: u64 = 501;
const COMID: u64 = 506;
const CONTENT_TYPE: &str = "application/rim+cbor";
/// Header of the signer's name.
const META: i64 = 8;
/// Numbers of hashes. Spec: IANA Named Information Hash Algorithm Registry; BLAKE3 has none and is named.
const SHA_384: i64 = 7;
const BLAKE3: &str = "blake3";

/// One value: what it is of, by which hash.
struct Measured<'a> {
    key: &'a str,
    hash: Value,
    hex: &'a str,
}

/// The signed document. `signer` is the publisher's name, `sign` its Ed25519 key; `tool` is what made it.
///
/// `None` if a value is no hex, or cannot be encoded.
#[must_use]
pub fn corim(
    reference: &Reference,
    tool: &str,
    signer: &str,
    sign: impl FnOnce(&[u8]) -> [u8; 64],
) -> Option<Vec<u8>> {
    let payload =
        Value::Tag(UNSIGNED_CORIM, alloc::boxed::Box::new(unsigned(reference, tool)?)).to_vec().ok()?;
    let meta = map([(0, map([(0, Value::Text(signer.to_string()))]))]).to_vec().ok()?;
    let header = HeaderBuilder::new()
        .algorithm(Algorithm::EdDSA)
        .content_type(CONTENT_TYPE.to_string())
        .value(META, Value::Bytes(meta));
    let message = CoseSign1Builder::new().protected(header.build()).payload(payload);
    message.create_signature(&[], |content| sign(content).to_vec()).build().to_tagged_vec().ok()
}

fn unsigned(reference: &Reference, tool: &str) -> Option<Value> {
    let identity = alloc::format!("tag:vial,2026:corim/{}", reference.launch_measurement);
    let comid = Value::Tag(COMID, alloc::boxed::Box::new(Value::Bytes(comid(reference)?.to_vec().ok()?)));
    let entity = map([(0, Value::Text(tool.to_string())), (2, Value::Array(vec![Value::from(0)]))]);
    Some(map([(0, Value::Text(identity)), (1, Value::Array(vec![comid])), (5, Value::Array(vec![entity]))]))
}

/// One module: an appliance of that model, on that machine, with these digests.
fn comid(reference: &Reference) -> Option<Value> {
    let identity = alloc::format!("tag:vial,2026:comid/{}", reference.manifest_digest);
    let class = map([(1, Value::Text("vial".to_string())), (2, Value::Text(reference.model.clone()))]);
    let environment = map([(0, class)]);
    let measurements = measured(reference).iter().map(measurement).collect::<Option<Vec<_>>>()?;
    let triple = Value::Array(vec![environment, Value::Array(measurements)]);
    let tag = map([(0, Value::Text(identity)), (1, Value::from(0))]);
    Some(map([(1, tag), (4, map([(0, Value::Array(vec![triple]))]))]))
}

fn measured(reference: &Reference) -> Vec<Measured<'_>> {
    let sha384 = |key, hex| Measured { key, hash: Value::from(SHA_384), hex };
    let blake3 = |key, hex| Measured { key, hash: Value::Text(BLAKE3.to_string()), hex };
    let mut all = vec![
        sha384("launch measurement", reference.launch_measurement.as_str()),
        sha384("launch page", &reference.launch_page),
        sha384("manifest", &reference.manifest_digest),
        sha384("firmware", &reference.firmware),
        sha384("kernel", &reference.kernel),
        sha384("engine", &reference.engine),
        sha384("agent bundle", &reference.bundle),
        blake3("weights", &reference.weights_root),
    ];
    all.extend(reference.plaintext_root.as_ref().map(|root| blake3("weights before encryption", root)));
    all.extend(reference.draft_root.as_ref().map(|root| blake3("draft weights", root)));
    all
}

/// `measurement-map` with one digest.
fn measurement(measured: &Measured<'_>) -> Option<Value> {
    let digest = Value::Array(vec![measured.hash.clone(), Value::Bytes(unhex(measured.hex)?)]);
    let values = map([(2, Value::Array(vec![digest]))]);
    Some(map([(0, Value::Text(String::from(measured.key))), (1, values)]))
}

fn map<const N: usize>(entries: [(i64, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}
