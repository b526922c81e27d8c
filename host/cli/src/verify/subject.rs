//! What is verified: an appliance, evidence that was stored, or a report alone.

use core::time::Duration;
use std::path::Path;
use std::time::SystemTime;
use vial_attest::snp::Roots;
use vial_attest::snp::report::REPORT_BYTES;
use vial_attest::tdx::{Collateral as Intel, without_padding};
use vial_attest::tpm::TpmQuote;
use vial_attest::{
    AZURE, Asked, Attached, Bytes, DICE, Reference, SEV_SNP, Statement, TDX, TPM, Trust, Verdict,
    appraise as appraise_report, verify,
};
use vial_weights::Manifest;

use super::expected::Expected;
use super::files::{certificates, read};
use super::{Collateral, Judge, Makers, Subject};
use crate::failure::Failure;
use crate::http::connect;

/// Longest wait for an appliance.
const PATIENCE: Duration = Duration::from_secs(20);

/// Names of what sees the prompt, for people.
pub(super) struct Models {
    pub(super) model: String,
    pub(super) draft: Option<String>,
}

/// A verdict on something.
pub(crate) struct Appraised {
    pub(super) subject: String,
    pub(crate) verdict: Verdict,
    pub(super) models: Option<Models>,
    /// As of when, in seconds since 1970.
    pub(super) now: u64,
}

/// Makes the verdict.
pub(super) fn appraise(
    subject: &Subject,
    expected: &Expected,
    collateral: &Collateral,
) -> Result<Appraised, Failure> {
    if let Some(url) = &subject.url {
        let judge = Judge::new(expected, &collateral.makers)?;
        return judge.judge(url, &mut connect(url, PATIENCE)?);
    }
    let held = Held::read(&collateral.makers)?;
    match (&subject.url, &subject.evidence, &subject.report) {
        (_, Some(path), _) => stored(path, expected, &held),
        (_, _, Some(path)) => report(path, expected, collateral, &held),
        _ => Err(Failure::new("nothing to verify", "name an address, --evidence or --report")),
    }
}

fn stored(path: &Path, expected: &Expected, held: &Held) -> Result<Appraised, Failure> {
    let reference = expected.reference()?;
    let policy = expected.of_appliance(reference.as_ref())?;
    let evidence = parse(&read(path, "what an appliance answered to /v1/attestation?nonce=...")?)?;
    let verdict = verify(&evidence, &policy, Asked::default(), &held.trust());
    Ok(appraised(path.display().to_string(), verdict, reference.as_ref(), &evidence, held.now))
}

pub(super) fn parse(json: &[u8]) -> Result<Bytes, Failure> {
    let hint = "is there an appliance behind this address?";
    Bytes::parse(json).map_err(|error| Failure::new(error.to_string(), hint))
}

/// The names are the expected ones, or those of a manifest that was accepted; else they are nobody's word.
pub(super) fn appraised(
    subject: String,
    verdict: Verdict,
    reference: Option<&Reference>,
    evidence: &Bytes,
    now: u64,
) -> Appraised {
    let expected = reference.map(|it| Models { model: it.model.clone(), draft: it.draft_model.clone() });
    let sealed = || {
        let manifest = Manifest::decode(&evidence.manifest).ok().filter(|_| verdict.accepted)?;
        Some(Models { model: manifest.model, draft: manifest.draft.map(|draft| draft.model) })
    };
    let models = expected.or_else(sealed);
    Appraised { subject, verdict, models, now }
}

fn report(
    path: &Path,
    expected: &Expected,
    collateral: &Collateral,
    held: &Held,
) -> Result<Appraised, Failure> {
    let policy = expected.of_report()?;
    let statement = statement(path, collateral)?;
    let data = collateral.report_data.as_deref().map(report_data).transpose()?;
    let verdict = appraise_report(&statement, &policy, data.as_deref(), &held.trust());
    Ok(Appraised { subject: path.display().to_string(), verdict, models: None, now: held.now })
}

