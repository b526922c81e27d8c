//! Which request asks for what.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use serde_json::json;

use crate::api::{Generation, generation};
use crate::error::ApiError;
use crate::http::Request;
use crate::status::Status;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// To generate; whether it is a chat.
    Generate(Generation, bool),
    /// Evidence over this nonce.
    Attest([u8; 64]),
    /// This answer: status, type, body.
    Ready(u16, &'static str, Vec<u8>),
}

const JSON: &str = "application/json";

/// Reads what a request asks for.
pub(crate) fn asked(
    request: &Request,
    model: &str,
    created: u64,
    status: &Status,
) -> Result<Asked, ApiError> {
    let wanted = match request.path.as_str() {
        "/v1/chat/completions" | "/v1/completions" => "POST",
        "/v1/models" | "/v1/attestation" | "/health" | "/metrics" => "GET",
        _ => return Err(ApiError::http(404, "no such path")),
    };
    if request.method != wanted {
        return Err(ApiError::http(405, alloc::format!("expected the method {wanted}")));
    }
    match request.path.as_str() {
        "/v1/attestation" => Ok(Asked::Attest(nonce(&request.query)?)),
        "/v1/models" => Ok(Asked::Ready(200, JSON, models(model, created))),
        "/health" => Ok(health(status)),
        "/metrics" => Ok(Asked::Ready(200, "text/plain; version=0.0.4", status.metrics().into_bytes())),
        path => generate(request, path == "/v1/chat/completions", model, status),
    }
}

fn generate(request: &Request, is_chat: bool, model: &str, status: &Status) -> Result<Asked, ApiError> {
    if let Some(why) = status.unhealthy {
        return Err(ApiError { status: 503, ..ApiError::server(why) });
    }
    generation(&request.body, is_chat, model).map(|generation| Asked::Generate(generation, is_chat))
}

fn models(model: &str, created: u64) -> Vec<u8> {
    let entry = json!({ "id": model, "object": "model", "created": created, "owned_by": "vial" });
    json!({ "object": "list", "data": [entry] }).to_string().into_bytes()
}

fn health(status: &Status) -> Asked {
    let (code, word) = match status.unhealthy {
        None => (200, "ok"),
        Some(why) => (503, why),
    };
    Asked::Ready(code, JSON, json!({ "status": word }).to_string().into_bytes())
}

/// 32 to 64 bytes of hex, zero-padded to 64.
fn nonce(query: &str) -> Result<[u8; 64], ApiError> {
    let refused = || ApiError::invalid("nonce", "expected 32 to 64 bytes as hex");
    let text = query.split('&').find_map(|pair| pair.strip_prefix("nonce=")).ok_or_else(refused)?;
    if !text.len().is_multiple_of(2) || !(64..=128).contains(&text.len()) {
        return Err(refused());
    }
    let mut nonce = [0; 64];
    for (to, digits) in nonce.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (Some(high), Some(low)) = (digit(digits[0]), digit(digits[1])) else { return Err(refused()) };
        *to = high << 4 | low;
    }
    Ok(nonce)
}
