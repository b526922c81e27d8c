//! Images with encrypted weights: what is in them, what opens them, and what does not.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::print_stdout, reason = "says why a test does nothing")]

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use vial_image::{Guest, ImageError, Recipe, SealedImage};
use vial_weights::cipher::{Decryptor, File, OwnerKey};
use vial_weights::header::Part;
use vial_weights::tree::Hex;
use vial_weights::{LEAF_BYTES, Lanes, Tree};

const KEY: [u8; 32] = [0x5A; 32];

fn recipe(folder: &Path, has_draft: bool, key: Option<OwnerKey>) -> Recipe {
    let [model, draft] = [("tiny.gguf", 1), ("small.gguf", 2)].map(|(name, seed)| {
        let path = folder.join(name);
        std::fs::write(&path, vial_model::tiny::llama(seed)).unwrap();
        path
    });
    let guest = Guest { firmware: vec![1; 9000], kernel: vec![2; 500], engine: vec![3; 70_000] };
    let (draft, encrypt) = (has_draft.then_some(draft), key);
    Recipe { model, draft, agent: None, publisher: None, encrypt, guest, max_streams: 8, max_context: 4096 }
}

fn encrypted(folder: &Path) -> PathBuf {
    let output = folder.join("out.img");
    recipe(folder, true, Some(OwnerKey::new(&KEY))).build(&output, &mut |_, _| ()).unwrap();
    output
}

fn part(image: &SealedImage, part: Part) -> Vec<u8> {
    let place = image.place(part);
    let mut bytes = vec![0; usize::try_from(place.bytes).unwrap()];
    image.file().read_exact_at(&mut bytes, place.start).unwrap();
    bytes
}

#[test]
fn images_in_clear_have_the_bytes_they_had_before_any_were_encrypted() {
    // Source: the same recipes, built by the last vial that could not encrypt.
    let expected = [
        (false, "9a7194d73fb9f2c50bac5a58ded066e6d6f72304e54d3e57eab4c408ce7fde91"),
        (true, "5d5d11d0afb9f94f406986a2726a4f3e54fb11068ab3ef2b2a800c29aa3c1e8f"),
    ];
    for (has_draft, hash) in expected {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.img");
        recipe(folder.path(), has_draft, None).build(&output, &mut |_, _| ()).unwrap();
        assert_eq!(blake3::hash(&std::fs::read(output).unwrap()).to_hex().as_str(), hash);
    }
}

#[test]
fn two_encrypted_builds_give_equal_bytes_and_another_key_gives_others() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] = folders.each_ref().map(|folder| std::fs::read(encrypted(folder.path())).unwrap());
    assert!(one == other);
    let output = folders[0].path().join("out.img");
    let recipe = recipe(folders[0].path(), true, Some(OwnerKey::new(&[1; 32])));
    recipe.build(&output, &mut |_, _| ()).unwrap();
    assert!(one != std::fs::read(output).unwrap());
}

#[test]
fn the_model_is_nowhere_in_an_encrypted_image_and_the_key_neither() {
    let folder = tempfile::tempdir().unwrap();
    let image = std::fs::read(encrypted(folder.path())).unwrap();
    let has = |what: &[u8]| image.windows(what.len()).any(|window| window == what);
    assert!(has(b"VIALSEAL") && !has(&KEY[..8]) && !has(b"GGUF"));
    for seed in [1, 2] {
        // Of whatever 24 bytes of the model that are not all the same, as padding is.
        let model = vial_model::tiny::llama(seed);
        let pieces =
            model.chunks_exact(24).step_by(97).filter(|piece| piece.iter().any(|byte| *byte != piece[0]));
        assert!(pieces.clone().count() > 10);
        pieces.for_each(|piece| assert!(!has(piece)));
    }
}

