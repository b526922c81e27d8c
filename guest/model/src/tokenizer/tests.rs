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
    for name in ["gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35", "tekken", "gpt-4o"] {
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

#[test]
fn tekken_and_o200k_cut_where_upper_case_follows_lower_case() {
    let words = "parseXML iOSVersion3 AÉB's !/\n/x 1234";
    assert_eq!(
        pieces("tekken", words),
        ["parse", "XML", " i", "OSVersion", "3", " AÉ", "B", "'s", " !/\n/", "x", " ", "1", "2", "3", "4"]
    );
    assert_eq!(
        pieces("gpt-4o", words),
        ["parse", "XML", " i", "OSVersion", "3", " AÉ", "B's", " !/\n/", "x", " ", "123", "4"]
    );
}

/// A SentencePiece vocabulary: bytes, a few words, and a control token whose parts are tokens.
fn sentences(flags: &[(&str, bool)]) -> Tokenizer {
    let bytes: Vec<String> = (0..=u8::MAX).map(|byte| alloc::format!("<0x{byte:02X}>")).collect();
    let words = ["a", "b", "▁", "▁a", "ab", "▁ab", "<", "e", ">", "<e", "<e>", "é"];
    let texts: Vec<&str> =
        ["<unk>", "<s>", "</s>"].into_iter().chain(bytes.iter().map(String::as_str)).chain(words).collect();
    let kind = |at: usize| match at {
        0 => 2,
        1 | 2 => 3,
        3..259 => 6,
        _ if texts[at] == "<e>" => 3,
        _ => 1,
    };
    let scores: Vec<u8> = (0..texts.len()).flat_map(|at| (-(at as f32)).to_le_bytes()).collect();
    let head = [6_u32.to_le_bytes().to_vec(), (texts.len() as u64).to_le_bytes().to_vec()].concat();
    let mut file = tiny::GgufWriter::new()
        .string("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &texts)
        .i32s("tokenizer.ggml.token_type", &(0..texts.len()).map(kind).collect::<Vec<_>>())
        .raw("tokenizer.ggml.scores", 9, &[head, scores].concat());
    for (flag, value) in flags {
        file = file.bool(flag, *value);
    }
    let file = file.finish();
    Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap()
}

#[test]
fn sentences_start_with_a_space_and_bytes_stand_for_what_has_no_token() {
    let tokenizer = sentences(&[]);
    let tokens = tokenizer.encode("ab 日é", false);
    assert_eq!(tokens, [264, 261, 3 + 0xe6, 3 + 0x97, 3 + 0xa5, 270]);
    assert_eq!(text(&tokenizer, &tokens), " ab 日é");
    assert_eq!(tokenizer.prefix(), Some(1));
    let plain =
        sentences(&[("tokenizer.ggml.add_space_prefix", false), ("tokenizer.ggml.add_bos_token", false)]);
    assert_eq!((plain.encode("ab", false), plain.prefix()), ([263].to_vec(), None));
}

#[test]
fn text_is_never_joined_into_a_control_token() {
    let tokenizer = sentences(&[]);
    assert_eq!(tokenizer.encode("<e>", false), [261, 268, 267]);
    assert_eq!(tokenizer.encode("<e>a", true), [269, 262]);
    // A byte's name is text too: `<` is the first of its six characters.
    assert_eq!(tokenizer.encode("<0x41>", false).len(), 7);
}

#[test]
fn a_mark_of_calls_is_shown_and_stays_unread_in_text() {
    let mut tokenizer = sentences(&[]);
    let bytes = |tokenizer: &Tokenizer| {
        let mut out = Vec::new();
        tokenizer.append_bytes(269, &mut out);
        out
    };
    assert_eq!(bytes(&tokenizer), b"");
    tokenizer.show(&["other", "x<"]);
    assert_eq!(bytes(&tokenizer), b"");
    tokenizer.show(&["x<e>["]);
    assert_eq!(bytes(&tokenizer), b"<e>");
    assert_eq!(tokenizer.encode("<e>", false), [261, 268, 267]);
}

#[test]
fn lists_that_do_not_fit_the_tokens_are_refused() {
    let file = tiny::GgufWriter::new()
        .string("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &["a"]);
    let refused = |file: tiny::GgufWriter| {
        let bytes = file.finish();
        Tokenizer::from_gguf(&Gguf::parse(&bytes, bytes.len() as u64).unwrap()).unwrap_err()
    };
    let items = |key| TokenizerError::Items { key, found: 2, expected: 1 };
    assert_eq!(
        refused(file.clone().i32s("tokenizer.ggml.token_type", &[1, 1])),
        items("tokenizer.ggml.token_type")
    );
    assert_eq!(refused(file.clone().i32s("tokenizer.ggml.scores", &[1, 1])), items("tokenizer.ggml.scores"));
    assert!(matches!(refused(file), TokenizerError::Metadata { key: "tokenizer.ggml.scores", .. }));
}
