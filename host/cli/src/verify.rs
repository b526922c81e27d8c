//! `vial verify`: what sees the prompt, far away.

use core::time::Duration;
use serde::Serialize;
use std::path::PathBuf;
use vial_attest::{Bytes, Policy, Reference, Verdict, verify};
use vial_image::SealedImage;
use vial_weights::tree::Hex;

use crate::failure::{Failure, REFUSED};
use crate::http::get;
use crate::shape::Shape;
use crate::terminal::{json, print};
use crate::{measure, screen};

/// Longest wait for an appliance.
const PATIENCE: Duration = Duration::from_secs(20);
const EVIDENCE_MAX: u64 = 256 << 10;

/// Check that the appliance at an address is the expected one, and say what that proves and what not.
///
/// Exit code 0: accepted; 1: refused; 2: could not check.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its address: http://HOST:PORT
    url: String,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    shape: Shape,
    /// Accept the simulated root of trust, which proves nothing about hardware.
    #[arg(long)]
    allow_simulated: bool,
    /// Print the verdict as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Expected {
    /// Expect this image.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Expect these reference values (`vial measure` prints them).
    #[arg(long, value_name = "FILE")]
    measurements: Option<PathBuf>,
}

/// The verdict with what it was made against, as printed.
#[derive(Serialize)]
pub(crate) struct Output<'a> {
    pub(crate) url: &'a str,
    pub(crate) model: &'a str,
    /// The model that drafts for it, which sees the prompt too; `null` for none.
    pub(crate) draft_model: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) verdict: &'a Verdict,
    /// What acceptance does not prove.
    pub(crate) not_proven: &'a [&'a str],
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let reference = reference(args)?;
    let mut nonce = [0; 64];
    getrandom::fill(&mut nonce)
        .map_err(|error| Failure::new(format!("nonce: {error}"), "the system gives none"))?;
    let evidence = fetch(&args.url, &nonce)?;
    let hint = "is there an appliance behind this address?";
    let evidence = Bytes::parse(&evidence).map_err(|error| Failure::new(error.to_string(), hint))?;
    let policy = Policy { nonce, allow_simulated: args.allow_simulated, least_tcb: 0, vmpl: 0 };
    let verdict = verify(&evidence, &reference, &policy);
    show(args, &reference, &verdict);
    if verdict.accepted { Ok(()) } else { Err(Failure::new(String::new(), String::new()).with_code(REFUSED)) }
}

fn show(args: &Args, reference: &Reference, verdict: &Verdict) {
    let not_proven = screen::not_proven(verdict);
    let (model, draft_model) = (reference.model.as_str(), reference.draft_model.as_deref());
    let output = Output { url: &args.url, model, draft_model, verdict, not_proven: &not_proven };
    if args.json {
        print(&json(&output));
    } else {
        screen::lines(&output).iter().for_each(|line| print(line));
    }
}

fn reference(args: &Args) -> Result<Reference, Failure> {
    if let Some(image) = &args.expected.image {
        return measure::reference(&SealedImage::open(image)?, &args.shape);
    }
    let path = args.expected.measurements.clone().unwrap_or_default();
    let hint = "make it with `vial measure IMAGE > FILE`";
    let text =
        std::fs::read(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))?;
    Reference::parse(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))
}

fn fetch(url: &str, nonce: &[u8; 64]) -> Result<Vec<u8>, Failure> {
    let address = format!("{}/v1/attestation?nonce={}", url.trim_end_matches('/'), Hex(nonce));
    get(&address, PATIENCE, EVIDENCE_MAX)
}
