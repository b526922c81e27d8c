//! Images built from a tiny model, and everything that must be refused.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use vial_image::{Guest, ImageError, Recipe, SealedImage};
use vial_weights::header::Part;
use vial_weights::signature::{PublisherKey, is_valid};

fn recipe(folder: &Path) -> Recipe {
    let model = folder.join("tiny.gguf");
    std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
    let guest = Guest { firmware: vec![1; 9000], kernel: vec![2; 500], engine: vec![3; 70_000] };
    Recipe {
        model,
        draft: None,
        agent: None,
        publisher: None,
        encrypt: None,
        guest,
        max_streams: 8,
        max_context: 4096,
    }
}

fn build(recipe: &Recipe, folder: &Path) -> Result<PathBuf, ImageError> {
    let output = folder.join("out.img");
    recipe.build(&output, &mut |_, _| ()).map(|_| output)
}

#[test]
fn two_builds_in_different_folders_give_equal_bytes() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let images =
        folders.each_ref().map(|folder| std::fs::read(build(&recipe(folder.path()), folder.path()).unwrap()));
    let [one, other] = images.map(Result::unwrap);
    assert!(one == other, "{} and {} bytes", one.len(), other.len());
}

#[test]
fn an_image_holds_the_model_unchanged_aligned_and_under_its_plain_hash() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path());
    let image = SealedImage::open(&build(&recipe, folder.path()).unwrap()).unwrap();
    let place = image.place(Part::Weights);
    let mut sealed = vec![0; usize::try_from(place.bytes).unwrap()];
    image.file().read_exact_at(&mut sealed, place.start).unwrap();
    assert!(sealed == std::fs::read(&recipe.model).unwrap());
    assert_eq!(place.start % (1 << 20), 0);
    assert_eq!(image.manifest().weights.root, *blake3::hash(&sealed).as_bytes());
    assert_eq!(image.firmware(), recipe.guest.firmware);
}

/// The same with a draft model of other weights and the same tokens.
fn drafted(folder: &Path) -> Recipe {
    let draft = folder.join("small.gguf");
    std::fs::write(&draft, vial_model::tiny::llama(2)).unwrap();
    Recipe { draft: Some(draft), ..recipe(folder) }
}

#[test]
fn a_draft_model_lies_unchanged_aligned_and_under_its_own_plain_hash() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = drafted(folder.path());
    let mut told = Vec::new();
    let path = folder.path().join("out.img");
    let sealed = recipe.build(&path, &mut |done, all| told.push((done, all))).unwrap();
    let image = SealedImage::open(&path).unwrap();
    assert_eq!(image.manifest(), &sealed.manifest);
    let [model, draft] = [Part::Weights, Part::DraftWeights].map(|part| {
        let place = image.place(part);
        assert_eq!(place.start % (1 << 20), 0);
        let mut sealed = vec![0; usize::try_from(place.bytes).unwrap()];
        image.file().read_exact_at(&mut sealed, place.start).unwrap();
        sealed
    });
    assert!(model == vial_model::tiny::llama(1) && draft == vial_model::tiny::llama(2));
    let manifest = image.manifest();
    assert_eq!(manifest.weights.root, *blake3::hash(&model).as_bytes());
    let named = manifest.draft.as_ref().unwrap();
    assert_eq!(named.weights.root, *blake3::hash(&draft).as_bytes());
    assert_eq!(named.weights.bytes, draft.len() as u64);
    // Progress is of both files together.
    let all = (model.len() + draft.len()) as u64;
    assert!(told.is_sorted() && told.last() == Some(&(all, all)), "{told:?}");
}

#[test]
fn two_builds_with_a_draft_model_give_equal_bytes_and_without_it_others() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let of = |recipe: &Recipe, folder: &Path| std::fs::read(build(recipe, folder).unwrap()).unwrap();
    let [one, other] = folders.each_ref().map(|folder| of(&drafted(folder.path()), folder.path()));
    assert!(one == other);
    assert!(one != of(&recipe(folders[0].path()), folders[0].path()));
}

#[test]
fn a_draft_model_with_other_tokens_is_refused_by_the_first_and_its_template_is_never_read() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = drafted(folder.path());
    let draft = recipe.draft.clone().unwrap();
    let with = |from: &str, to: &str| {
        let mut bytes = vial_model::tiny::llama(2);
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    std::fs::write(&draft, with("<|im_end|>", "<|im_END|>")).unwrap();
    let refused = build(&recipe, folder.path()).unwrap_err().to_string();
    let expected =
        r#"small.gguf: token 259 of the draft model is "<|im_END|>", expected "<|im_end|>" as in the model"#;
    assert!(refused.ends_with(expected), "{refused}");
    std::fs::write(&draft, b"GGUFnot").unwrap();
    assert!(matches!(build(&recipe, folder.path()), Err(ImageError::Model { path, .. }) if path == draft));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    // A template of no known form makes no bad draft model, but a bad model.
    let strange = with("{% for", "{% fur");
    std::fs::write(&draft, &strange).unwrap();
    build(&recipe, folder.path()).unwrap();
    std::fs::write(&recipe.model, &strange).unwrap();
    assert!(
        matches!(build(&recipe, folder.path()), Err(ImageError::Model { path, .. }) if path == recipe.model)
    );
}

#[test]
fn a_publishers_signature_holds_for_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let key = PublisherKey::from_secret(&[5; 32]);
    let recipe = Recipe { publisher: Some(key.clone()), ..recipe(folder.path()) };
    let image = SealedImage::open(&build(&recipe, folder.path()).unwrap()).unwrap();
    let signature = image.signature().unwrap();
    assert!(is_valid(&key.public(), &image.manifest().digest(), &signature));
    assert_eq!(image.manifest().publisher, Some(key.public()));
}

#[test]
fn a_refused_model_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path());
    std::fs::write(&recipe.model, b"GGUFnot").unwrap();
    assert!(matches!(build(&recipe, folder.path()), Err(ImageError::Model { .. })));
    std::fs::write(&recipe.model, vial_model::tiny::llama_without(1, "output_norm.weight").finish()).unwrap();
    assert!(matches!(build(&recipe, folder.path()), Err(ImageError::Model { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_agent_with_an_unknown_key_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let agent = folder.path().join("agent");
    std::fs::create_dir(&agent).unwrap();
    std::fs::write(agent.join("agent.toml"), "promt = \"x\"\n").unwrap();
    let recipe = Recipe { agent: Some(agent), ..recipe(folder.path()) };
    let refused = build(&recipe, folder.path()).unwrap_err().to_string();
    assert!(refused.contains("agent.toml line 1: unknown field `promt`"), "{refused}");
}

#[test]
fn images_that_are_cut_changed_or_newer_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = build(&recipe(folder.path()), folder.path()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let opened = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        SealedImage::open(&path).unwrap_err()
    };
    assert!(matches!(opened(&whole[..(1 << 20) + 9000]), ImageError::Short { .. }));
    assert!(matches!(opened(&whole[..700]), ImageError::Form { .. }));
    assert!(matches!(opened(b"hello"), ImageError::Form { .. }));
    let flipped = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        bytes
    };
    assert!(matches!(opened(&flipped((1 << 20) + 8, 4)), ImageError::Newer { .. }));
    assert!(matches!(opened(&flipped((1 << 20) + 4096, 0)), ImageError::Manifest { .. }));
    assert!(matches!(opened(&flipped((1 << 20) + 3 * 4096, 9)), ImageError::Digest { part: "firmware", .. }));
}
