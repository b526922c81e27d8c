//! Messages as an independent tool seals them: `measurements/vectors/snp_messages.py`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use serde_json::Value;
use vial_snp::message::{HEADER_BYTES, Header, Kind, open, seal};

const REQUEST: Header = Header { sequence: 1, kind: Kind::ReportRequest, payload: 96 };
const RESPONSE: Header = Header { sequence: 2, kind: Kind::ReportResponse, payload: 1216 };

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../measurements/vectors/snp_messages.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let (pairs, _) = hex.as_str().unwrap().as_bytes().as_chunks::<2>();
    pairs.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Header and payload.
fn parts(message: &Value) -> ([u8; HEADER_BYTES], Vec<u8>) {
    let message = bytes(message);
    let (header, payload) = message.split_first_chunk().unwrap();
    (*header, payload.to_vec())
}

#[test]
fn messages_are_sealed_and_opened_as_an_independent_tool_does() {
    let vectors = vectors();
    let key = bytes(&vectors["key"]).try_into().unwrap();
    for (name, header) in [("request", REQUEST), ("response", RESPONSE)] {
        let plain = bytes(&vectors[name]["payload"]);
        let (sealed_header, sealed) = parts(&vectors[name]["message"]);
        let mut payload = plain.clone();
        assert_eq!(seal(&key, &header, &mut payload), Some(sealed_header), "{name}");
        assert!(payload == sealed, "{name}");
        open(&key, &header, &sealed_header, &mut payload).unwrap();
        assert!(payload == plain, "{name}");
    }
}

#[test]
fn a_genuine_message_with_another_header_is_refused_whichever_field_it_is() {
    let vectors = vectors();
    let key = bytes(&vectors["key"]).try_into().unwrap();
    let twins = vectors["twins"].as_array().unwrap();
    assert_eq!(twins.len(), 12);
    for twin in twins {
        let (header, mut payload) = parts(&twin["message"]);
        assert_eq!(open(&key, &REQUEST, &header, &mut payload), None, "{}", twin["field"]);
    }
}

#[test]
fn a_message_whose_tag_or_payload_changed_or_of_another_length_is_refused() {
    let vectors = vectors();
    let key: [u8; 32] = bytes(&vectors["key"]).try_into().unwrap();
    let (header, payload) = parts(&vectors["request"]["message"]);
    let opened = |key: &[u8; 32], header: &[u8; HEADER_BYTES], mut payload: Vec<u8>| {
        open(key, &REQUEST, header, &mut payload)
    };
    assert_eq!(opened(&key, &header, payload.clone()), Some(()));
    for at in [0, 15] {
        let mut header = header;
        header[at] ^= 1;
        assert_eq!(opened(&key, &header, payload.clone()), None, "tag {at}");
    }
    for at in [0, 95] {
        let mut payload = payload.clone();
        payload[at] ^= 1;
        assert_eq!(opened(&key, &header, payload), None, "payload {at}");
    }
    assert_eq!(opened(&key, &header, payload[..95].to_vec()), None);
    assert_eq!(opened(&[1; 32], &header, payload), None, "another key");
}
