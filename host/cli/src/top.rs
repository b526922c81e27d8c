//! `vial top`: what an appliance is doing.

use core::time::Duration;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Instant;
use vial_client::Connection;

use crate::failure::Failure;
use crate::http::connect;
use crate::terminal::{Style, json, redraw};

/// Longest answer of `/metrics`.
const METRICS_MAX: u64 = 64 << 10;
/// Longest wait for it: a pass of a model that is streamed may take seconds.
const PATIENCE: Duration = Duration::from_secs(40);

/// Watch an appliance: tokens, passes, leaves checked, and what passes wait for. Ctrl-C stops.
///
/// Everything shown is the appliance's own word, over a channel to a key that nobody verified: `vial verify` says what it is.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its address: https://HOST:PORT
    #[arg(default_value = "https://127.0.0.1:8080")]
    url: String,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    interval: f64,
    /// Looks until it ends; for ever if not given.
    #[arg(long)]
    count: Option<u64>,
    /// Print each look as JSON, one a line.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.1..=3600.0).contains(number));
    number.ok_or_else(|| "expected 0.1 to 3600".to_owned())
}

/// Figures of `/metrics`, by name and labels.
struct Sample {
    at: Instant,
    figures: HashMap<String, f64>,
}

/// What was done between two samples, a second.
#[derive(Debug, PartialEq, Serialize)]
struct Look {
    is_healthy: bool,
    streams: f64,
    waiting: f64,
    answer_tokens_per_second: f64,
    passes_per_second: f64,
    /// Tokens of prompts and answers, and what was drafted.
    rows_per_pass: f64,
    checked_bytes_per_second: f64,
    checked_leaves_per_second: f64,
    /// Parts of the time that passes ran, and of all time.
    disk: f64,
    check: f64,
    compute: f64,
    busy: f64,
    window_bytes: f64,
    window_filled_bytes: f64,
    /// Experts that tokens chose, and the part of them that was in memory.
    experts_per_second: f64,
    experts_from_memory: f64,
    kv_pages: f64,
    kv_free_pages: f64,
    planned_memory_bytes: f64,
    peak_memory_bytes: f64,
    drafted_tokens_per_second: f64,
    right_drafted_tokens_per_second: f64,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut connection = connect(&args.url, PATIENCE)?;
    let mut before = sample(&args.url, &mut connection)?;
    let mut lines = 0;
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        std::thread::sleep(Duration::from_secs_f64(args.interval));
        let now = sample(&args.url, &mut connection)?;
        let look = Look::between(&before, &now);
        let shown = if args.json { vec![json(&look)] } else { look.lines(&args.url) };
        match redraw(&shown, if args.json { 0 } else { lines }) {
            Some(drawn) => lines = drawn,
            None => return Ok(()),
        }
        before = now;
    }
    Ok(())
}

fn sample(url: &str, connection: &mut Connection) -> Result<Sample, Failure> {
    let text = connection.get("/metrics", METRICS_MAX)?;
    let at = Instant::now();
    let figures = figures(&String::from_utf8_lossy(&text));
    let hint = "is there an appliance of this version behind this address?";
    let missing = || Failure::new(format!("{url}: found no vial_passes_total in its metrics"), hint);
    if figures.contains_key("vial_passes_total") { Ok(Sample { at, figures }) } else { Err(missing()) }
}

/// Spec: Prometheus text format 0.0.4, as far as we write it: no spaces in labels, no timestamps.
fn figures(text: &str) -> HashMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

impl Sample {
    fn of(&self, name: &str) -> f64 {
        self.figures.get(name).copied().unwrap_or(0.0)
    }
}

impl Look {
    fn between(before: &Sample, now: &Sample) -> Self {
        let seconds = now.at.duration_since(before.at).as_secs_f64().max(1e-3);
        let more = |name: &str| (now.of(name) - before.of(name)).max(0.0);
        let rate = |name: &str| more(name) / seconds;
        let part = |part: &str| more(&format!("vial_pass_seconds_total{{in=\"{part}\"}}"));
        let by = |name: &str| {
            ["lookup", "model"].map(|by| rate(&format!("vial_{name}_total{{by=\"{by}\"}}"))).iter().sum()
        };
        let [near, far] =
            ["memory", "disk"].map(|from| more(&format!("vial_experts_total{{from=\"{from}\"}}")));
        let [disk, check, compute] = ["disk", "check", "compute"].map(part);
        let in_passes = (disk + check + compute).max(1e-9);
        let passes = more("vial_passes_total");
        let rows = more("vial_pass_rows_total");
        Self {
            is_healthy: now.of("vial_healthy") > 0.0,
            streams: now.of("vial_streams"),
            waiting: now.of("vial_waiting_requests"),
            answer_tokens_per_second: rate("vial_told_tokens_total"),
            passes_per_second: passes / seconds,
            rows_per_pass: if passes > 0.0 { rows / passes } else { 0.0 },
            checked_bytes_per_second: rate("vial_checked_weights_bytes_total"),
            checked_leaves_per_second: rate("vial_checked_leaves_total"),
            disk: disk / in_passes,
            check: check / in_passes,
            compute: compute / in_passes,
            busy: ((disk + check + compute) / seconds).min(1.0),
            window_bytes: now.of("vial_window_bytes"),
            window_filled_bytes: now.of("vial_window_filled_bytes"),
            experts_per_second: (near + far) / seconds,
            experts_from_memory: near / (near + far).max(1.0),
            kv_pages: now.of("vial_kv_pages"),
            kv_free_pages: now.of("vial_kv_free_pages"),
            planned_memory_bytes: now.of("vial_planned_memory_bytes"),
            peak_memory_bytes: now.of("vial_peak_memory_bytes"),
            drafted_tokens_per_second: by("drafted_tokens"),
            right_drafted_tokens_per_second: by("right_drafted_tokens"),
        }
    }

