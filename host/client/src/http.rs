//! Requests and answers of HTTP/1.1 over any stream, one after the other. Spec: RFC 9112.
//!
//! ureq and hyper own their connections, or hide them; whoever verifies must ask over the very connection that is used later.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::connection::Connection;
use crate::error::ClientError;

/// Longest head of an answer.
const HEAD_MAX: u64 = 16 << 10;
const HEADERS_MAX: usize = 64;

/// An answer. From the network: untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// Asks and waits for the whole answer, of at most `most` bytes; the connection stays for the next.
    ///
    /// # Errors
    /// The connection ended, or what came is no such answer.
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&[u8]>,
        most: u64,
    ) -> Result<Response, ClientError> {
        write_request(self, method, target, body)?;
        read_response(&mut BufReader::new(self), most)
    }

    /// The body at `target`, of at most `most` bytes.
    ///
    /// # Errors
    /// As [`Self::ask`], and any status but 200.
    pub fn get(&mut self, target: &str, most: u64) -> Result<Vec<u8>, ClientError> {
        let response = self.ask("GET", target, None, most)?;
        let found = || format!("of status {}", response.status);
        if response.status == 200 { Ok(response.body) } else { Err(answer(found(), "status 200")) }
    }
}

/// Writes a request; a body is JSON.
///
/// # Errors
/// The connection ended.
pub fn write_request(to: &mut dyn Write, method: &str, target: &str, body: Option<&[u8]>) -> io::Result<()> {
    let kind =
        body.map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    let head = format!("{method} {target} HTTP/1.1\r\nHost: appliance\r\n{}\r\n", kind.unwrap_or_default());
    to.write_all(&[head.as_bytes(), body.unwrap_or_default()].concat())?;
    to.flush()
}

/// Reads an answer whose body is of at most `most` bytes.
///
/// # Errors
/// The connection ended, or what came is no such answer.
pub fn read_response(from: &mut dyn BufRead, most: u64) -> Result<Response, ClientError> {
    let head = head(from)?;
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    let is_whole = parsed.parse(&head).is_ok_and(|status| status.is_complete());
    let status = parsed.code.filter(|_| is_whole);
    let status = status.ok_or_else(|| answer("something else".to_owned(), "one of HTTP/1.1"))?;
    let text = |header: &httparse::Header<'_>| {
        (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
    };
    let headers = parsed.headers.iter().map(text).collect();
    let mut response = Response { status, headers, body: Vec::new() };
    response.body = body(from, &response, most)?;
    Ok(response)
}

fn head(from: &mut dyn BufRead) -> Result<Vec<u8>, ClientError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = from.take(HEAD_MAX).read_until(b'\n', &mut head)?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if head.len() as u64 > HEAD_MAX {
            return Err(answer(format!("longer than {HEAD_MAX} bytes"), "a shorter head"));
        }
    }
    Ok(head)
}

fn body(from: &mut dyn BufRead, response: &Response, most: u64) -> Result<Vec<u8>, ClientError> {
    if response.header("transfer-encoding") == Some("chunked") {
        return chunks(from, most);
    }
    let length = response.header("content-length").map(str::parse);
    let Some(Ok(length)) = length else {
        return Err(answer("without a length".to_owned(), "one with a length, or in chunks"));
    };
    exactly(from, length, most)
}

fn exactly(from: &mut dyn BufRead, length: u64, most: u64) -> Result<Vec<u8>, ClientError> {
    if length > most {
        return Err(answer(format!("of {length} bytes"), "a shorter one"));
    }
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
}

fn chunks(from: &mut dyn BufRead, most: u64) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    loop {
        let mut line = Vec::new();
        from.take(64).read_until(b'\n', &mut line)?;
        let Ok(httparse::Status::Complete((_, length))) = httparse::parse_chunk_size(&line) else {
            return Err(answer("in malformed chunks".to_owned(), "chunks of RFC 9112"));
        };
        let left = most.saturating_sub(bytes.len() as u64);
        bytes.extend(exactly(from, length, left)?);
        exactly(from, 2, 2)?;
        if length == 0 {
            return Ok(bytes);
        }
    }
}

fn answer(found: String, expected: &'static str) -> ClientError {
    ClientError::Answer { found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Response, ClientError> {
        read_response(&mut bytes, 8)
    }

    #[test]
    fn answers_with_a_length_and_in_chunks_are_read_whole() {
        let found = read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabcrest").unwrap();
        assert_eq!(
            (found.status, found.header("x-a"), found.body.as_slice()),
            (200, Some("b"), b"abc".as_slice())
        );
        let found =
            read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(found.unwrap().body, b"abc");
    }

    #[test]
    fn answers_that_are_long_cut_or_malformed_are_refused() {
        let refused = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi").contains("9 bytes"));
        assert!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab").contains("did not come"));
        assert!(refused(b"HTTP/1.1 200 OK\r\n\r\n").contains("without a length"));
        assert!(refused(b"SSH-2.0\r\n\r\n").contains("HTTP/1.1"));
        assert!(refused(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").contains("chunks"));
        assert!(
            refused(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabcdefghi\r\n")
                .contains("9 bytes")
        );
        assert!(refused(&[b"HTTP/1.1 200 OK\r\n".as_slice(), &[b'a'; 20 << 10]].concat()).contains("head"));
    }

    #[test]
    fn a_request_names_the_length_of_its_body() {
        let mut text = Vec::new();
        write_request(&mut text, "POST", "/v1/x", Some(b"{}")).unwrap();
        let expected = "POST /v1/x HTTP/1.1\r\nHost: appliance\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(text, expected.as_bytes());
    }
}
