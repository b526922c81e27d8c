//! A small model that drafts, for `chat` and `bench`.

use serde::Serialize;
use std::path::PathBuf;
use vial_local::{Drafted, LoadError, Local, ModelFile, drafted};
use vial_model::generate::{DraftCounts, Speculation};
use vial_model::transformer::Engine;

use crate::bench::median;
use crate::engine::{not_loaded, read};
use crate::failure::Failure;

/// Its flag.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct DraftArgs {
    /// A smaller model with the same vocabulary, which drafts what the model then checks. Answers are the same.
    #[arg(long, value_name = "GGUF")]
    draft: Option<PathBuf>,
}

impl DraftArgs {
    /// The file in memory, if there is one.
    pub(crate) fn read(&self) -> Result<Option<ModelFile>, Failure> {
        self.draft.as_deref().map(read).transpose()
    }

    /// Gives it to the model.
    pub(crate) fn give<'f>(&self, local: &mut Local<'f>, file: Option<&'f ModelFile>) -> Result<(), Failure> {
        let Some(file) = file else { return Ok(()) };
        let path = self.draft.as_deref().unwrap_or("--draft".as_ref());
        local.set_draft(file).map_err(|error| not_loaded(path, &error))
    }

    /// Measures answers by `plain` and by the same model `with` a draft model.
    pub(crate) fn measure(
        &self,
        [plain, with]: [&mut Local<'_>; 2],
        engine: Engine<'_>,
        (tokens, rounds): (usize, usize),
    ) -> Result<Output, LoadError> {
        let Drafted { plain, drafted, speculation } = drafted([plain, with], engine, tokens, rounds)?;
        let Speculation { passes, draft_passes, tokens, modelled, .. } = speculation;
        Ok(Output {
            model: self.draft.clone(),
            plain: median(plain),
            drafted: median(drafted),
            tokens,
            passes,
            draft_passes,
            said: modelled.drafted,
            right: modelled.right,
        })
    }
}

/// What a draft model gave.
#[derive(Debug, Serialize)]
pub(crate) struct Output {
    model: Option<PathBuf>,
    /// Tokens of answers a second, the median of the rounds, without it and with it.
    plain: Option<f64>,
    drafted: Option<f64>,
    /// Of all answers with it: tokens, passes of both models, tokens it said and those that were chosen.
    tokens: u64,
    passes: u64,
    draft_passes: u64,
    said: u64,
    right: u64,
}

impl Output {
    /// The line below the others.
    pub(crate) fn line(&self) -> String {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"));
        format!(
            "answers: {} tokens a second with the draft model, {} without; {}, {} tokens in {} passes and {} of its own",
            rate(self.drafted),
            rate(self.plain),
            shown(DraftCounts { drafted: self.said, right: self.right }),
            self.tokens,
            self.passes,
            self.draft_passes
        )
    }
}

/// How drafts of the draft model did, for people.
pub(crate) fn shown(counts: DraftCounts) -> String {
    format!("{} of {} drafted tokens right", counts.right, counts.drafted)
}
