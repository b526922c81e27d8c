//! How tokens are chosen.

use crate::error::ApiError;
use crate::json::Object;

/// Sampling as asked for; what is missing is the agent's to choose. Ranges are the sampler's to check.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest.
    pub temperature: Option<f32>,
    /// Extension: the k likeliest.
    pub top_k: Option<u32>,
    /// 0 to 1.
    pub top_p: Option<f32>,
    /// Extension: relative to the likeliest.
    pub min_p: Option<f32>,
    /// Extension.
    pub repetition_penalty: Option<f32>,
    /// -2 to 2.
    pub presence_penalty: Option<f32>,
    /// -2 to 2.
    pub frequency_penalty: Option<f32>,
    /// Start of the random sequence.
    pub seed: Option<u64>,
}

pub(super) fn sampling(body: &Object<'_>) -> Result<Sampling, ApiError> {
    let number = |name: &str| body.read::<f32>(name, "a number");
    Ok(Sampling {
        temperature: number("temperature")?,
        top_k: body.read("top_k", "a number of tokens")?,
        top_p: number("top_p")?,
        min_p: number("min_p")?,
        repetition_penalty: number("repetition_penalty")?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        seed: body.read::<i64>("seed", "a whole number of 64 bits")?.map(i64::cast_unsigned),
    })
}

/// Alternatives to report with each token: `logprobs` is a flag for chats and a number for completions.
pub(super) fn logprobs(body: &Object<'_>, is_chat: bool) -> Result<Option<u32>, ApiError> {
    if !is_chat {
        return body.read("logprobs", "a number for completions");
    }
    let is_wanted = body.read("logprobs", "a flag for chats")?.unwrap_or(false);
    match body.read::<u32>("top_logprobs", "a number of tokens")? {
        top if is_wanted => Ok(Some(top.unwrap_or(0))),
        None | Some(0) => Ok(None),
        Some(_) => Err(ApiError::invalid("top_logprobs", "expected \"logprobs\": true beside it")),
    }
}
