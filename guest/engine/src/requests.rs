//! Requests of the API as requests of the batcher, and events back.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use vial_agent::Defaults;
use vial_model::generate::{Overflow, Request, SubmitError};
use vial_model::sample::{Logprobs, Sampling};
use vial_model::template::Rendered;
use vial_model::tokenizer::Tokenizer;
use vial_net::{ApiError, Generation, Message, Prompt, TokenLogprob};

use crate::conversation::Surroundings;
use crate::form::Form;
use crate::load::Loaded;

/// The batcher's request, and the form of its answer; `seed` is used where the client names none, `now_s` is the time, where
/// the clock knows it.
///
/// # Errors
/// What the template or the limits do not take, or a form that no answer can be held to.
pub fn request(
    loaded: &Loaded,
    generation: Generation,
    seed: u64,
    now_s: Option<i64>,
) -> Result<(Request, Form), ApiError> {
    let form = Form::of(&generation, loaded.calls)?;
    let prompt = prompt(loaded, &generation, now_s)?;
    let room = loaded.batcher.context().saturating_sub(prompt.len());
    let asked = generation.max_tokens.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX));
    let of_agent = usize::try_from(loaded.agent.sampling.max_tokens).ok().filter(|&tokens| tokens > 0);
    let request = Request {
        prompt,
        sampling: sampling(&generation, &loaded.agent.sampling, seed),
        max_tokens: asked.or(of_agent).unwrap_or(room.max(1)),
        stop: generation.stop,
        overflow: match generation.overflow {
            vial_net::Overflow::Stop => Overflow::Stop,
            vial_net::Overflow::Shift { keep } => {
                Overflow::Shift { keep: usize::try_from(keep).unwrap_or(usize::MAX) }
            }
        },
        is_deterministic: generation.is_deterministic,
        grammar: form.grammar.clone(),
        // Whose it is and what it shares is told by its sender: see `scope`.
        ..Request::default()
    };
    Ok((request, form))
}

fn prompt(loaded: &Loaded, generation: &Generation, now_s: Option<i64>) -> Result<Vec<u32>, ApiError> {
    let tokenizer = loaded.batcher.vocabulary();
    match &generation.prompt {
        Prompt::Text(text) => Ok(plain(tokenizer, text)),
        Prompt::Chat(messages) => Ok(render(loaded, messages, generation, now_s)?.tokens(tokenizer)),
    }
}

/// Tokens of a text without a template.
pub(crate) fn plain(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.prefix().into_iter().chain(tokenizer.encode(text, false)).collect()
}

fn render(
    loaded: &Loaded,
    messages: &[Message],
    generation: &Generation,
    now_s: Option<i64>,
) -> Result<Rendered, ApiError> {
    let missing = "this model has no chat template, use /v1/completions";
    let template = loaded.template.as_ref().ok_or_else(|| ApiError::invalid("messages", missing))?;
    let marks = (loaded.marks.0.as_str(), loaded.marks.1.as_str());
    Surroundings { template, marks, agent: &loaded.agent, now_s }.prompt(messages, generation)
}

fn sampling(generation: &Generation, defaults: &Defaults, seed: u64) -> Sampling {
    let asked = &generation.sampling;
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Sampling {
        temperature: asked.temperature.unwrap_or(defaults.temperature),
        top_k: count(asked.top_k.unwrap_or(defaults.top_k)),
        top_p: asked.top_p.unwrap_or(defaults.top_p),
        min_p: asked.min_p.unwrap_or(defaults.min_p),
        repetition_penalty: asked.repetition_penalty.unwrap_or(defaults.repetition_penalty),
        presence_penalty: asked.presence_penalty.unwrap_or(0.0),
        frequency_penalty: asked.frequency_penalty.unwrap_or(0.0),
        seed: asked.seed.unwrap_or(seed),
        logprobs: generation.logprobs.map(count),
    }
}

/// How a request's tokens are chosen, as receipts name it.
#[must_use]
pub fn sampled(request: &Request) -> vial_receipt::Sampling {
    let Sampling { temperature, top_k, top_p, min_p, repetition_penalty, .. } = request.sampling;
    let Sampling { presence_penalty, frequency_penalty, seed, .. } = request.sampling;
    let (top_k, is_deterministic) = (top_k as u64, request.is_deterministic);
    vial_receipt::Sampling {
        temperature,
        top_k,
        top_p,
        min_p,
        repetition_penalty,
        presence_penalty,
        frequency_penalty,
        seed,
        is_deterministic,
    }
}

/// As [`refusal`], for one of the inputs of `/v1/embeddings`.
#[must_use]
pub fn input_refusal(error: &SubmitError) -> ApiError {
    match refusal(error) {
        error if error.status == 400 => ApiError { param: Some("input".into()), ..error },
        error => error,
    }
}

/// How a client is told that its request is not taken.
#[must_use]
pub fn refusal(error: &SubmitError) -> ApiError {
    let param = match error {
        SubmitError::Full { .. } => return ApiError::busy(),
        SubmitError::Sampling(error) => error.field,
        SubmitError::Stop { .. } => "stop",
        SubmitError::NoTokens => "max_tokens",
        SubmitError::Keep { .. } => "n_keep",
        _ => "messages",
    };
    ApiError::invalid(param, error.to_string())
}

/// Probabilities of a token as the API tells them.
#[must_use]
pub fn logprob(tokenizer: &Tokenizer, token: u32, logprobs: &Logprobs) -> TokenLogprob {
    let bytes = |token: u32| tokenizer.piece(token).to_vec();
    TokenLogprob {
        token: bytes(token),
        logprob: logprobs.chosen,
        top: logprobs.top.iter().map(|&(token, logprob)| (bytes(token), logprob)).collect(),
    }
}
