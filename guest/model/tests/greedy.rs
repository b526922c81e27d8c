//! Greedy answers of the real model against exact arithmetic: `measurements/vectors/greedy.json`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use vial_model::generate::{Batcher, Event, Limits, Request, RequestId};
use vial_model::gguf::Gguf;
use vial_model::kv::{KvCache, KvPlan, KvWish};
use vial_model::template::{Conversation, Message, Template};
use vial_model::tokenizer::Tokenizer;
use vial_model::transformer::{Engine, Pass, Transformer};
use vial_model::weights::Resident;
use vial_tensor::{Alone, Isa, Team};

/// Below this margin two tokens are as good as equal, and the answers may part.
const MARGIN: f64 = 0.02;

#[derive(Deserialize)]
struct Listed {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    text: String,
    ids: Vec<u32>,
    tokens: Vec<u32>,
    margins: Vec<f64>,
}

/// The model's file and the list; `None` where the file is not there.
fn files() -> Option<(Vec<u8>, Listed)> {
    let Some(model) = std::env::var_os("VIAL_TEST_MODEL") else {
        say("skipped: VIAL_TEST_MODEL names no model (`cargo xtask test` does)");
        return None;
    };
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../measurements/vectors/greedy.json");
    let list = std::fs::read(list).unwrap();
    Some((std::fs::read(model).unwrap(), serde_json::from_slice(&list).unwrap()))
}

#[expect(clippy::print_stderr, reason = "says why a test does nothing")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[test]
fn the_tokenizer_and_template_give_the_listed_prompts() {
    let Some((file, listed)) = files() else { return };
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf).unwrap();
    let template = Template::parse(gguf.str("tokenizer.chat_template").unwrap()).unwrap();
    for case in &listed.cases {
        let message = Message { role: "user".to_owned(), content: case.text.clone() };
        let marks = tokenizer.marks();
        let ids = if case.kind == "chat" {
            let conversation = Conversation::plain(&[message], (&marks.0, &marks.1));
            let rendered = template.render(&conversation).unwrap();
            tokenizer.encode_rendered(&rendered.text, &rendered.own)
        } else {
            tokenizer.encode(&case.text, true)
        };
        assert_eq!(ids, case.ids, "{}", case.text);
    }
}

#[test]
fn greedy_tokens_are_those_of_exact_arithmetic_up_to_a_narrow_margin() {
    let Some((file, listed)) = files() else { return };
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let (model, tokenizer) = (Transformer::from_gguf(&gguf).unwrap(), Tokenizer::from_gguf(&gguf).unwrap());
    let plan =
        KvPlan::new(&model.config, KvWish { streams: 8, context: 256, budget_bytes: 1 << 30 }).unwrap();
    let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, 64));
    let mut batcher =
        Batcher::new(model, tokenizer, cache, pass, Limits { streams: 8, waiting: 100, ..Limits::default() });
    let request = |case: &Case| Request {
        prompt: case.ids.clone(),
        max_tokens: case.tokens.len(),
        ..Request::default()
    };
    let ids: Vec<RequestId> =
        listed.cases.iter().map(|case| batcher.submit(request(case)).unwrap()).collect();
    let team = Team::new(1, &Alone);
    let engine = Engine { team: &team, isa: Isa::detect() };
    let mut answers: BTreeMap<RequestId, Vec<u32>> = BTreeMap::new();
    while !batcher.is_idle() {
        for event in batcher.step(&mut Resident::new(&file), engine) {
            if let Event::Token { id, token, .. } = event {
                answers.entry(id).or_default().push(token);
            }
        }
    }
    let compared: usize = listed.cases.iter().zip(&ids).map(|(case, id)| compare(case, &answers[id])).sum();
    assert!(compared > 700, "{compared} tokens compared");
}

/// Compares up to the first narrow margin; gives the tokens compared.
fn compare(case: &Case, answer: &[u32]) -> usize {
    let wide = case.margins.iter().take_while(|&&margin| margin >= MARGIN).count();
    // The token that ends the turn is not told.
    let count = wide.min(answer.len());
    assert!(count + 1 >= wide, "{}: {} of {wide} tokens", case.text, answer.len());
    assert_eq!(answer[..count], case.tokens[..count], "{}", case.text);
    count
}
