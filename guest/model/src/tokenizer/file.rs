//! The tokenizer that a header describes.

use alloc::borrow::ToOwned as _;
use alloc::vec::Vec;

use super::bytes::BytePairs;
use super::kind::{Kind, is_end, kinds};
use super::sentence::{self, SPACE, Sentences};
use super::special::Specials;
use super::texts::Texts;
use super::{Splitter, Tokenizer, TokenizerError, Words, alphabet, split};
use crate::gguf::{Gguf, Value};

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const SCORES: &str = "tokenizer.ggml.scores";

/// Reads the tokenizer, of whichever model.
pub(super) fn tokenizer(gguf: &Gguf<'_>) -> Result<Tokenizer, TokenizerError> {
    let model = text(gguf, MODEL)?;
    match model {
        "gpt2" => of_bytes(gguf),
        "llama" => of_sentences(gguf),
        _ => Err(TokenizerError::Unknown { key: MODEL, found: model.to_owned(), known: "gpt2, llama" }),
    }
}

fn of_bytes(gguf: &Gguf<'_>) -> Result<Tokenizer, TokenizerError> {
    let pre = text(gguf, PRE)?;
    let unknown = || TokenizerError::Unknown { key: PRE, found: pre.to_owned(), known: split::KNOWN };
    let splitter = Splitter::named(pre).ok_or_else(unknown)?;
    let texts = tokens(gguf)?;
    let kinds = kinds(gguf, &texts)?;
    let (mut pieces, mut is_written) = (Texts::default(), Vec::with_capacity(texts.len()));
    for (text, kind) in texts.iter().zip(&kinds) {
        is_written.push(pieces.push(|bytes| write_bytes(text, *kind, bytes)));
    }
    let merges = strings(gguf, "tokenizer.ggml.merges")?;
    let words = Words::Bytes(BytePairs::new(splitter, &pieces, &kinds, &is_written, &merges)?);
    let adds_bos = is_set(gguf, "tokenizer.ggml.add_bos_token").unwrap_or(splitter.adds_bos);
    let marks = [id(gguf, "bos", &texts), id(gguf, "eos", &texts)];
    Ok(joined(gguf, &texts, kinds, pieces, words, marks, adds_bos))
}

/// Writes the bytes of a token; says whether joined bytes can be it.
fn write_bytes(text: &str, kind: Kind, bytes: &mut Vec<u8>) -> bool {
    if !kind.is_special() {
        return alphabet::append_bytes(text, bytes);
    }
    bytes.extend_from_slice(text.as_bytes());
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn of_sentences(gguf: &Gguf<'_>) -> Result<Tokenizer, TokenizerError> {
    let texts = tokens(gguf)?;
    let kinds = kinds(gguf, &texts)?;
    let mut pieces = Texts::default();
    for (text, kind) in texts.iter().zip(&kinds) {
        pieces.push(|bytes| write_sentence(text, *kind, bytes));
    }
    let scores = scores(gguf, texts.len())?;
    let default = |token: u32| Some(token).filter(|&token| (token as usize) < texts.len());
    let unknown = id(gguf, "unknown", &texts).or(default(0));
    let adds_space = is_set(gguf, "tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let words = Words::Sentences(Sentences::new(&texts, &kinds, &scores, unknown, adds_space)?);
    let adds_bos = is_set(gguf, "tokenizer.ggml.add_bos_token").unwrap_or(true);
    let marks = [id(gguf, "bos", &texts).or(default(1)), id(gguf, "eos", &texts).or(default(2))];
    Ok(joined(gguf, &texts, kinds, pieces, words, marks, adds_bos))
}

fn write_sentence(text: &str, kind: Kind, bytes: &mut Vec<u8>) {
    match kind {
        Kind::Byte => bytes.extend(sentence::byte(text)),
        Kind::Normal => {
            let spaced = text.chars().map(|character| if character == SPACE { ' ' } else { character });
            spaced
                .for_each(|character| bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()));
        }
        _ => bytes.extend_from_slice(text.as_bytes()),
    }
}

fn joined(
    gguf: &Gguf<'_>,
    texts: &[&str],
    kinds: Vec<Kind>,
    pieces: Texts,
    words: Words,
    [bos, eos]: [Option<u32>; 2],
    adds_bos: bool,
) -> Tokenizer {
    let named = (0..).zip(texts).filter(|(_, text)| is_end(text)).map(|(token, _)| token);
    let marked = ["eot", "eom", "fim_pad", "fim_rep", "fim_sep"].into_iter();
    let marked = marked.filter_map(|name| id(gguf, name, texts)).chain(eos);
    let name = gguf.str("general.name").unwrap_or_default().to_lowercase();
    let eats_space = |text: &str| is_phi3(&name) && !["<unk>", "<s>", "<|endoftext|>"].contains(&text);
    Tokenizer {
        specials: Specials::new(texts, &kinds, eats_space),
        ends: named.chain(marked).collect(),
        shown: Vec::new(),
        pieces,
        kinds,
        words,
        bos,
        eos,
        adds_bos,
    }
}

/// Whether white space after special tokens belongs to them: the file does not say, so the model's name does.
/// Source: llama.cpp `llama_vocab::impl::load`, attributes by model name.
fn is_phi3(name: &str) -> bool {
    name.contains("phi-3") || name.contains("phi3")
}

/// The token that a key names, if it is one of `texts`.
fn id(gguf: &Gguf<'_>, name: &str, texts: &[&str]) -> Option<u32> {
    let key = ["tokenizer.ggml.", name, "_token_id"].concat();
    let token = u32::try_from(gguf.u64(&key)?).ok()?;
    Some(token).filter(|&token| (token as usize) < texts.len())
}

fn is_set(gguf: &Gguf<'_>, key: &str) -> Option<bool> {
    gguf.value(key).and_then(Value::as_bool)
}

fn text<'a>(gguf: &'a Gguf<'_>, key: &'static str) -> Result<&'a str, TokenizerError> {
    gguf.str(key).ok_or(TokenizerError::Metadata { key, expected: "string" })
}

fn tokens<'a>(gguf: &'a Gguf<'_>) -> Result<Vec<&'a str>, TokenizerError> {
    let tokens = strings(gguf, "tokenizer.ggml.tokens")?;
    match u32::try_from(tokens.len()) {
        Ok(_) => Ok(tokens),
        Err(_) => Err(TokenizerError::Token { at: tokens.len(), what: "more tokens than there can be" }),
    }
}

fn strings<'a>(gguf: &'a Gguf<'_>, key: &'static str) -> Result<Vec<&'a str>, TokenizerError> {
    let found = gguf.value(key).and_then(Value::as_strings).map(<[&str]>::to_vec);
    found.ok_or(TokenizerError::Metadata { key, expected: "array of strings" })
}

fn scores(gguf: &Gguf<'_>, count: usize) -> Result<Vec<f32>, TokenizerError> {
    let numbers = gguf.value(SCORES).and_then(Value::as_numbers);
    let numbers = numbers.ok_or(TokenizerError::Metadata { key: SCORES, expected: "array of numbers" })?;
    let scores: Vec<f32> =
        numbers.values().map(|value| if let Value::F32(score) = value { score } else { 0.0 }).collect();
    if scores.len() != count {
        return Err(TokenizerError::Items { key: SCORES, found: scores.len(), expected: count });
    }
    Ok(scores)
}
