use alloc::vec;

use super::*;
use crate::tiny::GgufWriter;

fn parse(bytes: &[u8]) -> Result<Gguf<'_>, GgufError> {
    Gguf::parse(bytes, bytes.len() as u64)
}

fn small() -> GgufWriter {
    GgufWriter::new()
        .string("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .f32("llama.eps", 0.5)
        .bool("flag", true)
        .strings("tokens", &["a", "", "é"])
        .i32s("kinds", &[1, -3])
        .tensor("w", &[32, 2], GgmlType::Q8_0.0, &[7; 68])
        .tensor("norm", &[3], GgmlType::F32.0, &[1; 12])
}

fn refusal(file: GgufWriter) -> GgufError {
    parse(&file.finish()).unwrap_err()
}

#[test]
fn a_file_is_read_back() {
    let bytes = small().finish();
    let gguf = parse(&bytes).unwrap();
    assert_eq!(gguf.version(), 3);
    assert_eq!(gguf.str("general.architecture"), Some("llama"));
    assert_eq!(gguf.u64("llama.block_count"), Some(2));
    assert_eq!(gguf.value("llama.eps").and_then(Value::as_f64), Some(0.5));
    assert_eq!(gguf.value("flag").and_then(Value::as_bool), Some(true));
    assert_eq!(gguf.value("tokens").and_then(Value::as_strings), Some(["a", "", "é"].as_slice()));
    let kinds = gguf.value("kinds").and_then(Value::as_numbers).unwrap();
    assert_eq!(kinds.integers().collect::<Vec<_>>(), [Some(1), Some(-3)]);
    let w = gguf.tensor("w").unwrap();
    assert_eq!((w.columns(), w.rows(), w.bytes(), w.kind), (32, 2, 68, GgmlType::Q8_0));
    assert_eq!(w.range.start, gguf.data_start());
    assert_eq!(gguf.tensor("norm").unwrap().range, gguf.data_start() + 96..gguf.data_start() + 108);
}

#[test]
fn every_prefix_asks_for_more_and_every_cut_file_is_refused() {
    let bytes = small().finish();
    let header = usize::try_from(parse(&bytes).unwrap().data_start()).unwrap();
    for have in 0..header - ALIGNMENT_SLACK {
        let more = Gguf::parse(&bytes[..have], bytes.len() as u64).unwrap_err();
        assert!(
            matches!(more, GgufError::NeedMore { at_least, .. } if at_least > have as u64),
            "{have}: {more}"
        );
    }
    for have in 0..bytes.len() {
        let cut = parse(&bytes[..have]).unwrap_err();
        assert!(matches!(cut, GgufError::CutShort { .. } | GgufError::OutsideFile { .. }), "{have}: {cut}");
    }
    Gguf::parse(&bytes[..header], bytes.len() as u64).unwrap();
}

/// Padding between the last info and the data section of [`small`] is shorter than this.
const ALIGNMENT_SLACK: usize = 32;

#[test]
fn no_flipped_byte_panics() {
    let bytes = small().finish();
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut broken = bytes.clone();
            broken[at] = value;
            drop(parse(&broken));
        }
    }
}

#[test]
fn other_files_and_versions_are_named() {
    assert_eq!(parse(b"PK\x03\x04....").unwrap_err(), GgufError::Magic { found: *b"PK\x03\x04" });
    assert_eq!(parse(b"GGUF\x01\0\0\0").unwrap_err(), GgufError::Version { found: 1 });
    assert_eq!(parse(b"GGUF\0\0\0\x03").unwrap_err(), GgufError::Version { found: 0x0300_0000 });
}

