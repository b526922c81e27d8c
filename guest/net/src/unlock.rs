//! Unlocking over HTTP: `GET /v1/unlock` asks for an offer, `POST /v1/unlock` brings the release for it, over the same connection.
//!
//! ```text
//! {"offer": "…"}      128 bytes of vial_channel::unlock::Offer as lower-case hex
//! {"release": "…"}    80 bytes of a release for it
//! ```

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use serde::Deserialize;
use serde_json::json;
use vial_channel::unlock::{OFFER_BYTES, RELEASE_BYTES};

use crate::error::ApiError;
use crate::http::Request;
use crate::route::Asked;
use crate::server::{JobId, Server};
use crate::status::Status;

/// What a client is told that asks a locked appliance for something else.
pub(crate) const LOCKED: &str = "this appliance is locked: its weights are encrypted, and their owner releases the key with `vial unlock`";

/// A key sealed to an appliance's offer. From the network: untrusted.
pub type Release = [u8; RELEASE_BYTES];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    release: String,
}

/// What a request of `/v1/unlock` asks for.
pub(crate) fn asked(request: &Request, status: &Status) -> Result<Asked, ApiError> {
    if !status.is_locked {
        return Err(ApiError::http(409, "this appliance is not locked"));
    }
    match request.method.as_str() {
        "GET" => Ok(Asked::Offer),
        "POST" => release(&request.body).map(Box::new).map(Asked::Unlock),
        _ => Err(ApiError::http(405, "expected the method GET or POST")),
    }
}

/// Reads the body of a release.
///
/// # Errors
/// It is none; what it holds is not quoted.
pub fn release(body: &[u8]) -> Result<Release, ApiError> {
    let refused = || ApiError::invalid("release", "expected {\"release\": 80 bytes as lower-case hex}");
    let body: Body = serde_json::from_slice(body).map_err(|_| refused())?;
    let (pairs, rest) = body.release.as_bytes().as_chunks::<2>();
    if pairs.len() != RELEASE_BYTES || !rest.is_empty() {
        return Err(refused());
    }
    let mut release = [0; RELEASE_BYTES];
    for (to, [high, low]) in release.iter_mut().zip(pairs) {
        *to = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or_else(refused)?;
    }
    Ok(release)
}

/// One spelling alone.
fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Server {
    /// Tells an offer.
    pub fn offered(&mut self, id: JobId, offer: &[u8; OFFER_BYTES]) {
        let hex: String = offer.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
        self.tell(id, json!({ "offer": hex }).to_string().as_bytes());
    }

    /// Tells that the key was right.
    pub fn unlocked(&mut self, id: JobId) {
        self.tell(id, br#"{"unlocked":true}"#);
    }

    fn tell(&mut self, id: JobId, json: &[u8]) {
        let Some(client) = self.client(id) else { return };
        client.job = None;
        client.respond(200, "application/json", json, "Cache-Control: no-store\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    fn body(release: &str) -> Vec<u8> {
        format!(r#"{{"release":"{release}"}}"#).into_bytes()
    }

    #[test]
    fn a_release_is_eighty_bytes_of_hex_and_nothing_else() {
        assert_eq!(release(&body(&"0f".repeat(80))), Ok([15; 80]));
        let whole = "00".repeat(80);
        let refused =
            ["", "0", &whole[1..], &whole[2..], &format!("{whole}00"), &whole.replacen("00", "0G", 1)];
        for text in
            refused.into_iter().chain([&*whole.replacen("00", "0A", 1), &whole.replacen("00", "\u{e9}", 1)])
        {
            let error = release(&body(text)).unwrap_err();
            assert_eq!((error.status, error.param.as_deref()), (400, Some("release")));
            assert!(text.len() < 8 || !error.message.contains(text));
        }
        for bytes in [&b""[..], b"{}", b"[]", br#"{"release":7}"#] {
            let _refused: ApiError = release(bytes).unwrap_err();
        }
        let other = format!(r#"{{"release":"{whole}","key":""}}"#);
        let _refused: ApiError = release(other.as_bytes()).unwrap_err();
    }
}
