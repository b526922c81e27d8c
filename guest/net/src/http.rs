//! HTTP/1.1 requests out of bytes, and the heads of responses. Spec: RFC 9112.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::error::ApiError;
use crate::sender::Credential;

/// Longest head in bytes.
pub(crate) const HEAD_MAX: usize = 16 << 10;
/// Longest body in bytes.
pub(crate) const BODY_MAX: usize = 4 << 20;
const HEADERS_MAX: usize = 64;

/// A whole request. From a client: untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method, as sent.
    pub method: String,
    /// Its target up to the question mark.
    pub path: String,
    /// Its target after the question mark.
    pub query: String,
    /// Its body, chunks joined.
    pub body: Vec<u8>,
    /// Whether the connection goes on after the answer.
    pub keeps_alive: bool,
    /// What its client says it is.
    pub credential: Credential,
}

/// What the bytes so far hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request and the bytes it took.
    Whole(Request, usize),
    /// Not all of it yet; whether the client waits for a word before it sends the body.
    Partial {
        /// It said `Expect: 100-continue`.
        expects_continue: bool,
    },
}

/// How long a body is.
enum Length {
    Bytes(usize),
    Chunked,
}

struct Head {
    request: Request,
    length: Length,
    expects_continue: bool,
}

/// Reads a request from the front of `bytes`. Spec: RFC 9112.
///
/// # Errors
/// The status that a client is told: malformed, too long, or of another version.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ApiError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let head_bytes = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => {
            return Ok(Parsed::Partial { expects_continue: false });
        }
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(ApiError::http(431, "the head is too long"));
        }
        Err(httparse::Error::Version) => return Err(ApiError::http(505, "expected HTTP/1.1")),
        Err(_) => return Err(ApiError::http(400, "not a request of HTTP/1.1")),
    };
    let Head { mut request, length, expects_continue } = head(&parsed)?;
    let rest = bytes.get(head_bytes..).unwrap_or_default();
    let body = match length {
        Length::Bytes(length) => rest.get(..length).map(|body| (body.to_vec(), length)),
        Length::Chunked => chunked(rest)?,
    };
    let Some((body, taken)) = body else { return Ok(Parsed::Partial { expects_continue }) };
    request.body = body;
    Ok(Parsed::Whole(request, head_bytes + taken))
}

fn head(parsed: &httparse::Request<'_, '_>) -> Result<Head, ApiError> {
    let value = |name: &str| {
        let mut found = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        found.next().map(|header| header.value)
    };
    let header = |name| value(name).map(|value| String::from_utf8_lossy(value).trim().to_ascii_lowercase());
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_new = parsed.version == Some(1);
    let connection = header("connection").unwrap_or_default();
    let keeps_alive = if is_new { !connection.contains("close") } else { connection.contains("keep-alive") };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_string(),
        path: path.to_string(),
        query: query.to_string(),
        body: Vec::new(),
        keeps_alive,
        credential: value("authorization").map(Credential::new).unwrap_or_default(),
    };
    let length = length(header("transfer-encoding"), header("content-length"))?;
    let expects_continue = header("expect").is_some_and(|value| value == "100-continue");
    Ok(Head { request, length, expects_continue })
}

/// Two lengths at once are how requests are smuggled: refused. Spec: RFC 9112 §6.3.
fn length(encoding: Option<String>, length: Option<String>) -> Result<Length, ApiError> {
    match (encoding.as_deref(), length) {
        (Some("chunked"), None) => Ok(Length::Chunked),
        (Some(_), _) => Err(ApiError::http(400, "transfer-encoding: expected chunked alone")),
        (None, None) => Ok(Length::Bytes(0)),
        (None, Some(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => match text.parse() {
            Ok(length) if length <= BODY_MAX => Ok(Length::Bytes(length)),
            _ => Err(too_long()),
        },
        (None, Some(_)) => Err(ApiError::http(400, "content-length: expected a number")),
    }
}

/// A chunked body and the bytes it took; `None` while it is not whole. Trailers are not known here.
fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ApiError> {
    let malformed = || ApiError::http(400, "a chunk is malformed");
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let httparse::Status::Complete((start, length)) =
            httparse::parse_chunk_size(rest).map_err(|_| malformed())?
        else {
            return if rest.len() > 64 { Err(malformed()) } else { Ok(None) };
        };
        let length =
            usize::try_from(length).ok().filter(|length| body.len().saturating_add(*length) <= BODY_MAX);
        let length = length.ok_or_else(too_long)?;
        let Some(chunk) = rest.get(start..start + length + 2) else { return Ok(None) };
        let (data, end) = chunk.split_at(length);
        if end != b"\r\n" {
            return Err(malformed());
        }
        body.extend_from_slice(data);
        at += start + length + 2;
        if length == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn too_long() -> ApiError {
    ApiError::http(413, format!("the body is longer than {BODY_MAX} bytes"))
}

/// A whole response.
pub(crate) fn response(status: u16, kind: &str, body: &[u8], keeps_alive: bool, extra: &str) -> Vec<u8> {
    let connection = if keeps_alive { "keep-alive" } else { "close" };
    let mut bytes = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n{extra}\r\n",
        reason(status),
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The head of a response whose body follows in chunks.
pub(crate) fn stream_head(kind: &str, keeps_alive: bool, extra: &str) -> Vec<u8> {
    let connection = if keeps_alive { "keep-alive" } else { "close" };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\nConnection: {connection}\r\n{extra}\r\n"
    )
    .into_bytes()
}

/// One chunk.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
