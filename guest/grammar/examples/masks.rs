//! Times token masks: `cargo run --release -p vial-grammar --example masks -- 150000` for a made vocabulary of that size, or with
//! a file for a real one: a token's bytes in hexadecimal on each line, nothing for control tokens.
#![expect(clippy::print_stdout, reason = "a program for people")]

use core::fmt::Debug;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use vial_grammar::tools::{CallFormat, Choice, Tool};
use vial_grammar::{Grammar, Json, Mask, Matcher, TokenTrie};

const SCHEMA: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"born":{"type":"string","format":"date"},
    "tags":{"type":"array","items":{"type":"string","maxLength":40},"maxItems":8},"size":{"type":"number"},
    "kind":{"enum":["red","green","blue"]}},"required":["name","born","tags","kind"],"additionalProperties":false}"#;
const VALUE: &str = r#"{"name": "Ada Lovelace", "born": "1815-12-10", "tags": ["first", "programs", "of the engine"], "kind": "blue"}"#;
const OBJECT: &str = r#"{"answer": [1, 2.5, {"deep": "a longer text, with some words\nand \"quotes\""}], "b": {"c": null, "d": true}}"#;

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "50000".to_owned());
    let tokens = argument.parse().map_or_else(|_| read(&argument), vocabulary);
    let size = tokens.len();
    let start = Instant::now();
    let trie = TokenTrie::new(tokens.len() + 1, &[u32::try_from(size).expect("a number")], |token, out| {
        out.extend(tokens.get(token as usize).into_iter().flatten());
    });
    let bytes: usize = tokens.iter().map(Vec::len).sum();
    println!(
        "vocabulary: {size} tokens, {bytes} bytes; trie: {} bytes, built in {:.1?}",
        trie.size_bytes(),
        start.elapsed()
    );
    let schema: Json = serde_json::from_str(SCHEMA).expect("JSON");
    let hermes = CallFormat::detect("<tool_call>").expect("a format");
    let tools = [Tool { name: "make", parameters: Some(&schema) }];
    let call =
        ["I will call.", hermes.before_name, "make", hermes.before_arguments, VALUE, hermes.after].concat();
    time("json object", OBJECT, &trie, Grammar::json_object);
    time("schema", VALUE, &trie, || Grammar::from_schema(&schema));
    time("tools, auto", &call, &trie, || Grammar::for_tools(hermes, &tools, Choice::Auto, true));
}

/// Times each mask along a text, a token of three bytes at a time, when its state is new and when it is known: each time the
/// least of several runs, since other programs disturb single ones.
fn time<E: Debug>(name: &str, text: &str, trie: &TokenTrie, make: impl Fn() -> Result<Grammar, E>) {
    let start = Instant::now();
    let grammar = Arc::new(make().expect("a grammar"));
    let compiled = start.elapsed();
    let mut least = run(&grammar, text, trie);
    for _ in 0..9 {
        let again = run(&grammar, text, trie);
        let pairs = least.iter_mut().zip(again);
        pairs.for_each(|(least, again)| *least = (least.0.min(again.0), least.1.min(again.1)));
    }
    let (mut new, mut known): (Vec<_>, Vec<_>) = least.into_iter().unzip();
    let total: Duration = new.iter().sum();
    println!(
        "{name}: {} states, compiled in {compiled:.1?}; {} masks: {:.1?} each on average, {:.1?} median, {:.1?} most; known {:.1?}",
        grammar.states(),
        new.len(),
        total / u32::try_from(new.len()).expect("few"),
        quantile(&mut new, 2),
        quantile(&mut new, 1),
        quantile(&mut known, 2),
    );
}

/// For each token, the time of its mask, and of the same mask again.
fn run(grammar: &Arc<Grammar>, text: &str, trie: &TokenTrie) -> Vec<(Duration, Duration)> {
    let mut matcher = Matcher::new(Arc::clone(grammar));
    let mut mask = Mask::new(trie.vocabulary());
    let pieces = text.as_bytes().chunks(3).map(|piece| {
        let [new, known] = [(); 2].map(|()| {
            let start = Instant::now();
            matcher.mask(trie, &mut mask).expect("a simple grammar");
            start.elapsed()
        });
        matcher.accept_bytes(piece).expect("a text of the grammar");
        (new, known)
    });
    pieces.collect()
}

/// The median for 2, the most for 1.
fn quantile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) / part]
}

/// Tokens of a file.
fn read(path: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).expect("a file of tokens");
    let byte =
        |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// Tokens in the manner of byte-level BPE: all bytes, then different words of syllables, half of them behind a space, and some
/// of punctuation.
fn vocabulary(size: usize) -> Vec<Vec<u8>> {
    let mut state = 1u64;
    let mut below = move |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % limit).expect("small")
    };
    let syllables = [
        "an", "be", "co", "de", "en", "fi", "ing", "ka", "lo", "men", "no", "pre", "qu", "re", "st", "ti",
        "un", "wa", "é", "日",
    ];
    let marks =
        ["\"", "\":", "\", \"", "{", "}", "[", "],", "\n", "  ", "//", "();", "--", "0", "19", "20", "."];
    let mut known: BTreeSet<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let mut tokens: Vec<Vec<u8>> = known.iter().cloned().collect();
    while tokens.len() < size {
        let mut text = String::from(if below(2) == 0 { " " } else { "" });
        let (parts, count) =
            if below(12) == 0 { (&marks[..], 1 + below(3)) } else { (&syllables[..], 1 + below(4)) };
        (0..count).for_each(|_| text.push_str(parts[below(parts.len() as u64)]));
        if known.insert(text.clone().into_bytes()) {
            tokens.push(text.into_bytes());
        }
    }
    tokens
}
