//! What the bound channel costs: handshakes, evidence, `vial connect` between, and receipts.

use super::Bench;
use super::start::{Server, vial_run};
use super::table::{Report, median, spread};
use crate::client::{self, Site};
use anyhow::{Context as _, Result};
use core::time::Duration;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use vial_client::{Connection, write_request};

const PATIENCE: Duration = Duration::from_secs(60);
/// Of each kind in a run.
const TRIES: usize = 20;
/// Tokens of an answer whose receipt is measured.
const TOKENS: u32 = 256;

/// Measures all of it on the quick-start appliance.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("model.img");
    bench.seal(&bench.model, &image)?;
    let site = Site::free()?;
    let appliance = Server(vial_run(bench, &image, site).spawn()?);
    client::healthy(site)?;
    let (gateway, local) = connect(bench, &image, site)?;
    let mut report = bench.report("channel", "The bound channel, one client on the same machine");
    opening(bench, site, &mut report)?;
    between(bench, site, local, &mut report)?;
    receipts(bench, site, &mut report)?;
    drop((gateway, appliance));
    report.finish(&bench.command("channel"))
}

/// `vial connect`, and where it listens.
fn connect(bench: &Bench, image: &Path, site: Site) -> Result<(Server, String)> {
    let mut command = Command::new(&bench.vial);
    command
        .args(["connect", &format!("https://{site}"), "--allow-simulated", "--json", "--image"])
        .arg(image);
    command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut gateway = Server(command.spawn().context("start vial connect")?);
    let mut line = String::new();
    BufReader::new(gateway.0.stdout.take().context("no output")?).read_line(&mut line)?;
    let opened: Value = serde_json::from_str(&line).with_context(|| format!("event {line:?}"))?;
    Ok((gateway, opened["address"].as_str().context("not open")?.to_owned()))
}

/// Milliseconds of something, so many times.
fn times(count: usize, mut once: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for _ in 0..count {
        let started = Instant::now();
        once()?;
        all.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(all)
}

fn opening(bench: &Bench, site: Site, report: &mut Report) -> Result<()> {
    let (url, count) = (format!("https://{site}"), bench.runs * TRIES);
    let target = format!("/v1/attestation?nonce={}", "5a".repeat(64));
    let handshakes = times(count, || {
        drop(Connection::open(&url, PATIENCE)?);
        Ok(())
    })?;
    let mut connection = Connection::open(&url, PATIENCE)?;
    let evidence = times(count, || {
        drop(connection.get(&target, 1 << 20)?);
        Ok(())
    })?;
    let health = times(count, || {
        drop(connection.get("/health", 1 << 20)?);
        Ok(())
    })?;
    let rows = [
        ("TCP, handshake and certificate with evidence, both sides", handshakes, "under 20 ms"),
        ("fresh evidence over a nonce, on that connection", evidence, ""),
        ("an answer without computing, on that connection", health, ""),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|(what, times, wanted)| vec![(*what).to_owned(), spread(times, "ms"), (*wanted).to_owned()])
        .collect();
    report.table("Opening", &["what", "median (range)", "wanted"], &rows);
    Ok(())
}

/// Sends a request for a stream and waits for its end.
fn answered(wire: &mut (impl Read + Write), body: &[u8]) -> Result<()> {
    write_request(wire, "POST", "/v1/chat/completions", Some(body))?;
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while !heard.ends_with(b"0\r\n\r\n") {
        let read = wire.read(&mut piece)?;
        anyhow::ensure!(read > 0, "the connection ended");
        heard.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    Ok(())
}

/// The same short answers straight and through `vial connect`, in turn, on connections that are open.
fn between(bench: &Bench, site: Site, local: String, report: &mut Report) -> Result<()> {
    let body = client::chat("Hi", 1).to_string();
    let mut straight = Connection::open(&format!("https://{site}"), PATIENCE)?;
    let mut through = TcpStream::connect(local)?;
    through.set_nodelay(true)?;
    let (mut direct, mut passed) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs * TRIES {
        direct.extend(times(1, || answered(&mut straight, body.as_bytes()))?);
        passed.extend(times(1, || answered(&mut through, body.as_bytes()))?);
    }
    let added = median(&passed) - median(&direct);
    let rows = vec![
        vec!["straight to the appliance".to_owned(), spread(&direct, "ms"), String::new()],
        vec!["through `vial connect`".to_owned(), spread(&passed, "ms"), String::new()],
        vec!["added".to_owned(), format!("{added:.2} ms"), "under 1 ms".to_owned()],
    ];
    report.table("An answer of one token, streamed", &["how", "median (range)", "wanted"], &rows);
    Ok(())
}

fn receipts(bench: &Bench, site: Site, report: &mut Report) -> Result<()> {
    let url = format!("https://{site}");
    let mut connection = Connection::open(&url, PATIENCE)?;
    let body = |receipt: bool| {
        let mut body = client::chat("Tell me a long story about a ship.", TOKENS);
        body["receipt"] = json!(receipt);
        body["seed"] = json!(1);
        body.to_string()
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        without.extend(times(1, || answered(&mut connection, body(false).as_bytes()))?);
        with.extend(times(1, || answered(&mut connection, body(true).as_bytes()))?);
    }
    let ratio = median(&with) / median(&without);
    let rows = vec![
        vec!["without".to_owned(), spread(&without, "ms"), String::new()],
        vec!["with a receipt".to_owned(), spread(&with, "ms"), String::new()],
        vec!["ratio".to_owned(), format!("{ratio:.4}"), "at most 1.01".to_owned()],
    ];
    report.table(
        &format!("An answer of {TOKENS} tokens, streamed"),
        &["receipt", "median (range)", "wanted"],
        &rows,
    );
    Ok(())
}
