//! A client of OpenAI-style servers that notes when each piece of an answer arrives.

use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use core::time::Duration;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// Longest wait for one byte.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_micros(500);

/// A chat request that is answered greedily.
pub(crate) fn chat(question: &str, max_tokens: u32) -> Value {
    let messages = [json!({ "role": "user", "content": question })];
    json!({ "messages": messages, "temperature": 0, "max_tokens": max_tokens, "stream": true })
}

/// An address of this machine where nobody listens.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Connects as soon as somebody listens.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let started = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                return Ok(socket);
            }
            Err(error) if started.elapsed() > PATIENCE => bail!("{address}: {error}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Asks until the answer is 200; a server that still loads its model answers something else.
fn ask(address: SocketAddr, head: &str, body: &str) -> Result<BufReader<TcpStream>> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let mut socket = connect(address)?;
        let length = body.len();
        write!(
            socket,
            "{head} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )?;
        let mut reader = BufReader::new(socket);
        let mut status = String::new();
        // A server that ends the connection is asked again.
        let read = reader.read_line(&mut status).unwrap_or(0);
        if read > 0 && status.split_whitespace().nth(1) == Some("200") {
            return Ok(reader);
        }
        std::thread::sleep(PAUSE);
    }
    bail!("{address}: no answer in {} s", PATIENCE.as_secs())
}

/// Waits until the server is healthy.
pub(crate) fn healthy(address: SocketAddr) -> Result<()> {
    text(address, "/health").map(drop)
}

/// Headers and body at a path.
pub(crate) fn text(address: SocketAddr, path: &str) -> Result<String> {
    let mut rest = String::new();
    ask(address, &format!("GET {path}"), "")?.read_to_string(&mut rest)?;
    Ok(rest)
}

/// Sends a streamed chat request; `tell` gets each piece of text when it arrives.
pub(crate) fn stream(address: SocketAddr, body: &Value, tell: &mut dyn FnMut(&str)) -> Result<()> {
    events(address, body, &mut |event| {
        if let Some(text) = event["choices"][0]["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
            tell(text);
        }
    })
}

fn events(address: SocketAddr, body: &Value, tell: &mut dyn FnMut(&Value)) -> Result<()> {
    for line in ask(address, "POST /v1/chat/completions", &body.to_string())?.lines() {
        let line = line?;
        let Some(event) = line.strip_prefix("data: ").filter(|event| event.starts_with('{')) else {
            continue;
        };
        tell(&serde_json::from_str(event).with_context(|| format!("event {event:?}"))?);
    }
    Ok(())
}

/// When each piece of the answer arrived.
pub(crate) fn arrivals(address: SocketAddr, body: &Value) -> Result<Vec<Instant>> {
    let mut arrivals = Vec::new();
    stream(address, body, &mut |_| arrivals.push(Instant::now()))?;
    Ok(arrivals)
}

/// An answer as it came.
pub(crate) struct Answer {
    /// When each piece of text arrived.
    pub(crate) arrivals: Vec<Instant>,
    pub(crate) prompt_tokens: u64,
    /// Of the answer.
    pub(crate) tokens: u64,
}

/// Sends a streamed chat request that also asks what it used.
pub(crate) fn answer(address: SocketAddr, body: &Value) -> Result<Answer> {
    let mut body = body.clone();
    body["stream_options"] = json!({ "include_usage": true });
    let (mut arrivals, mut usage) = (Vec::new(), Value::Null);
    events(address, &body, &mut |event| {
        if event["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty()) {
            arrivals.push(Instant::now());
        }
        if event["usage"].is_object() {
            usage = event["usage"].clone();
        }
    })?;
    let count = |name: &str| usage[name].as_u64().with_context(|| format!("{name} in {usage}"));
    Ok(Answer { arrivals, prompt_tokens: count("prompt_tokens")?, tokens: count("completion_tokens")? })
}
