//! Evidence and reports as they come.

use super::*;

#[test]
fn a_report_of_another_form_is_refused_by_field() {
    let bytes = evidence().statement.report;
    let field = |at: usize| {
        let mut changed = bytes.clone();
        changed[at] ^= [4, 2][usize::from(at == 0x0A)];
        Report::parse(&changed).unwrap_err().field
    };
    assert_eq!(field(0), "version");
    assert_eq!(field(0x34), "signature algorithm");
    assert_eq!(field(0x0A), "policy's reserved bits");
    assert_eq!(field(0x190), "reserved bytes");
    assert_eq!(field(0x2A0 + 60), "signature padding");
    assert_eq!(Report::parse(&bytes[1..]).unwrap_err().field, "length");
}

fn json() -> Evidence {
    json_of(evidence())
}

#[test]
fn evidence_is_read_from_json_and_each_bad_field_is_named() {
    let parse = |json: &Evidence| Bytes::parse(&serde_json::to_vec(json).unwrap());
    assert_eq!(parse(&json()), Ok(evidence()));
    let field = |json: Evidence| parse(&json).unwrap_err().field;
    assert_eq!(field(Evidence { format: "x".to_string(), ..json() }), "format");
    assert_eq!(field(Evidence { report: "0".to_string(), ..json() }), "report");
    assert_eq!(field(Evidence { manifest: "AA".to_string(), ..json() }), "manifest");
    assert_eq!(field(Evidence { purpose: 9, ..json() }), "purpose");
    assert_eq!(field(Evidence { nonce: "00".to_string(), ..json() }), "nonce");
    assert_eq!(Bytes::parse(b"{}").unwrap_err().field, "JSON");
}
