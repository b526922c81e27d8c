//! Models larger than memory: weights read and checked in every pass, beside the disk alone and peers in as little memory.

use super::cgroup::{Cgroup, forget_files, remember};
use super::decode::json;
use super::engine::{Choice, generated, ratio};
use super::lasting::{About, Lasting};
use super::start::{Server, vial_run};
use super::table::median;
use super::{Bench, example};
use crate::client::{self, Answer, Site};
use anyhow::{Context as _, Result};
use serde_json::{Value, json as object};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const COLUMNS: [&str; 14] = [
    "model",
    "memory, MiB",
    "disk alone, GB/s",
    "weights read and checked, GB/s",
    "of the disk",
    "pass waits for the disk, %",
    "copies and checks, %",
    "computes, %",
    "decode, tokens/s",
    "8 streams together",
    "8 / 1",
    "prompt of 128 / one pass",
    "llama.cpp, mmap, as much memory, tokens/s",
    "ratio",
];
const STREAMS: u64 = 8;
/// Letters of the long prompt: with the template's about 128 tokens.
const LETTERS: usize = 104;
/// Seconds that the disk alone is read.
const SECONDS: &str = "4";

/// Measures every model in turn, in as much memory as is asked for.
pub(super) fn run(bench: &Bench, choice: &Choice) -> Result<()> {
    let command = bench.again("streaming") + &format!(" --tokens {}", choice.tokens) + way(choice);
    let (name, title, heading) = match choice.cache {
        false => (
            "streaming",
            "Models larger than memory",
            "Context of 1024, 2 cpus, image past the host's page cache; one request, chosen by chance, unless said",
        ),
        true => (
            "streaming-cache",
            "Models larger than memory, in the host's page cache",
            "Context of 1024, 2 cpus, image and the peer's file in the host's page cache; one request, chosen by chance, unless said",
        ),
    };
    let about = About {
        name,
        title,
        command: &command,
        heading,
        columns: &COLUMNS,
        keys: 2,
        runs: bench.runs,
        commit: &bench.commit,
    };
    let mut table = Lasting::open(&about)?;
    for shape in &choice.shape {
        for format in &choice.formats(&["Q4_K_M"]) {
            let (folder, model) = (tempfile::tempdir()?, generated(shape, format)?);
            let image = folder.path().join("model.img");
            seal(bench, &model, &image)?;
            for memory in &choice.memory {
                table.put(row(bench, choice, [&model, &image], (&format!("{shape} {format}"), *memory))?)?;
            }
        }
    }
    table.finish();
    Ok(())
}

/// How a disk is read, as this command's flag says it.
fn way(choice: &Choice) -> &'static str {
    if choice.cache { " --cache" } else { "" }
}

fn seal(bench: &Bench, model: &Path, image: &Path) -> Result<()> {
    let mut build = Command::new(&bench.vial);
    build.arg("build").arg(model).arg("-o").arg(image);
    crate::step::run("seal", build.args(["--max-context", "1024", "--max-streams", &STREAMS.to_string()]))
}

/// What one boot gave.
#[derive(Default)]
struct Found {
    disk: Vec<f64>,
    read: Vec<f64>,
    shares: [Vec<f64>; 3],
    decode: Vec<f64>,
    together: Vec<f64>,
    prompt: Vec<f64>,
    peer: [Vec<f64>; 2],
}

fn row(
    bench: &Bench,
    choice: &Choice,
    [model, image]: [&Path; 2],
    (name, memory): (&str, u64),
) -> Result<Vec<String>> {
    let mut found = Found::default();
    for _ in 0..bench.runs {
        if choice.cache {
            remember(image)?;
        }
        found.disk.push(disk(choice, image)?);
        boot(bench, choice, image, memory, &mut found)?;
        // Again, since disks of shared machines are not the same for long; of two the faster counts.
        found.disk.push(disk(choice, image)?);
        for (threads, rates) in ["1", "2"].into_iter().zip(&mut found.peer) {
            let ready = if choice.cache { remember(model) } else { forget_files() };
            rates.extend(peer(bench, ready, model, (threads, memory))?);
        }
    }
    let Found { disk, read, shares, decode, together, prompt, peer } = &found;
    let [disk, read, decode, together] = [disk, read, decode, together].map(|numbers| median(numbers));
    let peer = peer.iter().map(|rates| median(rates)).fold(0.0, f64::max);
    let mut cells = vec![name.to_owned(), memory.to_string()];
    cells.extend([disk / 1e9, read / 1e9, read / disk].map(|number| format!("{number:.2}")));
    cells.extend(shares.iter().map(|shares| format!("{:.0}", 100.0 * median(shares))));
    cells.extend([decode, together, together / decode, median(prompt)].map(|number| format!("{number:.2}")));
    cells.extend([if peer > 0.0 { format!("{peer:.2}") } else { String::new() }, ratio(decode, peer)]);
    Ok(cells)
}

/// Bytes a second of the disk alone, by the VMM's own reads.
fn disk(choice: &Choice, image: &Path) -> Result<f64> {
    let way = if choice.cache { "cached" } else { "direct" };
    let of = json(Command::new(example("vial-vmm", "direct_read")?).arg(image).args([SECONDS, way]))?;
    of["bytes_per_second"].as_f64().with_context(|| format!("no rate in {of}"))
}

