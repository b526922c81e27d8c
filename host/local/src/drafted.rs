//! How fast a model answers with a draft model, and without.

use std::time::Instant;
use vial_model::generate::Speculation;
use vial_model::sample::Sampling;
use vial_model::template::Message;
use vial_model::transformer::Engine;

use crate::{LoadError, Local, Settings};

/// What is asked, in turn: prose, a list, code. What a draft model is of use for depends on what is said.
const QUESTIONS: [&str; 5] = [
    "Explain how a bicycle stays upright.",
    "Write a short story about the keeper of a lighthouse.",
    "List the steps of baking bread.",
    "Write a Python function that reverses a linked list.",
    "What is the difference between weather and climate?",
];

/// Tokens per second of every answer, from its second token on, in order.
#[derive(Clone, Debug, Default)]
pub struct Drafted {
    /// With prompt lookup alone.
    pub plain: Vec<f64>,
    /// With the draft model too.
    pub drafted: Vec<f64>,
    /// How its drafts did.
    pub speculation: Speculation,
}

/// Measures `rounds` greedy answers of `tokens` each, by one model without a draft model and with one, in turn. Each needs a
/// context of [`context`].
///
/// # Errors
/// A pass that fails, also of the draft model.
pub fn drafted(
    [plain, with]: [&mut Local<'_>; 2],
    engine: Engine<'_>,
    tokens: usize,
    rounds: usize,
) -> Result<Drafted, LoadError> {
    let mut found = Drafted::default();
    for question in QUESTIONS.iter().cycle().take(rounds) {
        found.plain.extend(rate(plain, engine, question, tokens)?);
        found.drafted.extend(rate(with, engine, question, tokens)?);
    }
    found.speculation = with.speculation();
    with.draft_error().map_or(Ok(found), |error| Err(error.clone().into()))
}

/// Tokens of a question and an answer of `tokens`, at most.
#[must_use]
pub fn context(tokens: usize) -> usize {
    tokens.saturating_add(256)
}

/// Tokens per second of one answer; `None` where it has not two.
fn rate(
    local: &mut Local<'_>,
    engine: Engine<'_>,
    question: &str,
    tokens: usize,
) -> Result<Option<f64>, LoadError> {
    let messages = [Message { role: "user".to_owned(), content: question.to_owned() }];
    let prompt = local.prompt(&messages)?;
    let mut first = None;
    let settings = Settings { sampling: Sampling::default(), max_tokens: tokens, grammar: None };
    let mut tell = |_: &str| {
        first.get_or_insert_with(Instant::now);
    };
    let answer = local.answer(engine, prompt, &settings, &mut tell)?;
    let Some(first) = first.filter(|_| answer.tokens.1 > 1) else { return Ok(None) };
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    let rate = (answer.tokens.1 - 1) as f64 / first.elapsed().as_secs_f64();
    Ok(Some(rate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::file;
    use crate::with_team;
    use vial_model::kv::KvKind;
    use vial_tensor::Isa;

    #[test]
    fn every_answer_has_a_rate_with_the_draft_model_and_without() {
        let [model, draft] = [1, 2].map(|seed| file(&vial_model::tiny::llama(seed)));
        let [mut plain, mut with] = [0, 1].map(|_| Local::load(&model, context(20), KvKind::F16).unwrap());
        with.set_draft(&draft).unwrap();
        let found = with_team(1, |team| {
            drafted([&mut plain, &mut with], Engine { team, isa: Isa::detect() }, 20, 6).unwrap()
        });
        assert_eq!((found.plain.len(), found.drafted.len()), (6, 6));
        assert!(found.plain.iter().chain(&found.drafted).all(|rate| *rate > 0.0));
        assert!(found.speculation.tokens > 6 && found.speculation.passes > 6);
    }
}
