//! A model ready to answer.

use std::sync::Arc;
use std::time::SystemTime;
use vial_grammar::Grammar;
use vial_model::generate::{Batcher, Event, Finish, Limits, Request, SubmitError};
use vial_model::gguf::{Gguf, GgufError};
use vial_model::kv::{KvCache, KvError, KvKind, KvPlan, KvWish};
use vial_model::sample::Sampling;
use vial_model::scan::{ScaleError, Scan};
use vial_model::template::{Conversation, Message, Template, TemplateError};
use vial_model::tokenizer::{DraftMismatch, Tokenizer, TokenizerError};
use vial_model::transformer::{Engine, ModelError, Pass, PassError, Transformer};
use vial_tensor::Isa;

use crate::ModelFile;

/// Rows of a pass: as many as read prompts well.
pub(crate) const ROWS: usize = 128;
/// Drafted tokens of a pass: with the one before them as many rows as decoding kernels take.
const DRAFTS: usize = 7;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file's form.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// Its numbers or tensors.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its numbers.
    #[error(transparent)]
    Scale(#[from] ScaleError),
    /// Its tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Its tokenizer, which is not that of the model it is to draft for.
    #[error(transparent)]
    Draft(#[from] DraftMismatch),
    /// Its chat template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Its cache.
    #[error(transparent)]
    Cache(#[from] KvError),
    /// A request.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A sequence longer than the model's context.
    #[error("a sequence of {found} tokens is longer than the model's context")]
    Context {
        /// Its tokens.
        found: usize,
    },
    /// A pass.
    #[error(transparent)]
    Pass(#[from] PassError),
}

/// How an answer is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// What the whole answer follows; `max_tokens` may end it before it is complete.
    pub grammar: Option<Arc<Grammar>>,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of prompt and answer.
    pub tokens: (usize, usize),
}

/// A model with its cache, for one conversation at a time.
#[derive(Debug)]
pub struct Local<'f> {
    pub(crate) file: &'f ModelFile,
    pub(crate) draft: Option<&'f ModelFile>,
    pub(crate) batcher: Batcher<Tokenizer>,
    template: Option<Template>,
    marks: (String, String),
    kv: KvPlan,
}

impl<'f> Local<'f> {
    /// Loads the model of `file` with a cache of `context` tokens (at most what it was trained for),
    /// kept as `kv`.
    ///
    /// # Errors
    /// What is not understood.
    pub fn load(file: &'f ModelFile, context: usize, kv: KvKind) -> Result<Self, LoadError> {
        let gguf = Gguf::parse(file.bytes(), file.bytes().len() as u64)?;
        let (model, tokenizer) = (Transformer::from_gguf(&gguf)?, Tokenizer::from_gguf(&gguf)?);
        let template = gguf.str("tokenizer.chat_template").map(Template::parse).transpose()?;
        Scan::new(Isa::detect(), &gguf).add(file.bytes())?;
        let wish = KvWish { streams: 1, context, budget_bytes: u64::MAX };
        let plan = KvPlan::of_kind(&model.config, wish, kv)?;
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, ROWS));
        let marks = tokenizer.marks();
        // One user: what was said before is what the next prompt begins with.
        let limits = Limits { streams: 1, waiting: 1, kept_pages: plan.pages, drafts: DRAFTS };
        let batcher = Batcher::new(model, tokenizer, cache, pass, limits);
        Ok(Self { file, draft: None, batcher, template, marks, kv: plan })
    }

    /// Its cache.
    #[must_use]
    pub fn kv(&self) -> &KvPlan {
        &self.kv
    }

    /// Tokens of a conversation's text, by the model's own template; plain text where it has none.
    ///
    /// # Errors
    /// What the template refuses.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, LoadError> {
        let tokenizer = self.batcher.vocabulary();
        let Some(template) = &self.template else {
            let texts = messages.iter().flat_map(|message| tokenizer.encode(&message.content, false));
            return Ok(tokenizer.prefix().into_iter().chain(texts).collect());
        };
        let mut conversation = Conversation::plain(messages, (&self.marks.0, &self.marks.1));
        conversation.now_s = now_s();
        Ok(template.render(&conversation)?.tokens(tokenizer))
    }

    /// Answers `prompt`; `tell` gets each piece of text as it comes.
    ///
    /// # Errors
    /// A prompt that is too long, a setting out of range, or a pass that fails.
    pub fn answer(
        &mut self,
        engine: Engine<'_>,
        prompt: Vec<u32>,
        settings: &Settings,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Answer, LoadError> {
        let Settings { sampling, max_tokens, grammar } = settings.clone();
        let cache_scope = Some(0);
        self.batcher.submit(Request {
            prompt,
            sampling,
            max_tokens,
            grammar,
            cache_scope,
            ..Request::default()
        })?;
        let mut whole = String::new();
        loop {
            for event in self.step(engine) {
                match event {
                    Event::Token { text, .. } => add(&mut whole, &text, tell),
                    Event::Done { text, finish, usage, .. } => {
                        add(&mut whole, &text, tell);
                        let tokens = (usage.prompt_tokens, usage.completion_tokens);
                        return Ok(Answer { text: whole, finish, tokens });
                    }
                    Event::Failed { error, .. } => return Err(error.into()),
                    Event::Embedded { .. } => {}
                }
            }
        }
    }
}

