//! Errors in OpenAI's form.

use alloc::string::String;
use alloc::vec::Vec;
use serde_json::json;

/// An error as a client sees it. Never holds content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.param`, the field at fault.
    pub param: Option<String>,
    /// What was found and what is expected.
    pub message: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// A request that is wrong in one field.
    #[must_use]
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        let param = (!param.is_empty()).then(|| param.into());
        Self { status: 400, kind: "invalid_request_error", param, message: message.into(), retry_after: None }
    }

    /// An HTTP error without a field.
    #[must_use]
    pub fn http(status: u16, message: impl Into<String>) -> Self {
        Self { status, ..Self::invalid("", message) }
    }

    /// More requests than there are places for.
    #[must_use]
    pub fn busy() -> Self {
        let message = "this appliance is answering as many requests as it can, try again later";
        Self { kind: "rate_limit_error", retry_after: Some(1), ..Self::http(429, message) }
    }

    /// The appliance cannot answer.
    #[must_use]
    pub fn server(message: impl Into<String>) -> Self {
        Self { kind: "server_error", ..Self::http(500, message) }
    }

    /// The JSON body.
    pub(crate) fn body(&self) -> Vec<u8> {
        let error = json!({ "message": self.message, "type": self.kind, "param": self.param, "code": null });
        serde_json::to_vec(&json!({ "error": error })).unwrap_or_default()
    }
}
