//! A batcher over the tiny model, and what it answers.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use vial_tensor::{Alone, Isa, Team};

use crate::generate::{Batcher, Drafter, Event, Finish, Limits, Request, RequestId, Usage, Vocabulary};
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
    /// Seed of the draft model's weights; that of the model is 3.
    pub(super) draft: Option<u64>,
    /// Pages of the draft model's cache.
    pub(super) draft_pages: usize,
    /// Tokens that the model and the draft model know, at most 288.
    pub(super) vocabularies: (usize, usize),
    pub(super) prices: Option<Prices>,
}

/// What passes take, in ns: so much, and so much more for each row.
#[derive(Clone, Copy)]
pub(super) struct Prices {
    pub(super) model: (u64, u64),
    pub(super) draft: (u64, u64),
}

impl Setup {
    /// Four streams with all the pages they can need, no drafts, nothing kept, no token that ends, no clock.
    pub(super) fn new() -> Self {
        let limits = Limits { streams: 4, waiting: 64, ..Limits::default() };
        Self {
            limits,
            context: 256,
            pages: 16,
            rows: 16,
            isa: Isa::detect(),
            end: None,
            draft: None,
            draft_pages: 16,
            vocabularies: (288, 288),
            prices: None,
        }
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
    pub(super) draft: Vec<u8>,
    isa: Isa,
    prices: Option<Prices>,
    pub(super) batcher: Batcher<Numbers>,
    pub(super) answers: BTreeMap<RequestId, Answer>,
    /// Rows and passes so far.
    pub(super) rows: usize,
    pub(super) passes: usize,
    /// Time so far, in ns.
    pub(super) time: u64,
}

fn model(file: &[u8], vocabulary: usize) -> Transformer {
    let mut model = Transformer::from_gguf(&Gguf::parse(file, file.len() as u64).unwrap()).unwrap();
    model.config.vocabulary = vocabulary;
    model.layout.output.weight = model.layout.output.weight.part(0..vocabulary);
    model
}

fn cache(model: &Transformer, setup: Setup, pages: usize) -> KvCache {
    let wish = KvWish { streams: pages, context: setup.context, budget_bytes: 1 << 30 };
    let plan = KvPlan::new(&model.config, wish).unwrap();
    KvCache::new(&model.config, KvPlan { pages, ..plan })
}

impl Bench {
    pub(super) fn new(setup: Setup) -> Self {
        assert!(setup.pages >= setup.context.div_ceil(PAGE_TOKENS));
        let file = tiny::llama(3);
        let target = model(&file, setup.vocabularies.0);
        let (kv, pass) = (cache(&target, setup, setup.pages), Pass::new(&target, setup.rows));
        let mut batcher = Batcher::new(target, Numbers(setup.end), kv, pass, setup.limits);
        let draft = setup.draft.map(tiny::llama).unwrap_or_default();
        if setup.draft.is_some() {
            let small = model(&draft, setup.vocabularies.1);
            let (kv, pass) = (cache(&small, setup, setup.draft_pages), Pass::new(&small, setup.rows));
            batcher.set_drafter(Drafter::new(small, kv, pass));
        }
        let (isa, prices, answers) = (setup.isa, setup.prices, BTreeMap::new());
        Self { file, draft, isa, prices, batcher, answers, rows: 0, passes: 0, time: 0 }
    }

    pub(super) fn submit(&mut self, request: Request) -> RequestId {
        let id = self.batcher.submit(request).unwrap();
        self.answers.insert(id, Answer::default());
        id
    }

    /// One pass.
    pub(super) fn step(&mut self) {
        let events = self.events();
        self.tell_time();
        self.rows += self.batcher.rows;
        self.passes += usize::from(self.batcher.rows > 0);
        events.into_iter().for_each(|event| self.note(event));
    }

    /// What one pass tells.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let team = Team::new(1, &Alone);
        let engine = Engine { team: &team, isa: self.isa };
        let (mut weights, mut draft) = (Resident::new(&self.file), Resident::new(&self.draft));
        self.batcher.step_with_draft(&mut weights, &mut draft, engine)
    }

    fn tell_time(&mut self) {
        let Some(prices) = self.prices else { return };
        let (once, row) = if self.batcher.is_draft() { prices.draft } else { prices.model };
        let ns = once + row * self.batcher.rows as u64;
        self.time += ns;
        self.batcher.note_pass(ns);
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