/// One appliance: one request, the same by eight clients, and a long prompt.
fn boot(bench: &Bench, choice: &Choice, image: &Path, memory: u64, found: &mut Found) -> Result<()> {
    let site = Site::free()?;
    let mut command = vial_run(bench, image, site);
    command.args(["--cpus", "2", "--memory", &format!("{memory}M")]).args(choice.cache.then_some("--cache"));
    let _server = Server(command.spawn()?);
    client::healthy(site)?;
    // Weights that stay come with the first pass.
    client::answer(site, &by_chance("a", 2, 0))?;
    let before = Sums::of(site)?;
    let answer = client::answer(site, &by_chance("b", choice.tokens, 1))?;
    let sums = Sums::of(site)?.since(&before);
    let all: f64 = sums.seconds.iter().sum();
    found.read.push(sums.bytes / all);
    for (share, seconds) in found.shares.iter_mut().zip(sums.seconds) {
        share.push(seconds / all);
    }
    let decode = decode(&answer)?;
    found.decode.push(decode);
    found.together.push(together(site, choice.tokens)?);
    let started = Instant::now();
    let letters: String = ('a'..='z').cycle().take(LETTERS).collect();
    let answer = client::answer(site, &by_chance(&letters, 1, 2))?;
    let first = answer.arrivals.first().context("no text came")?;
    found.prompt.push((*first - started).as_secs_f64() * decode);
    Ok(())
}

/// A chat that does not repeat itself: nothing is looked up, each pass gives one token.
fn by_chance(question: &str, tokens: u32, seed: u64) -> Value {
    let mut body = client::chat(question, tokens);
    (body["temperature"], body["seed"]) = (object!(1), object!(seed));
    body
}

/// Tokens a second behind the first.
#[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
fn decode(Answer { arrivals, tokens, .. }: &Answer) -> Result<f64> {
    let (first, last) = arrivals.first().zip(arrivals.last()).context("no text came")?;
    Ok((*tokens - 1) as f64 / (*last - *first).as_secs_f64())
}

/// Tokens a second of eight requests that begin at once, behind the first token of the last.
#[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
fn together(site: Site, tokens: u32) -> Result<f64> {
    let ask = |seed| move || client::answer(site, &by_chance("c", tokens, seed));
    let answers = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..STREAMS).map(|seed| scope.spawn(ask(seed))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().ok().context("a client ended")?);
        joined.collect::<Result<Vec<Answer>>>()
    })?;
    let begin = answers.iter().filter_map(|answer| answer.arrivals.first()).max().context("no text came")?;
    let end = answers.iter().filter_map(|answer| answer.arrivals.last()).min().context("no text came")?;
    let between = |answer: &Answer| answer.arrivals.iter().filter(|at| (begin < *at) && (*at <= end)).count();
    let count: usize = answers.iter().map(between).sum();
    Ok(count as f64 / end.saturating_duration_since(*begin).as_secs_f64().max(1e-9))
}

/// What passes of an appliance did since its start.
struct Sums {
    bytes: f64,
    /// For the disk, for checking, for computing.
    seconds: [f64; 3],
}

impl Sums {
    fn of(site: Site) -> Result<Self> {
        let text = client::text(site, "/metrics")?;
        let of = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(|value| value.parse::<f64>().ok()).with_context(|| format!("{name} in metrics"))
        };
        let seconds = |part: &str| of(&format!("vial_pass_seconds_total{{in=\"{part}\"}}"));
        Ok(Self {
            bytes: of("vial_checked_weights_bytes_total")?,
            seconds: [seconds("disk")?, seconds("check")?, seconds("compute")?],
        })
    }

    fn since(&self, before: &Self) -> Self {
        let [disk, check, compute] = self.seconds;
        let [disk_before, check_before, compute_before] = before.seconds;
        Self {
            bytes: self.bytes - before.bytes,
            seconds: [disk - disk_before, check - check_before, compute - compute_before],
        }
    }
}

/// Tokens a second of the peer with the file mapped, as it lies, in as much memory; `None` where it is not measured.
fn peer(
    bench: &Bench,
    ready: Result<()>,
    model: &Path,
    (threads, memory): (&str, u64),
) -> Result<Option<f64>> {
    let Some(peer) = &bench.peer else { return Ok(None) };
    let group = match ready.and_then(|()| Cgroup::new(memory << 20)) {
        Ok(group) => group,
        Err(error) => {
            println!("llama.cpp is not measured: {error:#}");
            return Ok(None);
        }
    };
    let mut command = Command::new(peer.program("llama-bench"));
    command.arg("-m").arg(model).args(["-t", threads, "-p", "0", "-n", "4", "-r", "1", "-o", "json"]);
    command.args(["--load-mode", "mmap", "--repack", "0", "--no-warmup"]);
    let of = json(&mut group.run(&command))?;
    Ok(of[0]["avg_ts"].as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_what_came_between() {
        let before = Sums { bytes: 10.0, seconds: [1.0, 2.0, 3.0] };
        let after = Sums { bytes: 14.0, seconds: [1.5, 2.0, 4.0] };
        let Sums { bytes, seconds } = after.since(&before);
        assert!((bytes - 4.0).abs() < 1e-9 && seconds == [0.5, 0.0, 1.0]);
    }
}
