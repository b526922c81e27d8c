//! A second, smaller model that drafts for the first.

use std::time::Instant;
use vial_model::generate::{Drafter, Event, Speculation};
use vial_model::gguf::Gguf;
use vial_model::kv::{KvCache, KvPlan, KvWish};
use vial_model::scan::Scan;
use vial_model::tokenizer::Tokenizer;
use vial_model::transformer::{Engine, Pass, PassError, Transformer};
use vial_model::weights::Resident;
use vial_tensor::Isa;

use crate::model::ROWS;
use crate::{LoadError, Local, ModelFile};

impl<'f> Local<'f> {
    /// Lets the model of `draft` draft: answers come sooner where it is right, and are the same.
    ///
    /// # Errors
    /// What is not understood, or the first token that is not the model's.
    pub fn set_draft(&mut self, draft: &'f ModelFile) -> Result<(), LoadError> {
        let gguf = Gguf::parse(draft.bytes(), draft.bytes().len() as u64)?;
        let model = Transformer::from_gguf(&gguf)?;
        self.batcher.vocabulary().check_draft(&Tokenizer::from_gguf(&gguf)?)?;
        Scan::new(Isa::detect(), &gguf).add(draft.bytes())?;
        let wish = KvWish { streams: 1, context: self.batcher.context(), budget_bytes: u64::MAX };
        let plan = KvPlan::new(&model.config, wish)?;
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, ROWS));
        self.batcher.set_drafter(Drafter::new(model, cache, pass));
        self.draft = Some(draft);
        Ok(())
    }

    /// How drafts did so far.
    #[must_use]
    pub fn speculation(&self) -> Speculation {
        self.batcher.speculation()
    }

    /// Why the draft model drafts no more, if it has failed.
    #[must_use]
    pub fn draft_error(&self) -> Option<&PassError> {
        self.batcher.drafter().and_then(Drafter::error)
    }

    /// One pass, of either model.
    pub(crate) fn step(&mut self, engine: Engine<'_>) -> Vec<Event> {
        let started = Instant::now();
        let mut weights = Resident::new(self.file.bytes());
        let events = match self.draft {
            Some(draft) => {
                self.batcher.step_with_draft(&mut weights, &mut Resident::new(draft.bytes()), engine)
            }
            None => self.batcher.step(&mut weights, engine),
        };
        self.batcher.note_pass(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::file;
    use crate::{Settings, with_team};
    use vial_model::generate::Request;
    use vial_model::kv::KvKind;
    use vial_model::sample::Sampling;
    use vial_model::tiny;

    const PROMPT: [u32; 4] = [5, 9, 200, 7];

    fn answer(model: &ModelFile, draft: Option<&ModelFile>, temperature: f32) -> String {
        let mut local = Local::load(model, 256, KvKind::F16).unwrap();
        draft.into_iter().for_each(|draft| local.set_draft(draft).unwrap());
        let sampling = Sampling { temperature, seed: 3, ..Sampling::default() };
        let settings = Settings { sampling, max_tokens: 100, grammar: None };
        let answer = with_team(2, |team| {
            let engine = Engine { team, isa: Isa::detect() };
            local.answer(engine, PROMPT.to_vec(), &settings, &mut |_| ()).unwrap()
        });
        assert_eq!(local.draft_error(), None);
        answer.text
    }

    #[test]
    fn answers_with_a_draft_model_are_those_without() {
        let [model, other] = [1, 2].map(|seed| file(&tiny::llama(seed)));
        for temperature in [0.0, 1.0] {
            let plain = answer(&model, None, temperature);
            for draft in [&model, &other] {
                assert_eq!(answer(&model, Some(draft), temperature), plain);
            }
        }
    }

    #[test]
    fn the_draft_models_own_file_is_read() {
        let model = file(&tiny::llama(1));
        let mut local = Local::load(&model, 256, KvKind::F16).unwrap();
        local.set_draft(&model).unwrap();
        let request = Request { prompt: PROMPT.to_vec(), max_tokens: 60, ..Request::default() };
        local.batcher.submit(request).unwrap();
        with_team(1, |team| {
            let (engine, weights) = (Engine { team, isa: Isa::detect() }, || Resident::new(model.bytes()));
            // Without a clock, by which a draft model as dear as the model would not be used.
            while !local.batcher.is_idle() {
                local.batcher.step_with_draft(&mut weights(), &mut weights(), engine);
            }
        });
        let found = local.speculation();
        assert!(found.modelled.right > 10 && found.modelled.right == found.modelled.drafted, "{found:?}");
    }

    #[test]
    fn a_draft_model_with_another_vocabulary_is_refused_by_its_token() {
        let other: Vec<u8> = tiny::llama(2);
        let at = other.windows(10).position(|window| window == b"<|im_end|>").unwrap();
        let other = [&other[..at], b"<|im_END|>", &other[at + 10..]].concat();
        let (model, draft) = (file(&tiny::llama(1)), file(&other));
        let mut local = Local::load(&model, 64, KvKind::F16).unwrap();
        let error = local.set_draft(&draft).unwrap_err();
        let expected =
            r#"token 259 of the draft model is "<|im_END|>", expected "<|im_end|>" as in the model"#;
        assert_eq!(error.to_string(), expected);
        assert!(matches!(local.set_draft(&file(b"GGML")).unwrap_err(), LoadError::Gguf(_)));
    }
}