/// A report's kind shows in its bytes.
fn statement(path: &Path, collateral: &Collateral) -> Result<Statement, Failure> {
    let report = read(
        path,
        "a report of SEV-SNP (1184 bytes), a quote, Azure's HCL report, or a TPM's quote in JSON",
    )?;
    let certificates = certificates(&collateral.certificate)?;
    let attached = attached(collateral)?;
    let statement =
        |tee: &str, report, attached| Statement { tee: tee.to_owned(), report, certificates, attached };
    Ok(match report.as_slice() {
        [b'H', b'C', b'L', b'A', ..] => statement(AZURE, report, attached),
        [b'{', ..] => {
            let tpm = Some(tpm(path)?);
            statement(TPM, Vec::new(), Attached { tpm, ..attached })
        }
        // An array of CBOR; quotes begin with their version.
        [0x80..=0x9F, ..] => statement(DICE, report, attached),
        whole if whole.len() == REPORT_BYTES => statement(SEV_SNP, report, attached),
        quote => statement(TDX, without_padding(quote).to_vec(), attached),
    })
}

fn attached(collateral: &Collateral) -> Result<Attached, Failure> {
    let file =
        |path: &Option<std::path::PathBuf>, hint| path.as_deref().map(|path| read(path, hint)).transpose();
    let td_quote = file(&collateral.td_quote, "a quote of TDX, as its bytes")?;
    Ok(Attached {
        tpm: collateral.tpm_quote.as_deref().map(tpm).transpose()?,
        td_quote: td_quote.map(|quote| without_padding(&quote).to_vec()),
        event_log: file(&collateral.event_log, "a log of TCG2, as firmware leaves it")?,
    })
}

fn tpm(path: &Path) -> Result<TpmQuote, Failure> {
    let hint = "JSON with message, signature, the 24 pcrs of SHA-256, and perhaps the key, as lower-case hex";
    let quote = TpmQuote::parse(&read(path, hint)?);
    quote.map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))
}

fn report_data(text: &str) -> Result<Vec<u8>, Failure> {
    vial_attest::unhex(text).ok_or_else(|| {
        let text =
            format!("--report-data: found {} characters, expected bytes as lower-case hex", text.len());
        Failure::new(
            text,
            "what the report's requester bound: 64 bytes for SEV-SNP and TDX, a nonce for TPMs",
        )
    })
}

/// Roots, collateral and the time.
pub(super) struct Held {
    pub(super) now: u64,
    amd: Roots,
    lists: Vec<Vec<u8>>,
    intel: Option<Intel>,
}

impl Held {
    pub(super) fn read(collateral: &Makers) -> Result<Self, Failure> {
        let hint = "as https://kdsintf.amd.com/vcek/v1/PRODUCT/crl gives it";
        let lists = collateral.crl.iter().map(|path| read(path, hint)).collect::<Result<_, _>>()?;
        let amd = Roots::amd().map_err(|error| Failure::new(error.to_string(), "this vial is broken"))?;
        let intel = collateral.collateral.as_deref().map(intel).transpose()?;
        Ok(Self { now: now(collateral.at.as_deref())?, amd, lists, intel })
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        Trust { now: self.now, amd: &self.amd, amd_revocation_lists: &self.lists, intel: self.intel.as_ref() }
    }
}

fn intel(path: &Path) -> Result<Intel, Failure> {
    let hint = "the JSON that dcap-qvl and its tools fetch from a PCCS";
    let collateral = Intel::parse(&read(path, hint)?);
    collateral.map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))
}

fn now(at: Option<&str>) -> Result<u64, Failure> {
    let Some(text) = at else {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        return since
            .map(|since| since.as_secs())
            .map_err(|_| Failure::new("the clock is before 1970", "set it"));
    };
    vial_attest::seconds(text).ok_or_else(|| {
        let text = format!("--at: found {text:?}, expected a time such as 2026-06-20T00:00:00Z");
        Failure::new(text, "leave it out to judge as of now")
    })
}