    fn lines(&self, url: &str) -> Vec<String> {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let health =
            if self.is_healthy { Style::Good.paint("healthy") } else { Style::Bad.paint("UNHEALTHY") };
        let window = match self.window_bytes > 0.0 {
            true => format!("; window {} full", bar(self.window_filled_bytes / self.window_bytes)),
            false => String::new(),
        };
        let mut lines = vec![
            format!("{url}  {health}  {} answered, {} waiting", self.streams, self.waiting),
            format!("tokens   {:8.1} a second of answers", self.answer_tokens_per_second),
            format!("passes   {:8.2} a second, of {:.1} tokens", self.passes_per_second, self.rows_per_pass),
            format!(
                "drafts   {:8.1} tokens a second, {:.1} of them right",
                self.drafted_tokens_per_second, self.right_drafted_tokens_per_second
            ),
            format!(
                "weights  {:8.1} MiB a second, {:.0} leaves checked{window}",
                mib(self.checked_bytes_per_second),
                self.checked_leaves_per_second
            ),
            format!(
                "time     {} busy: disk {:.0} %, check {:.0} %, compute {:.0} %",
                bar(self.busy),
                100.0 * self.disk,
                100.0 * self.check,
                100.0 * self.compute
            ),
            format!(
                "KV cache {} of {} pages",
                bar((self.kv_pages - self.kv_free_pages) / self.kv_pages.max(1.0)),
                self.kv_pages
            ),
            format!(
                "memory   {} at most so far, {:.1} of {:.1} MiB planned",
                bar(self.peak_memory_bytes / self.planned_memory_bytes.max(1.0)),
                mib(self.peak_memory_bytes),
                mib(self.planned_memory_bytes)
            ),
        ];
        if self.experts_per_second > 0.0 {
            let (all, near) = (self.experts_per_second, 100.0 * self.experts_from_memory);
            lines.push(format!("experts  {all:8.0} a second, {near:.0} % of them in memory"));
        }
        lines
    }
}

/// A part of one as ten characters.
fn bar(part: f64) -> String {
    let full = (0..10).filter(|tenth| part * 10.0 > f64::from(*tenth) + 0.5).count();
    "#".repeat(full) + &".".repeat(10 - full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: u64, text: &str) -> Sample {
        let start = Instant::now();
        Sample { at: start + Duration::from_secs(seconds), figures: figures(text) }
    }

    #[test]
    fn what_lies_between_two_looks_is_told_by_the_second() {
        let before =
            sample(0, "# TYPE vial_passes_total counter\nvial_passes_total 10\nvial_told_tokens_total 5\n");
        let now = sample(
            2,
            "vial_healthy 1\nvial_passes_total 14\nvial_told_tokens_total 9\nvial_pass_rows_total 8\n\
             vial_pass_seconds_total{in=\"disk\"} 0.250000000\n\
             vial_experts_total{from=\"memory\"} 3\nvial_experts_total{from=\"disk\"} 9\n\
             vial_pass_seconds_total{in=\"compute\"} 0.75\nvial_checked_weights_bytes_total 2097152\n",
        );
        let look = Look::between(&before, &now);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.01, "{found}: {look:?}");
        assert!(look.is_healthy);
        near(look.passes_per_second, 2.0);
        near(look.rows_per_pass, 2.0);
        near(look.answer_tokens_per_second, 2.0);
        near(look.disk, 0.25);
        near(look.busy, 0.5);
        let lines = look.lines("https://x").join("\n");
        assert!(lines.contains("6 a second, 25 % of them in memory"), "{lines}");
        assert!(lines.contains("1.0 MiB a second") && lines.contains("disk 25 %, check 0 %"), "{lines}");
    }

    #[test]
    fn nothing_done_is_no_number_out_of_range() {
        let look = Look::between(&sample(0, ""), &sample(0, ""));
        assert!(!look.is_healthy && look.rows_per_pass == 0.0 && look.disk == 0.0);
        assert!(!look.lines("").join("").contains("NaN"));
    }

    #[test]
    fn bars_are_as_long_as_their_part() {
        assert_eq!(
            (bar(0.0), bar(0.5), bar(7.0)),
            ("..........".into(), "#####.....".into(), "##########".into())
        );
    }
}
