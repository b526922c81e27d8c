//! Every field survives, and every other form is refused.

use alloc::string::ToString as _;

use super::*;

fn manifest() -> Manifest {
    Manifest {
        firmware: [1; 48],
        kernel: [2; 48],
        engine: [3; 48],
        bundle: [4; 48],
        model: "Model".to_string(),
        architecture: "llama".to_string(),
        weights: Weights { root: [5; 32], sha256: [6; 32], bytes: 1 << 33 },
        policy: Policy { max_streams: 8, max_context: 4096 },
        publisher: Some([7; 32]),
        draft: None,
    }
}

/// Every combination of what a manifest may have or not.
fn manifests() -> [Manifest; 4] {
    let weights = Weights { root: [8; 32], sha256: [9; 32], bytes: 1 << 27 };
    let draft = Some(Draft { model: "Small".to_string(), weights });
    let unsigned = Manifest { publisher: None, ..manifest() };
    let drafted =
        [manifest(), unsigned.clone()].map(|manifest| Manifest { draft: draft.clone(), ..manifest });
    let [signed_draft, unsigned_draft] = drafted;
    [manifest(), unsigned, signed_draft, unsigned_draft]
}

#[test]
fn a_manifest_survives_its_encoding() {
    for manifest in manifests() {
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    }
}

#[test]
fn a_cut_manifest_is_refused_at_every_length() {
    for bytes in manifests().map(|manifest| manifest.encode()) {
        for end in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn every_changed_byte_is_refused_or_changes_the_digest() {
    for manifest in manifests() {
        let bytes = manifest.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(Manifest::decode(&changed), Ok(manifest.clone()), "byte {at}");
        }
    }
}

#[test]
fn long_forms_trailing_bytes_other_versions_and_leaves_are_refused() {
    let bytes = manifest().encode();
    assert_eq!(Manifest::decode(&[&bytes[..], &[0]].concat()), Err(ManifestError::Form));
    let long = [&bytes[..2], &[0x18, 1], &bytes[3..]].concat();
    assert_eq!(Manifest::decode(&long), Err(ManifestError::Form));
    for found in [0, 3] {
        let version = [&bytes[..2], &[found], &bytes[3..]].concat();
        let found = u32::from(found);
        assert_eq!(Manifest::decode(&version), Err(ManifestError::Version { found }));
    }
    let found = MANIFEST_MAX + 1;
    assert_eq!(Manifest::decode(&alloc::vec![0; found]), Err(ManifestError::Length { found }));
    let leaf = bytes.windows(6).position(|window| window == [10, 0x1A, 0, 2, 0, 0]).unwrap();
    let mut other_leaf = bytes;
    other_leaf[leaf + 3] = 1;
    assert_eq!(Manifest::decode(&other_leaf), Err(ManifestError::Field { name: "leaf bytes" }));
}

#[test]
fn a_draft_model_and_its_format_version_come_together() {
    let [.., drafted] = manifests();
    for (manifest, version) in [(manifest(), 2), (drafted, 1)] {
        let bytes = manifest.encode();
        let at = bytes.iter().position(|byte| *byte == 0).unwrap() + 1;
        let changed = [&bytes[..at], &[version], &bytes[at + 1..]].concat();
        assert_eq!(Manifest::decode(&changed), Err(ManifestError::Field { name: "map" }));
    }
}
