//! The batcher over the tiny model.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use vial_tensor::{Alone, Isa, Team};

use super::{Batcher, Event, Finish, Limits, Request, RequestId, SubmitError, Vocabulary};
use crate::gguf::Gguf;
use crate::kv::{KvCache, KvPlan, KvWish};
use crate::sample::Sampling;
use crate::tiny;
use crate::transformer::{Engine, Pass, Transformer};
use crate::weights::Resident;

/// Each token is its number and a space; token 3 ends.
struct Numbers;

impl Vocabulary for Numbers {
    fn append_bytes(&self, token: u32, out: &mut Vec<u8>) {
        out.extend(format!("{token} ").bytes());
    }

    fn is_end(&self, token: u32) -> bool {
        token == 3
    }
}

struct Bench {
    file: Vec<u8>,
    batcher: Batcher<Numbers>,
}

impl Bench {
    fn new(streams: usize, waiting: usize) -> Self {
        let file = tiny::llama(3);
        let model = Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
        let plan =
            KvPlan::new(&model.config, KvWish { streams: 4, context: 128, budget_bytes: 1 << 30 }).unwrap();
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, 16));
        let batcher = Batcher::new(model, Numbers, cache, pass, Limits { streams, waiting });
        Self { file, batcher }
    }

    fn step(&mut self) -> Vec<Event> {
        let team = Team::new(1, &Alone);
        self.batcher.step(&mut Resident::new(&self.file), Engine { team: &team, isa: Isa::detect() })
    }

    /// Runs until nothing is left; the text and finish of every request.
    fn run(&mut self) -> Vec<(RequestId, String, Finish)> {
        let mut texts: Vec<(RequestId, String)> = Vec::new();
        let mut done = Vec::new();
        while !self.batcher.is_idle() {
            for event in self.step() {
                match event {
                    Event::Token { id, text, .. } => match texts.iter_mut().find(|(known, _)| *known == id) {
                        Some((_, all)) => all.push_str(&text),
                        None => texts.push((id, text)),
                    },
                    Event::Done { id, text, finish, .. } => {
                        let all = texts.iter().find(|(known, _)| *known == id);
                        done.push((id, format!("{}{text}", all.map_or("", |(_, all)| all)), finish));
                    }
                    Event::Failed { error, .. } => panic!("{error}"),
                    Event::Embedded { .. } => panic!("nothing was to be embedded"),
                }
            }
        }
        done
    }
}

fn request(prompt: &[u32], max_tokens: usize) -> Request {
    Request { prompt: prompt.to_vec(), sampling: Sampling::default(), max_tokens, stop: vec![] }
}

#[test]
fn answers_do_not_depend_on_company() {
    let prompts: [&[u32]; 3] = [&[1, 2, 4], &[7; 40], &[9]];
    let alone: Vec<_> = prompts
        .iter()
        .map(|prompt| {
            let mut bench = Bench::new(4, 4);
            bench.batcher.submit(request(prompt, 20)).unwrap();
            bench.run()[0].1.clone()
        })
        .collect();
    let mut bench = Bench::new(4, 4);
    let ids: Vec<_> =
        prompts.iter().map(|prompt| bench.batcher.submit(request(prompt, 20)).unwrap()).collect();
    let mut together = bench.run();
    together.sort_by_key(|(id, ..)| *id);
    assert_eq!(together.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), ids);
    assert_eq!(together.into_iter().map(|(_, text, _)| text).collect::<Vec<_>>(), alone);
}

#[test]
fn requests_past_the_limits_wait_and_then_are_refused() {
    let mut bench = Bench::new(1, 1);
    bench.batcher.submit(request(&[1], 4)).unwrap();
    bench.batcher.submit(request(&[2], 4)).unwrap();
    assert_eq!(bench.batcher.submit(request(&[4], 4)), Err(SubmitError::Full { waiting: 1 }));
    assert_eq!(bench.batcher.load(), (1, 1));
    assert_eq!(bench.run().len(), 2);
}

#[test]
fn a_cancelled_request_gives_its_place_at_once_and_a_paused_one_keeps_it() {
    let mut bench = Bench::new(1, 4);
    let first = bench.batcher.submit(request(&[1], 50)).unwrap();
    bench.step();
    bench.batcher.set_paused(first, true);
    assert!(bench.batcher.is_idle() && bench.step().is_empty());
    bench.batcher.cancel(first);
    let second = bench.batcher.submit(request(&[2], 3)).unwrap();
    assert_eq!(bench.run().iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [second]);
}

#[test]
fn an_answer_ends_at_its_length_and_at_the_contexts_end() {
    let mut bench = Bench::new(4, 4);
    bench.batcher.submit(request(&[1], 5)).unwrap();
    bench.batcher.submit(request(&[1; 126], 50)).unwrap();
    let mut done = bench.run();
    done.sort_by_key(|(id, ..)| *id);
    let tokens = |text: &str| text.split_whitespace().count();
    assert!(tokens(&done[0].1) <= 5 && tokens(&done[1].1) <= 2);
    let refused = bench.batcher.submit(request(&[1; 128], 1));
    assert_eq!(refused, Err(SubmitError::TooLong { found: 128, context: 128 }));
}
