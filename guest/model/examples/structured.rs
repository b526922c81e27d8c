//! Asks a model for a value of each schema in `measurements/vectors/schemas.json`, at temperature 1, and prints finished answers:
//! `cargo run --release -p vial-model --example structured -- MODEL | python3 measurements/vectors/schemas.py check`.
//! Figures go to the other output.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use vial_grammar::{Grammar, Json, Mask, Matcher, TokenTrie};
use vial_model::generate::{Batcher, Event, Finish, Limits, Request, RequestId, Vocabulary as _};
use vial_model::gguf::Gguf;
use vial_model::kv::{KvCache, KvPlan, KvWish};
use vial_model::sample::Sampling;
use vial_model::template::{Conversation, Message, Template};
use vial_model::tokenizer::Tokenizer;
use vial_model::transformer::{Engine, Pass, Transformer};
use vial_model::weights::Resident;
use vial_tensor::{Alone, Isa, Team};

const MAX_TOKENS: usize = 200;

#[derive(Default)]
struct Answer {
    text: String,
    tokens: Vec<u32>,
    finish: Option<Finish>,
}

fn main() {
    let path = std::env::args().nth(1).expect("the model's file");
    let file = std::fs::read(path).expect("the model");
    let gguf = Gguf::parse(&file, file.len() as u64).expect("a model");
    let model = Transformer::from_gguf(&gguf).expect("a supported model");
    let tokenizer = Tokenizer::from_gguf(&gguf).expect("a supported tokenizer");
    let template =
        Template::parse(gguf.str("tokenizer.chat_template").expect("a template")).expect("a template");
    let schemas = schemas();
    let requests: Vec<Request> =
        (0..).zip(&schemas).map(|(seed, entry)| request(entry, seed, &tokenizer, &template)).collect();
    let trie = TokenTrie::new(tokenizer.len(), &[], |token, out| tokenizer.append_bytes(token, out));
    let wish = KvWish { streams: 8, context: 2048, budget_bytes: 1 << 30 };
    let plan = KvPlan::new(&model.config, wish).expect("a cache");
    let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, 64));
    let limits = Limits { streams: 8, waiting: requests.len(), ..Limits::default() };
    let mut batcher = Batcher::new(model, tokenizer, cache, pass, limits);
    let ids: Vec<RequestId> =
        requests.iter().map(|request| batcher.submit(request.clone()).expect("a request")).collect();
    let start = Instant::now();
    let answers = run(&mut batcher, &file);
    let whole = start.elapsed();
    let mut masks = Duration::ZERO;
    for (schema, (id, request)) in ids.iter().zip(&requests).enumerate() {
        let answer = &answers[id];
        masks += replay(request, answer, &trie, batcher.vocabulary());
        if answer.finish == Some(Finish::Stop) {
            println!("{{\"schema\":{schema},\"text\":{}}}", Json::Text(answer.text.clone()));
        }
    }
    let tokens: usize = answers.values().map(|answer| answer.tokens.len()).sum();
    let finished = answers.values().filter(|answer| answer.finish == Some(Finish::Stop)).count();
    eprintln!(
        "{{\"answers\":{},\"finished\":{finished},\"tokens\":{tokens},\"seconds\":{},\"mask_seconds\":{}}}",
        ids.len(),
        whole.as_secs_f64(),
        masks.as_secs_f64()
    );
}

fn schemas() -> Vec<Json> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../measurements/vectors/schemas.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the list")).expect("a list")
}

fn request(entry: &Json, seed: u64, tokenizer: &Tokenizer, template: &Template) -> Request {
    let schema = entry.get("schema").expect("a schema");
    let content = format!("Answer with a short example of JSON for this schema: {schema:.1200}");
    let marks = tokenizer.marks();
    let message = Message { role: "user".to_owned(), content };
    let rendered = template.render(&Conversation::plain(&[message], (&marks.0, &marks.1))).expect("a prompt");
    let grammar = Some(Arc::new(Grammar::from_schema(schema).expect("a supported schema")));
    let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
    Request {
        prompt: tokenizer.encode_rendered(&rendered.text, &rendered.own),
        sampling,
        max_tokens: MAX_TOKENS,
        grammar,
        ..Request::default()
    }
}

fn run(batcher: &mut Batcher<Tokenizer>, file: &[u8]) -> BTreeMap<RequestId, Answer> {
    let team = Team::new(1, &Alone);
    let engine = Engine { team: &team, isa: Isa::detect() };
    let mut answers: BTreeMap<RequestId, Answer> = BTreeMap::new();
    while !batcher.is_idle() {
        for event in batcher.step(&mut Resident::new(file), engine) {
            match event {
                Event::Token { id, token, text, .. } => {
                    let answer = answers.entry(id).or_default();
                    answer.tokens.push(token);
                    answer.text.push_str(&text);
                }
                Event::Done { id, text, finish, .. } => {
                    let answer = answers.entry(id).or_default();
                    answer.text.push_str(&text);
                    answer.finish = Some(finish);
                }
                other => unreachable!("{other:?}"),
            }
        }
    }
    answers
}

/// The time of an answer's masks, made again.
fn replay(request: &Request, answer: &Answer, trie: &TokenTrie, tokenizer: &Tokenizer) -> Duration {
    let start = Instant::now();
    let mut matcher = Matcher::new(Arc::clone(request.grammar.as_ref().expect("a grammar")));
    let mut mask = Mask::new(trie.vocabulary());
    for &token in &answer.tokens {
        matcher.mask(trie, &mut mask).expect("a simple grammar");
        assert!(mask.allows(token));
        let mut bytes = Vec::new();
        tokenizer.append_bytes(token, &mut bytes);
        matcher.accept_bytes(&bytes).expect("a token of the answer");
    }
    start.elapsed()
}
