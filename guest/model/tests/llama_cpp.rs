//! Tokens of the corpus against llama.cpp's: `measurements/vectors/tokenizer.json`, made by `tokenizer.py` beside it.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vial_model::gguf::Gguf;
use vial_model::tiny::GgufWriter;
use vial_model::tokenizer::Tokenizer;

/// Texts a digest covers.
const BLOCK: usize = 10;

#[derive(Deserialize)]
struct Listed {
    vocabularies: BTreeMap<String, Vocabulary>,
    made: Vec<Made>,
    files: BTreeMap<String, Digests>,
}

#[derive(Deserialize)]
struct Vocabulary {
    tokens: Vec<String>,
    types: Vec<i32>,
    #[serde(default)]
    merges: Vec<String>,
    #[serde(default)]
    scores: Vec<f32>,
}

#[derive(Deserialize)]
struct Made {
    vocabulary: String,
    model: String,
    pre: String,
    name: String,
    flags: BTreeMap<String, bool>,
    #[serde(flatten)]
    digests: Digests,
}

/// One digest a block of texts, without and with special tokens.
#[derive(Deserialize)]
struct Digests {
    plain: String,
    special: String,
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../measurements/vectors");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn tokens_of_the_corpus_are_those_of_llama_cpp_for_every_pre_tokenizer() {
    let (texts, listed): (Vec<String>, Listed) = (read("tokenizer-corpus.json"), read("tokenizer.json"));
    assert!(texts.len() >= 5000 && listed.made.len() >= 12);
    for made in &listed.made {
        let file = file(made, &listed.vocabularies[&made.vocabulary]);
        compare(&format!("{} {}", made.pre, made.name), &file, &texts, &made.digests);
    }
}

#[test]
fn tokens_of_the_corpus_are_those_of_llama_cpp_for_real_vocabularies() {
    let (texts, listed): (Vec<String>, Listed) = (read("tokenizer-corpus.json"), read("tokenizer.json"));
    let mut files = folder();
    files.extend(std::env::var_os("VIAL_TEST_MODEL").map(PathBuf::from));
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        if let Some(digests) = listed.files.get(name.as_ref()) {
            compare(&name, &std::fs::read(&file).unwrap(), &texts, digests);
        }
    }
}

/// Files of the folder with llama.cpp's vocabularies.
fn folder() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("VIAL_TEST_VOCABULARIES") else {
        say("skipped: VIAL_TEST_VOCABULARIES names no folder (llama.cpp's `models` is one)");
        return Vec::new();
    };
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[expect(clippy::print_stderr, reason = "says what a test does not do")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn file(made: &Made, vocabulary: &Vocabulary) -> Vec<u8> {
    let mut file = GgufWriter::new()
        .string("general.name", &made.name)
        .string("tokenizer.ggml.model", &made.model)
        .string("tokenizer.ggml.pre", &made.pre)
        .i32s("tokenizer.ggml.token_type", &vocabulary.types);
    for (key, list) in [("tokens", &vocabulary.tokens), ("merges", &vocabulary.merges)] {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        file = file.strings(&format!("tokenizer.ggml.{key}"), &list);
    }
    for (flag, &value) in &made.flags {
        file = file.bool(&format!("tokenizer.ggml.{flag}"), value);
    }
    file.raw("tokenizer.ggml.scores", 9, &floats(&vocabulary.scores)).finish()
}

/// An array of 32-bit floats as GGUF writes it.
fn floats(values: &[f32]) -> Vec<u8> {
    let mut bytes = 6_u32.to_le_bytes().to_vec();
    bytes.extend((values.len() as u64).to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn compare(name: &str, file: &[u8], texts: &[String], expected: &Digests) {
    let tokenizer = Tokenizer::from_gguf(&Gguf::parse(file, file.len() as u64).unwrap()).unwrap();
    for (has_specials, expected) in [(false, &expected.plain), (true, &expected.special)] {
        let mut expected = expected.split(' ');
        for (number, block) in texts.chunks(BLOCK).enumerate() {
            let found = digest(&tokenizer, block, has_specials);
            let first = number * BLOCK;
            assert_eq!(Some(found.as_str()), expected.next(), "{name}: texts from {first}, {has_specials}");
        }
        assert_eq!(expected.next(), None);
    }
}

/// FNV-1a over the tokens, one at a time, and a mark after each text.
fn digest(tokenizer: &Tokenizer, texts: &[String], has_specials: bool) -> String {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for token in tokenizer.encode(text, has_specials).into_iter().chain([u32::MAX]) {
            digest = (digest ^ u64::from(token)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{digest:016x}")
}
