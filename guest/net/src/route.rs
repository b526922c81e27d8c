//! Which request asks for what.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use serde_json::json;

use crate::api::{Embedding, Generation, embedding, generation, ollama, tags};
use crate::error::ApiError;
use crate::http::Request;
use crate::notary::ReceiptId;
use crate::server::Model;
use crate::status::Status;
use crate::unlock::{self, LOCKED, Release};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// To generate; whether it is a chat.
    Generate(Box<Generation>, bool),
    /// To embed.
    Embed(Embedding),
    /// Evidence over this nonce.
    Attest([u8; 64]),
    /// The receipt of that name.
    Receipt(ReceiptId),
    /// An offer to release a key to.
    Offer,
    /// To be unlocked by this release.
    Unlock(Box<Release>),
    /// This answer: status, type, body.
    Ready(u16, &'static str, Vec<u8>),
}

const JSON: &str = "application/json";
/// Clients ask whether it is new enough for them.
const VERSION: &str = concat!(r#"{"version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
const RECEIPTS: &str = "/v1/receipts/";

/// Reads what a request asks for.
pub(crate) fn asked(
    request: &Request,
    model: &Model,
    created: u64,
    status: &Status,
) -> Result<Asked, ApiError> {
    if request.path == "/v1/unlock" {
        return unlock::asked(request, status);
    }
    let wanted = match request.path.as_str() {
        "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings" | "/api/chat" | "/api/generate" => {
            "POST"
        }
        "/api/tags" | "/api/ps" | "/api/version" | "/v1/models" | "/v1/attestation" | "/health"
        | "/metrics" => "GET",
        path if path.starts_with(RECEIPTS) => "GET",
        _ => return Err(ApiError::http(404, "no such path")),
    };
    if request.method != wanted {
        return Err(ApiError::http(405, alloc::format!("expected the method {wanted}")));
    }
    match request.path.as_str() {
        "/v1/attestation" => Ok(Asked::Attest(nonce(&request.query)?)),
        "/api/tags" | "/api/ps" => Ok(Asked::Ready(200, JSON, tags(&model.name))),
        "/api/version" => Ok(Asked::Ready(200, JSON, VERSION.into())),
        "/v1/models" => Ok(Asked::Ready(200, JSON, models(&model.name, created))),
        "/health" => Ok(health(status)),
        "/metrics" => Ok(Asked::Ready(200, "text/plain; version=0.0.4", status.metrics().into_bytes())),
        path => match path.strip_prefix(RECEIPTS) {
            Some(name) => receipt(name).map(Asked::Receipt),
            None => compute(path, &request.body, model, status),
        },
    }
}

fn compute(path: &str, body: &[u8], model: &Model, status: &Status) -> Result<Asked, ApiError> {
    if let Some(why) = status.unhealthy.or(status.is_locked.then_some(LOCKED)) {
        return Err(ApiError { status: 503, ..ApiError::server(why) });
    }
    if path == "/v1/embeddings" {
        return embedding(body, &model.name, model.width).map(Asked::Embed);
    }
    if let "/api/chat" | "/api/generate" = path {
        let is_chat = path == "/api/chat";
        return ollama(body, is_chat, &model.name).map(|it| Asked::Generate(Box::new(it), is_chat));
    }
    let is_chat = path == "/v1/chat/completions";
    generation(body, is_chat, &model.name).map(|generation| Asked::Generate(Box::new(generation), is_chat))
}

fn models(model: &str, created: u64) -> Vec<u8> {
    let entry = json!({ "id": model, "object": "model", "created": created, "owned_by": "vial" });
    json!({ "object": "list", "data": [entry] }).to_string().into_bytes()
}

fn health(status: &Status) -> Asked {
    let (code, word) = match status.unhealthy {
        None if status.is_locked => (503, LOCKED),
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
    unhex(text, &mut nonce).ok_or_else(refused)?;
    Ok(nonce)
}

/// A receipt's name: 16 bytes of hex.
fn receipt(name: &str) -> Result<ReceiptId, ApiError> {
    let mut id = ReceiptId::default();
    let is_whole = name.len() == 2 * id.len() && unhex(name, &mut id).is_some();
    if is_whole { Ok(id) } else { Err(ApiError::http(404, "no receipt has such a name")) }
}

/// Fills the front of `bytes` from pairs of digits.
fn unhex(text: &str, bytes: &mut [u8]) -> Option<()> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (to, digits) in bytes.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
        *to = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(())
}
