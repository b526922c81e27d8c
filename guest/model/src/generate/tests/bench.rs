//! A batcher over the tiny model, and what it answers.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use vial_tensor::{Alone, Isa, Team};

use crate::generate::{Batcher, Event, Finish, Limits, Request, RequestId, Usage, Vocabulary};
use crate::gguf::Gguf;
use crate::kv::{KvCache, KvPlan, KvWish, PAGE_TOKENS};
use crate::tiny;
use crate::transformer::{Engine, Pass, Transformer};
use crate::weights::Resident;

/// Each token is its number and a space; one token may end.
pub(super) struct Numbers(Option<u32>);

impl Vocabulary for Numbers {
    fn append_bytes(&self, token: u32, out: &mut Vec<u8>) {
        out.extend(format!("{token} ").bytes());
    }

    fn is_end(&self, token: u32) -> bool {
        self.0 == Some(token)
    }
}

/// What a bench is made with.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) context: usize,
    /// Pages of the whole cache.
    pub(super) pages: usize,
    /// Rows of a pass.
    pub(super) rows: usize,
    pub(super) isa: Isa,
    pub(super) end: Option<u32>,
}

impl Setup {
    /// Four streams with all the pages they can need, no drafts, nothing kept, no token that ends.
    pub(super) fn new() -> Self {
        let limits = Limits { streams: 4, waiting: 64, ..Limits::default() };
        Self { limits, context: 256, pages: 16, rows: 16, isa: Isa::detect(), end: None }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) tokens: Vec<u32>,
    /// Bits of the chosen tokens' log-probabilities, where asked for.
    pub(super) logprobs: Vec<u32>,
    pub(super) done: Option<(Finish, Usage)>,
}

impl Answer {
    pub(super) fn cached_tokens(&self) -> usize {
        self.done.unwrap().1.cached_tokens
    }
}

pub(super) struct Bench {
    file: Vec<u8>,
    isa: Isa,
    pub(super) batcher: Batcher<Numbers>,
    pub(super) answers: BTreeMap<RequestId, Answer>,
    /// Rows and passes so far.
    pub(super) rows: usize,
    pub(super) passes: usize,
}

impl Bench {
    pub(super) fn new(setup: Setup) -> Self {
        let file = tiny::llama(3);
        let model = Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
        let wish = KvWish { streams: setup.pages, context: setup.context, budget_bytes: 1 << 30 };
        let mut plan = KvPlan::new(&model.config, wish).unwrap();
        assert!(setup.pages >= setup.context.div_ceil(PAGE_TOKENS));
        plan.pages = setup.pages;
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, setup.rows));
        let batcher = Batcher::new(model, Numbers(setup.end), cache, pass, setup.limits);
        Self { file, isa: setup.isa, batcher, answers: BTreeMap::new(), rows: 0, passes: 0 }
    }

    pub(super) fn submit(&mut self, request: Request) -> RequestId {
        let id = self.batcher.submit(request).unwrap();
        self.answers.insert(id, Answer::default());
        id
    }

    /// One pass.
    pub(super) fn step(&mut self) {
        let events = self.events();
        self.rows += self.batcher.rows;
        self.passes += usize::from(self.batcher.rows > 0);
        events.into_iter().for_each(|event| self.note(event));
    }

    /// What one pass tells.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let team = Team::new(1, &Alone);
        let engine = Engine { team: &team, isa: self.isa };
        self.batcher.step(&mut Resident::new(&self.file), engine)
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Token { id, token, text, logprobs } => {
                let answer = self.answers.get_mut(&id).unwrap();
                answer.tokens.push(token);
                answer.text.push_str(&text);
                answer.logprobs.extend(logprobs.map(|logprobs| logprobs.chosen.to_bits()));
            }
            Event::Done { id, text, finish, usage } => {
                let answer = self.answers.get_mut(&id).unwrap();
                assert_eq!(answer.done, None);
                answer.text.push_str(&text);
                answer.done = Some((finish, usage));
            }
            Event::Failed { error, .. } => panic!("{error}"),
            Event::Embedded { .. } => panic!("nothing was to be embedded"),
        }
    }

    /// Runs until nothing is left.
    pub(super) fn run(&mut self) {
        while !self.batcher.is_idle() {
            self.step();
            assert!(self.passes < 20_000);
        }
    }
}

/// What each request is answered when it is alone.
pub(super) fn alone(setup: Setup, requests: &[Request]) -> Vec<Answer> {
    requests.iter().map(|request| together(setup, core::slice::from_ref(request)).remove(0)).collect()
}

/// What requests that come at once are answered.
pub(super) fn together(setup: Setup, requests: &[Request]) -> Vec<Answer> {
    let mut bench = Bench::new(setup);
    for request in requests {
        bench.submit(request.clone());
    }
    bench.run();
    bench.answers.into_values().collect()
}

/// The same but for what the cache had.
pub(super) fn same_tokens(one: &[Answer], other: &[Answer]) -> bool {
    one.iter().map(|answer| &answer.tokens).eq(other.iter().map(|answer| &answer.tokens))
}

pub(super) fn request(prompt: &[u32], max_tokens: usize) -> Request {
    Request { prompt: prompt.to_vec(), max_tokens, ..Request::default() }
}

/// `count` tokens of a fixed sequence.
pub(super) fn tokens(seed: u32, count: usize) -> Vec<u32> {
    (0..).map(|at| (at * at * 7 + at * 13 + seed * 31) % 288).take(count).collect()
}