#[test]
fn the_tree_covers_what_lies_there_and_the_manifest_names_the_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    let image = SealedImage::open(&encrypted(folder.path())).unwrap();
    let (manifest, encryption) = (image.manifest(), image.manifest().encryption.unwrap());
    let id = encryption.image_id();
    let key = OwnerKey::new(&KEY).image_key(&id);
    assert!(encryption.is_opened_by(&key));
    let draft = manifest.draft.as_ref().unwrap().weights;
    let files = [
        (File::Model, Part::Weights, Part::Tree, Part::Tags, manifest.weights, encryption.plaintext_root, 1),
        (
            File::Draft,
            Part::DraftWeights,
            Part::DraftTree,
            Part::DraftTags,
            draft,
            encryption.draft_plaintext_root.unwrap(),
            2,
        ),
    ];
    for (file, weights, tree, tags, sealed, plaintext_root, seed) in files {
        let model = vial_model::tiny::llama(seed);
        let (mut bytes, values, tags) = (part(&image, weights), part(&image, tree), part(&image, tags));
        assert_eq!((bytes.len(), sealed.bytes), (model.len(), model.len() as u64));
        assert_eq!(image.place(weights).start % (1 << 20), 0);
        assert_eq!(sealed.root, *blake3::hash(&bytes).as_bytes());
        assert_eq!(plaintext_root, *blake3::hash(&model).as_bytes());
        let tree = Tree::new(&values, sealed.bytes, &sealed.root).unwrap();
        let decryptor = Decryptor::new(key.cipher(id, file), &tags, sealed.bytes).unwrap();
        for (leaf, bytes) in (0..).zip(bytes.chunks_mut(usize::try_from(LEAF_BYTES).unwrap())) {
            tree.check(Lanes::Baseline, leaf, bytes).unwrap();
            decryptor.decrypt(leaf, bytes).unwrap();
        }
        assert!(bytes == model);
    }
}

#[test]
fn a_header_is_read_with_the_key_alone_and_not_where_a_byte_or_tag_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = encrypted(folder.path());
    let image = SealedImage::open(&path).unwrap();
    let owner = OwnerKey::new(&KEY);
    let (model, draft) = image.models(Some(&owner)).unwrap();
    assert_eq!(model.bytes, vial_model::tiny::llama(1).len() as u64);
    assert!(draft.is_some());
    assert!(matches!(image.models(None), Err(ImageError::Locked { .. })));
    let other = OwnerKey::new(&[1; 32]);
    assert!(matches!(image.models(Some(&other)), Err(ImageError::WrongKey { .. })));
    for part in [Part::Weights, Part::Tags, Part::DraftTags] {
        let (bytes, at) = (std::fs::read(&path).unwrap(), usize::try_from(image.place(part).start).unwrap());
        let mut changed = bytes.clone();
        changed[at + 3] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let refused = SealedImage::open(&path).unwrap().models(Some(&owner)).unwrap_err().to_string();
        assert!(refused.contains("leaf 0: its bytes differ"), "{refused}");
        std::fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn an_independent_tool_opens_the_leaves() {
    let Some(python) = std::env::var_os("VIAL_TEST_PYTHON") else {
        println!("skipped: VIAL_TEST_PYTHON names no interpreter (`cargo xtask test` does)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = encrypted(folder.path());
    let image = SealedImage::open(&path).unwrap();
    let encryption = image.manifest().encryption.unwrap();
    let roots = [encryption.plaintext_root, encryption.draft_plaintext_root.unwrap()];
    for (file, weights, tags, seed) in
        [("0", Part::Weights, Part::Tags, 1), ("1", Part::DraftWeights, Part::DraftTags, 2)]
    {
        let [weights, tags] = [weights, tags].map(|part| image.place(part));
        let numbers = [weights.start, weights.bytes, tags.start].map(|number| number.to_string());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/encrypted.py");
        let output = Command::new(&python)
            .arg(script)
            .arg(&path)
            .args([KEY, roots[0], roots[1]].map(|bytes| Hex(&bytes).to_string()))
            .arg(file)
            .args(numbers)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (check, model) = output.stdout.split_at(32);
        assert!(check == encryption.key_check && model == vial_model::tiny::llama(seed));
    }
}
