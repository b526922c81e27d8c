//! Which requests may find what others computed.

use alloc::format;
use alloc::string::String;

use crate::error::ApiError;
use crate::json::Object;

/// Most bytes of a name for a cache or a user.
const NAME_MAX: usize = 512;

/// With which other requests a request shares what its prompt costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caching {
    /// Extension `cache_prompt`, as llama.cpp's server has it: whether anything is shared at all.
    pub is_allowed: bool,
    /// `prompt_cache_key`: shared with requests of the same client that name the same, over whatever connection; 1 to 512 bytes.
    pub key: Option<String>,
    /// `user`: requests for different users share nothing; at most 512 bytes.
    pub user: Option<String>,
    /// `safety_identifier`, which takes the place of `user`: as that.
    pub safety_identifier: Option<String>,
}

pub(super) fn caching(body: &Object<'_>) -> Result<Caching, ApiError> {
    let caching = Caching {
        is_allowed: body.read("cache_prompt", "a flag")?.unwrap_or(true),
        key: name(body, "prompt_cache_key", 1)?,
        user: name(body, "user", 0)?,
        safety_identifier: name(body, "safety_identifier", 0)?,
    };
    match body.find("prompt_cache_key") {
        Some(field) if !caching.is_allowed => Err(field.refused("none beside \"cache_prompt\": false")),
        _ => Ok(caching),
    }
}

fn name(body: &Object<'_>, name: &str, least: usize) -> Result<Option<String>, ApiError> {
    let Some(field) = body.find(name) else { return Ok(None) };
    let text = field.text()?;
    if (least..=NAME_MAX).contains(&text.len()) {
        return Ok(Some(text));
    }
    let message = format!("found {} bytes, expected {least} to {NAME_MAX}", text.len());
    Err(ApiError::invalid(name, message))
}
