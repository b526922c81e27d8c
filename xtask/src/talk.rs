//! A chat request whose answer is printed as it comes.

use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Instant;

/// Asks `question` and prints the answer, then its speed.
pub(crate) fn stream(address: &str, question: &str) -> Result<()> {
    let started = Instant::now();
    let mut socket = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    let messages = format!(r#"[{{"role":"user","content":"{question}"}}]"#);
    let body = format!(r#"{{"messages":{messages},"temperature":0,"max_tokens":96,"stream":true}}"#);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes())?;
    let (mut tokens, mut first) = (0_u32, None);
    for line in BufReader::new(socket).lines() {
        let Some(text) = content(&line?) else { continue };
        first.get_or_insert_with(|| started.elapsed());
        tokens += 1;
        print!("{text}");
        std::io::stdout().flush()?;
    }
    let first = first.context("the appliance answered nothing")?;
    let rate = f64::from(tokens - 1) / (started.elapsed() - first).as_secs_f64();
    println!(
        "\n\n   first token after {:.0} ms, then {rate:.0} tokens per second",
        first.as_secs_f64() * 1000.0
    );
    Ok(())
}

/// The text of one event; JSON's escapes for line breaks and quotes are undone.
fn content(line: &str) -> Option<String> {
    let (_, rest) = line.strip_prefix("data: ")?.split_once(r#""content":""#)?;
    let end = rest.find(r#""}"#)?;
    let text = rest.get(..end)?.replace("\\n", "\n").replace("\\\"", "\"");
    (!text.is_empty()).then_some(text)
}
