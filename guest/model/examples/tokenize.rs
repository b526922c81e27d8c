//! Tokens of every text in a list, and how fast they come.
//!
//! `tokenize VOCABULARY.gguf TEXTS.json` reads an array of texts and prints two lists of tokens a text, without and with
//! special tokens. `tokenize VOCABULARY.gguf TEXT` reads any other file as one text and tells the speed alone.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program")]
#![expect(clippy::unwrap_used, reason = "a program for measurements")]

use std::time::Instant;

use vial_model::gguf::Gguf;
use vial_model::tokenizer::Tokenizer;

/// Times the whole is tokenised; the fastest counts.
const RUNS: usize = 5;

fn main() {
    let [model, texts] = [1, 2].map(|at| std::env::args().nth(at).expect("two files"));
    let file = std::fs::read(model).unwrap();
    let start = Instant::now();
    let tokenizer = Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
    eprintln!("{} tokens, loaded in {:?}", tokenizer.len(), start.elapsed());
    let all = std::fs::read_to_string(texts).unwrap();
    if let Ok(texts) = serde_json::from_str::<Vec<String>>(&all) {
        let tokens = |has_specials| -> Vec<_> {
            texts.iter().map(|text| tokenizer.encode(text, has_specials)).collect()
        };
        println!("{}", serde_json::to_string(&[tokens(false), tokens(true)]).unwrap());
        say_speed(&tokenizer, &texts);
    } else {
        say_speed(&tokenizer, &[all]);
    }
}

fn say_speed(tokenizer: &Tokenizer, texts: &[String]) {
    let bytes: usize = texts.iter().map(String::len).sum();
    let seconds = (0..RUNS).map(|_| {
        let start = Instant::now();
        let tokens: usize = texts.iter().map(|text| tokenizer.encode(text, true).len()).sum();
        (start.elapsed().as_secs_f64(), tokens)
    });
    let (seconds, tokens) = seconds.min_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a speed")]
    let speed = bytes as f64 / seconds / 1e6;
    eprintln!("{bytes} bytes, {tokens} tokens: {speed:.1} MB/s on one core");
}
