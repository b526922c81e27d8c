//! Splitting and joining, and the real model's tokens where it is there.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Splitter, Tokenizer, TokenizerError};
use crate::generate::Vocabulary as _;
use crate::gguf::Gguf;
use crate::tiny;

fn pieces<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
    Splitter::named(name).unwrap().pieces(text).collect()
}

#[test]
fn gpt2_cuts_words_numbers_marks_and_white_space() {
    assert_eq!(
        pieces("gpt-2", "I'll go, 123  times\n\n x"),
        ["I", "'ll", " go", ",", " 123", " ", " times", "\n\n", " x"]
    );
    assert_eq!(pieces("gpt-2", "a  "), ["a", "  "]);
    assert_eq!(pieces("gpt-2", "naïve 日本 😀!"), ["naïve", " 日本", " 😀!"]);
}

#[test]
fn smollm_cuts_every_number_off_first() {
    assert_eq!(pieces("smollm", "in 2024, x1"), ["in", " ", "2", "0", "2", "4", ",", " x", "1"]);
}

#[test]
fn llama_and_qwen_take_marks_before_words_and_line_breaks_after_marks() {
    assert_eq!(
        pieces("llama-bpe", "x 12345 (a)\n\n b'S"),
        ["x", " ", "123", "45", " (", "a", ")\n\n", " b", "'S"]
    );
    assert_eq!(pieces("qwen2", "12 a\n  b"), ["1", "2", " a", "\n", " ", " b"]);
}

#[test]
fn pieces_together_are_the_text() {
    let text = "He said:\t\"x²+½=\u{0301}e\u{a0}\u{3000}\"\r\n\r\n'tis ''s 12٣٤  \u{0}\u{7f} end ";
    for name in ["gpt-2", "smollm", "llama-bpe", "qwen2"] {
        assert_eq!(pieces(name, text).concat(), text, "{name}");
    }
}

fn tokenizer() -> Tokenizer {
    let file = tiny::llama(1);
    Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap()
}

fn text(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut bytes = Vec::new();
    tokens.iter().for_each(|&token| tokenizer.append_bytes(token, &mut bytes));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn text_survives_its_tokens_and_merges_join() {
    let tokenizer = tokenizer();
    for all in ["", "hello the then", "日本 😀\n\n\u{0}", &"the".repeat(5000)] {
        assert_eq!(text(&tokenizer, &tokenizer.encode(all, false)), all);
    }
    assert_eq!(tokenizer.encode("the", false).len(), 1);
    assert_eq!(tokenizer.encode("thh", false).len(), 2);
}

#[test]
fn control_tokens_are_read_only_where_they_are_allowed_and_never_shown() {
    let tokenizer = tokenizer();
    let written = "<|im_start|>a<|im_end|>";
    let tokens = tokenizer.encode(written, true);
    assert_eq!(tokens.len(), 3);
    assert!(tokenizer.is_end(tokens[2]) && !tokenizer.is_end(tokens[1]));
    assert_eq!(text(&tokenizer, &tokens), "a");
    assert_eq!(text(&tokenizer, &tokenizer.encode(written, false)), written);
}

#[test]
fn other_tokenizers_are_refused_by_name() {
    let refused = |file: tiny::GgufWriter| {
        let bytes = file.finish();
        Tokenizer::from_gguf(&Gguf::parse(&bytes, bytes.len() as u64).unwrap()).unwrap_err()
    };
    let file = || tiny::GgufWriter::new().string("tokenizer.ggml.model", "gpt2");
    assert!(matches!(refused(tiny::GgufWriter::new()), TokenizerError::Metadata { .. }));
    let other = tiny::GgufWriter::new().string("tokenizer.ggml.model", "t5");
    assert!(matches!(refused(other), TokenizerError::Unknown { .. }));
    assert!(matches!(refused(file().string("tokenizer.ggml.pre", "weird")), TokenizerError::Unknown { .. }));
    let few = file().string("tokenizer.ggml.pre", "gpt-2").strings("tokenizer.ggml.tokens", &["a"]);
    assert!(matches!(
        refused(few.strings("tokenizer.ggml.merges", &[])),
        TokenizerError::Token { at: 32, .. }
    ));
}
