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
        encryption: None,
    }
}

/// Every combination of what a manifest may have or not.
fn manifests() -> [Manifest; 8] {
    let weights = Weights { root: [8; 32], sha256: [9; 32], bytes: 1 << 27 };
    let draft = Some(Draft { model: "Small".to_string(), weights });
    let unsigned = Manifest { publisher: None, ..manifest() };
    let drafted =
        [manifest(), unsigned.clone()].map(|manifest| Manifest { draft: draft.clone(), ..manifest });
    let [signed_draft, unsigned_draft] = drafted;
    let plain = [manifest(), unsigned, signed_draft, unsigned_draft];
    let encrypted =
        plain.clone().map(|manifest| Manifest { encryption: Some(encryption(&manifest)), ..manifest });
    let mut all = plain.into_iter().chain(encrypted);
    core::array::from_fn(|_| all.next().unwrap())
}

fn encryption(manifest: &Manifest) -> Encryption {
    let draft_plaintext_root = manifest.draft.as_ref().map(|_| [11; 32]);
    Encryption { plaintext_root: [10; 32], draft_plaintext_root, key_check: [12; 32] }
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
    for found in [0, 4] {
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
    let [_, _, drafted, ..] = manifests();
    for (manifest, version) in [(manifest(), 2), (drafted, 1)] {
        let bytes = manifest.encode();
        let at = bytes.iter().position(|byte| *byte == 0).unwrap() + 1;
        let changed = [&bytes[..at], &[version], &bytes[at + 1..]].concat();
        assert_eq!(Manifest::decode(&changed), Err(ManifestError::Field { name: "map" }));
    }
}

#[test]
fn encrypted_weights_and_their_format_version_come_together() {
    let [plain, _, drafted, _, encrypted, ..] = manifests();
    for (manifest, version) in [(plain, 3), (drafted, 3), (encrypted.clone(), 1), (encrypted.clone(), 2)] {
        let bytes = manifest.encode();
        let at = bytes.iter().position(|byte| *byte == 0).unwrap() + 1;
        let changed = [&bytes[..at], &[version], &bytes[at + 1..]].concat();
        let _refused: ManifestError = Manifest::decode(&changed).unwrap_err();
    }
    // A draft model's plaintext without the draft model, and another algorithm.
    let stray = Encryption { draft_plaintext_root: Some([11; 32]), ..encrypted.encryption.unwrap() };
    let stray = Manifest { encryption: Some(stray), ..encrypted.clone() };
    let _refused: ManifestError = Manifest::decode(&stray.encode()).unwrap_err();
    let mut bytes = encrypted.encode();
    let at = bytes.windows(3).position(|window| window == [18, 1, 19]).unwrap();
    bytes[at + 1] = 2;
    assert_eq!(Manifest::decode(&bytes), Err(ManifestError::Field { name: "encryption" }));
}