/// Seconds since 1970.
fn now_s() -> Option<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn add(whole: &mut String, text: &str, tell: &mut dyn FnMut(&str)) {
    whole.push_str(text);
    tell(text);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::with_team;
    use vial_grammar::Json;
    use vial_tensor::Isa;

    pub(crate) fn file(bytes: &[u8]) -> ModelFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        ModelFile::read(&path, &mut |_, _| ()).unwrap()
    }

    #[test]
    fn answers_are_told_piece_by_piece_and_do_not_depend_on_threads() {
        let file = file(&vial_model::tiny::llama(1));
        let messages = [Message { role: "user".to_owned(), content: "the".to_owned() }];
        let settings = Settings { sampling: Sampling::default(), max_tokens: 6, grammar: None };
        let answers = [1, 2].map(|threads| {
            with_team(threads, |team| {
                let mut local = Local::load(&file, 128, KvKind::F16).unwrap();
                let mut told = String::new();
                let prompt = local.prompt(&messages).unwrap();
                let engine = Engine { team, isa: Isa::detect() };
                let answer =
                    local.answer(engine, prompt, &settings, &mut |text| told.push_str(text)).unwrap();
                assert_eq!(answer.text, told);
                answer
            })
        });
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].tokens.1 <= 6);
    }

    /// What the small model answers, whatever the kind of cache, when every token is as likely as the next.
    fn answers(grammar: &Grammar) -> Vec<(String, Finish)> {
        let file = file(&vial_model::tiny::llama(1));
        let sampling = |seed| Sampling { temperature: 5.0, seed, ..Sampling::default() };
        let grammar = Some(Arc::new(grammar.clone()));
        let answer = |(seed, kv)| {
            with_team(1, |team| {
                let mut local = Local::load(&file, 256, kv).unwrap();
                let settings =
                    Settings { sampling: sampling(seed), max_tokens: 100, grammar: grammar.clone() };
                let engine = Engine { team, isa: Isa::detect() };
                local.answer(engine, vec![1, 2, 3], &settings, &mut |_| ()).unwrap()
            })
        };
        let runs = (0..8).flat_map(|seed| [(seed, KvKind::F16), (seed, KvKind::Q8_0)]);
        runs.map(answer).map(|answer| (answer.text, answer.finish)).collect()
    }

    #[test]
    fn answers_follow_the_form_that_was_asked_for() {
        let schema = r#"{"type":"object","properties":{"a":{"enum":["the","x"]},"b":{"type":"boolean"}},
            "required":["a","b"],"additionalProperties":false}"#;
        let of_schema = Grammar::from_schema(&Json::parse(schema).unwrap()).unwrap();
        for (text, finish) in answers(&of_schema) {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!((value["a"] == "the" || value["a"] == "x") && value["b"].is_boolean(), "{text}");
            assert_eq!(finish, Finish::Stop);
        }
        let texts = answers(&Grammar::from_gbnf("root ::= [ab]{4} \"!\"").unwrap());
        let is_one = |text: &str| {
            text.len() == 5 && text.ends_with('!') && text[..4].bytes().all(|it| b"ab".contains(&it))
        };
        assert!(texts.iter().all(|(text, _)| is_one(text)), "{texts:?}");
        assert!(texts.iter().any(|(text, _)| *text != texts[0].0), "chance chose");
    }

    #[test]
    fn a_file_that_is_no_model_is_refused_by_name() {
        let error = Local::load(&file(b"GGML"), 128, KvKind::F16).unwrap_err();
        assert!(matches!(error, LoadError::Gguf(_)), "{error}");
    }
}
