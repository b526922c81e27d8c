//! `vial verify`: what sees the prompt, far away.

mod expected;
mod explain;
mod failed;
pub(crate) mod files;
mod judge;
mod screen;
mod subject;

use std::path::PathBuf;
use vial_attest::Shown;

use crate::failure::{Failure, REFUSED};
use crate::page;
use crate::publish::publish;
use crate::terminal::{json, print};

pub(crate) use expected::Expected;
pub(crate) use files::read;
pub(crate) use judge::{Appraised, Judge, receipt_question};

/// Check what an appliance far away is, or what a report proves
///
/// Says what it proves and what not. Exit code 0: accepted; 1: refused; 2: could not check.
///
/// The policy states every field that is compared. What no file states comes from the image or its reference values, and then
/// from a profile; `--explain all` lists the fields, and what each profile says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    collateral: Collateral,
    /// Print the verdict as JSON, in the form of EAR (draft-ietf-rats-ear) with every check.
    #[arg(long)]
    json: bool,
    /// Also write a page that holds the verifier and what was judged, for who has a browser only: it judges anew, offline.
    #[arg(long, value_name = "FILE", conflicts_with = "explain")]
    html: Option<PathBuf>,
    /// Also write the evidence that was judged, for receipts: `vial receipt verify --evidence FILE`.
    #[arg(long, value_name = "FILE", requires = "url")]
    save: Option<PathBuf>,
}

/// What is verified.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// An appliance's address: https://HOST:PORT
    url: Option<String>,
    /// Evidence that was stored: what an appliance answered to /v1/attestation.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// A report alone, of whatever machine: the bytes of SEV-SNP's, a quote of TDX, Azure's HCL report, a chain of
    /// DICE with a statement (CBOR), or a TPM's quote as JSON (message, signature, the 24 pcrs of SHA-256, and the key, as hex).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "measurements"])]
    report: Option<PathBuf>,
    /// Say what a field of the policy is for, or `all`.
    #[arg(long, value_name = "FIELD")]
    explain: Option<String>,
}

/// What came with a report.
#[derive(clap::Args)]
struct Collateral {
    /// The TPM's quote that goes with Azure's report, as JSON.
    #[arg(long, value_name = "FILE", requires = "report")]
    tpm_quote: Option<PathBuf>,
    /// The quote of TDX that goes with Azure's report.
    #[arg(long, value_name = "FILE", requires = "report")]
    td_quote: Option<PathBuf>,
    /// The event log that must lead to the registers which --report signs (TCG2, CCEL).
    #[arg(long, value_name = "FILE", requires = "report")]
    event_log: Option<PathBuf>,
    /// What --report must bind, as hex; without it the policy must not ask for freshness.
    #[arg(long, value_name = "HEX", requires = "report")]
    report_data: Option<String>,
    #[command(flatten)]
    makers: Makers,
}

/// What the makers of processors sign, and the time.
#[derive(clap::Args)]
pub(crate) struct Makers {
    /// Certificates of SEV-SNP, PEM or DER: the chip's (VCEK) or the cloud's (VLEK), of --report, or of an appliance whose host
    /// adds none.
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,
    /// Intel's collateral, as JSON; no quote of TDX is authentic without.
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,
    /// Revocation lists of AMD's, DER.
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// Judge as of this time, as 2026-06-20T00:00:00Z, instead of now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl Appraised {
    /// The one screen, for people.
    pub(crate) fn screen(&self) -> Vec<String> {
        screen::lines(&self.answer)
    }
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(field) = &args.subject.explain {
        return explain::run(field);
    }
    let Appraised { question, answer } = subject::appraise(&args.subject, &args.expected, &args.collateral)?;
    if let Some(path) = &args.html {
        page::write(path, &question)?;
    }
    if let Some((path, Shown::Appliance { evidence, .. })) = args.save.as_deref().zip(question.shown.as_ref())
    {
        publish(path, evidence)?;
    }
    if args.json {
        print(&json(&answer));
    } else {
        screen::lines(&answer).iter().for_each(|line| print(line));
    }
    if answer.verdict.accepted {
        return Ok(());
    }
    Err(Failure::new(String::new(), String::new()).with_code(REFUSED))
}