#[test]
fn hostile_counts_are_refused_before_anything_is_allocated() {
    let mut bytes = small().finish();
    bytes[8..16].fill(0xff);
    let found = u64::MAX;
    let expected = GgufError::Limit { what: "tensor count", found, limit: limit::TENSORS };
    assert_eq!(parse(&bytes).unwrap_err(), expected);
    let mut array = 4_u32.to_le_bytes().to_vec();
    array.extend(limit::ARRAY_ITEMS.to_le_bytes());
    assert!(matches!(refusal(GgufWriter::new().raw("a", 9, &array)), GgufError::CutShort { .. }));
    let string = u64::MAX.to_le_bytes();
    let expected = GgufError::Limit { what: "metadata string", found, limit: limit::STRING_BYTES };
    assert_eq!(refusal(GgufWriter::new().raw("s", 8, &string)), expected);
}

#[test]
fn malformed_metadata_is_named() {
    let twice = GgufWriter::new().u32("k", 1).u32("k", 1);
    assert_eq!(refusal(twice), GgufError::Duplicate { what: "metadata", name: "k".into() });
    let kind = GgufWriter::new().raw("k", 13, &[]);
    assert_eq!(refusal(kind), GgufError::ValueType { key: "k".into(), found: 13 });
    assert!(matches!(refusal(GgufWriter::new().raw("k", 7, &[2])), GgufError::Bool { found: 2, .. }));
    let text = [&1_u64.to_le_bytes()[..], &[0xff]].concat();
    assert!(matches!(refusal(GgufWriter::new().raw("k", 8, &text)), GgufError::Utf8 { .. }));
    let nested = [&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes()].concat().repeat(5);
    let expected = GgufError::Nesting { key: "k".into(), limit: 4 };
    assert_eq!(refusal(GgufWriter::new().raw("k", 9, &nested)), expected);
    for found in [0, 3, 1 << 21] {
        let refused = refusal(GgufWriter::new().u32("general.alignment", found));
        assert!(matches!(refused, GgufError::Alignment { .. }), "{refused}");
    }
    assert!(matches!(refusal(GgufWriter::new().f32("general.alignment", 32.)), GgufError::Alignment { .. }));
}

#[test]
fn malformed_tensors_are_named() {
    let file = |dims: &[u64], kind, offset| refusal(GgufWriter::new().info("t", dims, kind, offset));
    let tensor = || alloc::string::String::from("t");
    assert_eq!(file(&[1], 99, 0), GgufError::TensorType { tensor: tensor(), found: 99 });
    assert_eq!(file(&[1, 0], 0, 0), GgufError::Dimensions { tensor: tensor(), found: vec![1, 0] });
    assert!(matches!(file(&[], 0, 0), GgufError::Limit { found: 0, .. }));
    assert!(matches!(file(&[1; 5], 0, 0), GgufError::Limit { found: 5, .. }));
    assert!(matches!(file(&[33], 8, 0), GgufError::RowLength { found: 33, block: 32, .. }));
    assert_eq!(file(&[1 << 40, 1 << 40], 0, 0), GgufError::SizeOverflow { tensor: tensor() });
    assert_eq!(file(&[16], 0, u64::MAX - 31), GgufError::SizeOverflow { tensor: tensor() });
    assert!(matches!(file(&[8], 0, u64::MAX - 63), GgufError::OutsideFile { found: u64::MAX, .. }));
    assert!(matches!(file(&[1], 0, 1), GgufError::Unaligned { found: 1, alignment: 32, .. }));
    assert!(matches!(file(&[1], 0, 32), GgufError::OutsideFile { .. }));
}

#[test]
fn tensors_that_share_a_name_or_bytes_are_refused() {
    let twice = small().info("w", &[1], 0, 128);
    assert!(matches!(refusal(twice), GgufError::OutsideFile { .. } | GgufError::Duplicate { .. }));
    let named = small().tensor("w", &[1], 0, &[0; 4]);
    assert_eq!(refusal(named), GgufError::Duplicate { what: "tensor", name: "w".into() });
    let shared = small().info("v", &[1], 0, 64);
    assert_eq!(refusal(shared), GgufError::Overlap { first: "w".into(), second: "v".into() });
}
