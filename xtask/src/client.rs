//! A client of OpenAI-style servers that notes when each piece of an answer arrives.

use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use core::time::Duration;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;
use vial_client::Connection;

/// Longest wait for one byte.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_micros(500);

/// A chat request that is answered greedily.
pub(crate) fn chat(question: &str, max_tokens: u32) -> Value {
    let messages = [json!({ "role": "user", "content": question })];
    json!({ "messages": messages, "temperature": 0, "max_tokens": max_tokens, "stream": true })
}

/// A server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    /// A peer, which speaks in clear; appliances never do.
    pub(crate) is_plain: bool,
}

impl Site {
    /// An appliance.
    pub(crate) fn appliance(address: SocketAddr) -> Self {
        Self { address, is_plain: false }
    }

    /// An address of this machine where nobody listens.
    pub(crate) fn free() -> Result<Self> {
        Ok(Self::appliance(TcpListener::bind("127.0.0.1:0")?.local_addr()?))
    }
}

impl core::fmt::Display for Site {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.address.fmt(out)
    }
}

/// A connection of either kind.
trait Wire: Read + Write {}
impl<W: Read + Write> Wire for W {}

/// Connects as soon as somebody listens. Whose key an appliance's is, nobody asks here.
fn connect(site: Site) -> Result<Box<dyn Wire>> {
    let started = Instant::now();
    loop {
        match open(site) {
            Ok(wire) => return Ok(wire),
            Err(error) if started.elapsed() > PATIENCE => bail!("{site}: {error}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn open(site: Site) -> Result<Box<dyn Wire>> {
    if !site.is_plain {
        return Ok(Box::new(Connection::open(&format!("https://{site}"), PATIENCE)?));
    }
    let socket = TcpStream::connect(site.address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(Box::new(socket))
}

/// Asks until the answer is 200; a server that still loads its model answers something else.
fn ask(site: Site, head: &str, body: &str) -> Result<BufReader<Box<dyn Wire>>> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let mut socket = connect(site)?;
        let length = body.len();
        write!(
            socket,
            "{head} HTTP/1.1\r\nHost: {site}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
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
    bail!("{site}: no answer in {} s", PATIENCE.as_secs())
}

/// Waits until the server is healthy.
pub(crate) fn healthy(site: Site) -> Result<()> {
    text(site, "/health").map(drop)
}

/// Headers and body at a path.
pub(crate) fn text(site: Site, path: &str) -> Result<String> {
    let mut rest = String::new();
    ask(site, &format!("GET {path}"), "")?.read_to_string(&mut rest)?;
    Ok(rest)
}

/// Sends a streamed chat request; `tell` gets each piece of text when it arrives.
pub(crate) fn stream(site: Site, body: &Value, tell: &mut dyn FnMut(&str)) -> Result<()> {
    events(site, body, &mut |event| {
        if let Some(text) = event["choices"][0]["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
            tell(text);
        }
    })
}

fn events(site: Site, body: &Value, tell: &mut dyn FnMut(&Value)) -> Result<()> {
    for line in ask(site, "POST /v1/chat/completions", &body.to_string())?.lines() {
        let line = line?;
        let Some(event) = line.strip_prefix("data: ").filter(|event| event.starts_with('{')) else {
            continue;
        };
        tell(&serde_json::from_str(event).with_context(|| format!("event {event:?}"))?);
    }
    Ok(())
}

/// When each piece of the answer arrived.
pub(crate) fn arrivals(site: Site, body: &Value) -> Result<Vec<Instant>> {
    let mut arrivals = Vec::new();
    stream(site, body, &mut |_| arrivals.push(Instant::now()))?;
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
pub(crate) fn answer(site: Site, body: &Value) -> Result<Answer> {
    let mut body = body.clone();
    body["stream_options"] = json!({ "include_usage": true });
    let (mut arrivals, mut usage) = (Vec::new(), Value::Null);
    events(site, &body, &mut |event| {
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
