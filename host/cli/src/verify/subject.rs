//! What is verified: an appliance, evidence that was stored, or a report alone.

use core::time::Duration;
use std::path::Path;
use std::time::SystemTime;
use vial_attest::{Hexed, Question, Report, Shown};

use super::failed::{Files, INTEL_HINT, TPM_HINT};
use super::files::{certificates, hexed, text};
use super::judge::{Appraised, Judge};
use super::{Collateral, Expected, Makers, Subject};
use crate::failure::Failure;
use crate::http::connect;

/// Longest wait for an appliance.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the verdict.
pub(super) fn appraise(
    subject: &Subject,
    expected: &Expected,
    collateral: &Collateral,
) -> Result<Appraised, Failure> {
    let makers = &collateral.makers;
    if let Some(url) = &subject.url {
        return Judge::new(expected, makers)?.judge(url, &mut connect(url, PATIENCE)?);
    }
    let (report_path, tpm_quote) = (subject.report.as_deref(), collateral.tpm_quote.as_deref());
    let files = Files { report: report_path, tpm_quote, ..Files::of(expected, makers) };
    let (base, clock) = base(expected, makers)?;
    let question = match (&subject.evidence, &subject.report) {
        (Some(path), _) => about(path, base, stored(path)?),
        (_, Some(path)) => about(path, base, report(path, collateral)?),
        _ => base,
    };
    let answer = question.answer(clock).map_err(|error| files.failure(&error))?;
    Ok(Appraised { question, answer })
}

/// A question about nothing yet, and the clock.
pub(super) fn base(expected: &Expected, makers: &Makers) -> Result<(Question, u64), Failure> {
    let clock = clock()?;
    Ok((trusting(Question { asked: Some(clock), ..expected.question()? }, makers)?, clock))
}

fn about(path: &Path, base: Question, shown: Shown) -> Question {
    Question { subject: path.display().to_string(), shown: Some(shown), ..base }
}

fn stored(path: &Path) -> Result<Shown, Failure> {
    let evidence = text(path, "what an appliance answered to /v1/attestation?nonce=...")?;
    Ok(Shown::Appliance { evidence, nonce: None, key: None })
}

fn report(path: &Path, collateral: &Collateral) -> Result<Shown, Failure> {
    let file =
        |path: &Option<std::path::PathBuf>, hint| path.as_deref().map(|path| hexed(path, hint)).transpose();
    Ok(Shown::Report(Report {
        bytes: hexed(
            path,
            "a report of SEV-SNP (1184 bytes), a quote, Azure's HCL report, or a TPM's quote in JSON",
        )?,
        certificates: certificates(&collateral.makers.certificate)?,
        tpm_quote: collateral.tpm_quote.as_deref().map(|path| text(path, TPM_HINT)).transpose()?,
        td_quote: file(&collateral.td_quote, "a quote of TDX, as its bytes")?,
        event_log: file(&collateral.event_log, "a log of TCG2, as firmware leaves it")?,
        report_data: collateral.report_data.as_deref().map(report_data).transpose()?,
    }))
}

fn report_data(text: &str) -> Result<Hexed, Failure> {
    vial_attest::unhex(text).map(Hexed).ok_or_else(|| {
        let text =
            format!("--report-data: found {} characters, expected bytes as lower-case hex", text.len());
        Failure::new(
            text,
            "what the report's requester bound: 64 bytes for SEV-SNP and TDX, a nonce for TPMs",
        )
    })
}

/// Adds what the makers of processors signed, and the time.
fn trusting(base: Question, makers: &Makers) -> Result<Question, Failure> {
    let hint = "as https://kdsintf.amd.com/vcek/v1/PRODUCT/crl gives it";
    let lists = makers.crl.iter().map(|path| hexed(path, hint)).collect::<Result<_, _>>()?;
    let intel = makers.collateral.as_deref().map(|path| text(path, INTEL_HINT)).transpose()?;
    let at = makers.at.as_deref().map(stated).transpose()?;
    let certificates = certificates(&makers.certificate)?;
    Ok(Question { revocation_lists: lists, certificates, collateral: intel, at, ..base })
}

/// Now, in seconds since 1970.
pub(super) fn clock() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|_| Failure::new("the clock is before 1970", "set it"))
}

fn stated(text: &str) -> Result<u64, Failure> {
    vial_attest::seconds(text).ok_or_else(|| {
        let text = format!("--at: found {text:?}, expected a time such as 2026-06-20T00:00:00Z");
        Failure::new(text, "leave it out to judge as of now")
    })
}
