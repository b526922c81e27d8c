//! Prefill and decode of generated models in the appliance, beside the same engine as a process and the peer.

use super::Bench;
use super::engine::{Choice, Found, Who, better, generated, measure, ratio};
use super::lasting::{About, Lasting};
use super::start::{Server, vial_run};
use super::table::median;
use crate::client::{self, Answer, Site};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::time::Instant;

const FORMATS: [&str; 5] = ["Q4_0", "Q4_1", "Q4_K_M", "Q8_0", "F16"];
const COLUMNS: [&str; 12] = [
    "model",
    "cpus",
    "decode in the guest, tokens/s",
    "`vial bench`, a process",
    "guest / it",
    "llama.cpp",
    "guest / it",
    "prefill in the guest, tokens/s",
    "`vial bench`, a process",
    "guest / it",
    "llama.cpp",
    "guest / it",
];
/// Memory of the guest besides the file.
const BESIDES: u64 = 1 << 30;
/// Tokens that the template puts around a question.
const AROUND: u32 = 24;

/// Measures every model in turn; each shape has a table of its own.
pub(super) fn run(bench: &Bench, choice: &Choice) -> Result<()> {
    choice.shape.iter().try_for_each(|shape| table(bench, choice, shape))
}

fn table(bench: &Bench, choice: &Choice, shape: &str) -> Result<()> {
    let command = bench.again("guest") + &format!(" --shape {shape}") + &choice.lengths();
    let title = format!("The engine in the appliance: {shape}");
    let heading = format!("Prompt of about {}, decode of {}", choice.prompt, choice.tokens);
    let about = About {
        name: &format!("guest-{shape}"),
        title: &title,
        command: &command,
        heading: &heading,
        columns: &COLUMNS,
        keys: 2,
        runs: bench.runs,
        commit: &bench.commit,
    };
    let mut table = Lasting::open(&about)?;
    for format in &choice.formats(&FORMATS) {
        let model = generated(shape, format)?;
        let folder = tempfile::tempdir()?;
        let image = folder.path().join("model.img");
        bench.seal(&model, &image)?;
        for cpus in &choice.threads {
            let name = format!("{shape} {format}");
            table.put(row(bench, choice, [&model, &image], [&name, cpus])?)?;
        }
    }
    table.finish();
    Ok(())
}

/// Each run takes all of them in turn.
fn row(
    bench: &Bench,
    choice: &Choice,
    [model, image]: [&Path; 2],
    [name, cpus]: [&String; 2],
) -> Result<Vec<String>> {
    let (mut guest, mut process, mut peers) =
        (Found::default(), Found::default(), [Found::default(), Found::default()]);
    for run in 0..bench.runs {
        in_guest(bench, choice, image, (cpus, run), &mut guest)?;
        measure(bench, choice, model, cpus, Who::Vial, &mut process)?;
        for (repacks, found) in [true, false].into_iter().zip(&mut peers) {
            measure(bench, choice, model, cpus, Who::LlamaCpp { repacks }, found)?;
        }
    }
    let mut cells = vec![name.clone(), cpus.clone()];
    let [decode, prefill]: [fn(&Found) -> &[f64]; 2] = [|found| &found.decode, |found| &found.prefill];
    for of in [decode, prefill] {
        let (own, process, peer) = (median(of(&guest)), median(of(&process)), better(&peers, of));
        cells.push(format!("{own:.1}"));
        for other in [process, peer] {
            cells.extend([format!("{other:.1}"), ratio(own, other)]);
        }
    }
    Ok(cells)
}

/// One boot: an answer that fills caches, then the one that counts.
fn in_guest(
    bench: &Bench,
    choice: &Choice,
    image: &Path,
    (cpus, run): (&str, usize),
    found: &mut Found,
) -> Result<()> {
    let (site, bytes) = (Site::free()?, std::fs::metadata(image)?.len());
    let mut command = vial_run(bench, image, site);
    command.args(["--cpus", cpus, "--memory", &(bytes + BESIDES).next_multiple_of(1 << 21).to_string()]);
    let _server = Server(command.spawn()?);
    client::healthy(site)?;
    let count = choice.prompt.saturating_sub(AROUND).max(1) as usize;
    let ask = |run| client::answer(site, &client::chat(&letters(count, run), choice.tokens));
    ask(run + 1)?;
    let started = Instant::now();
    let answer = ask(run)?;
    let [prefill, decode] = rates(&answer, started)?;
    found.prefill.push(prefill);
    found.decode.push(decode);
    Ok(())
}

/// Tokens of the prompt until the first of the answer, and tokens of the answer after it, per second.
#[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
fn rates(Answer { arrivals, prompt_tokens, tokens }: &Answer, started: Instant) -> Result<[f64; 2]> {
    let (first, last) = arrivals.first().zip(arrivals.last()).context("no text")?;
    ensure!(*tokens > 1 && last > first, "an answer of {tokens} tokens");
    let prefill = *prompt_tokens as f64 / (*first - started).as_secs_f64();
    Ok([prefill, (*tokens - 1) as f64 / (*last - *first).as_secs_f64()])
}

/// Letters that are a token each, in another order each run: what was read before need not be read again.
fn letters(count: usize, run: usize) -> String {
    const LETTERS: &[u8] = b"abcdefgijklmnopqrsuvwxyz";
    let letter = |at: usize| char::from(LETTERS[(at * 7 + at * at % 11 + run * 5) % LETTERS.len()]);
    (0..count).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn prompts_of_two_runs_differ_from_their_first_letter() {
        let [first, second] = [0, 1].map(|run| letters(200, run));
        assert_eq!((first.len(), second.len()), (200, 200));
        assert_ne!(first.as_bytes()[0], second.as_bytes()[0]);
    }

    #[test]
    fn the_first_token_ends_the_prompt_and_begins_decoding() {
        let started = Instant::now();
        let at = |ms| started + Duration::from_millis(ms);
        let answer = Answer { arrivals: vec![at(500), at(600), at(1500)], prompt_tokens: 100, tokens: 5 };
        let [prefill, decode] = rates(&answer, started).unwrap();
        assert!((prefill - 200.0).abs() < 1e-6 && (decode - 4.0).abs() < 1e-6);
        rates(&Answer { arrivals: vec![at(1)], prompt_tokens: 1, tokens: 1 }, started).unwrap_err();
    }
}
