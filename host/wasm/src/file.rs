//! Files that a reader drops on the page: what each is shows in its bytes.

use serde::Deserialize;
use serde_json::Value;
use vial_attest::{AZURE, Certificate, Hexed, Question, Report, SEV_SNP, Shown, TDX, TPM, pem_documents};

/// A file as it came.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name, for people.
    pub name: String,
    /// Its bytes.
    pub bytes: Hexed,
}

/// What a file is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// What `/v1/attestation` answered.
    Evidence,
    /// A report, quote or chain alone; which one, its bytes tell.
    Report,
    /// A TPM's quote in JSON.
    TpmQuote,
    /// Certificates that go with a report.
    Certificates,
    /// A log of TCG2.
    EventLog,
    /// A revocation list of AMD's.
    RevocationList,
    /// Intel's collateral.
    Collateral,
    /// What `vial measure` printed.
    Reference,
    /// A policy.
    Policy,
}

/// The first event of a log of TCG2, behind register, type and digest.
const LOG: &[u8] = b"Spec ID Event03\0";
const LOG_AT: usize = 32;

impl Form {
    /// What the bytes are, as far as their beginning tells; parsers say the rest.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [b'{', ..] => Self::of_json(bytes),
            // A SEQUENCE of DER: a certificate, or a list.
            [0x30, 0x82, ..] if Certificate::parse(bytes).is_ok() => Self::Certificates,
            [0x30, 0x82, ..] => Self::RevocationList,
            _ if bytes.get(LOG_AT..).is_some_and(|rest| rest.starts_with(LOG)) => Self::EventLog,
            _ if bytes.starts_with(b"-----BEGIN") => Self::Certificates,
            _ if is_text(bytes) && bytes.contains(&b'=') => Self::Policy,
            _ => Self::Report,
        }
    }

    fn of_json(bytes: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let has = |key: &str| json.get(key).is_some();
        if has("pcrs") {
            Self::TpmQuote
        } else if has("tcb_info") {
            Self::Collateral
        } else if has("launch_measurement") {
            Self::Reference
        } else {
            Self::Evidence
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evidence => "an appliance's evidence",
            Self::Report => "a report",
            Self::TpmQuote => "a TPM's quote",
            Self::Certificates => "certificates of the report",
            Self::EventLog => "an event log",
            Self::RevocationList => "a revocation list",
            Self::Collateral => "Intel's collateral",
            Self::Reference => "reference values",
            Self::Policy => "a policy",
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'))
}

/// Puts a file into a question; gives what it was taken for. What goes with a report goes with the one that is there, so reports
/// must come first.
pub(crate) fn put(question: &mut Question, file: &File) -> &'static str {
    let form = Form::of(&file.bytes.0);
    let text = || String::from_utf8_lossy(&file.bytes.0).into_owned();
    match form {
        Form::Evidence => show(question, file, Shown::Appliance { evidence: text(), nonce: None, key: None }),
        Form::Report | Form::TpmQuote => return put_report(question, file),
        Form::Certificates | Form::EventLog => match &mut question.shown {
            Some(Shown::Report(report)) => attach(report, form, file),
            _ => return "nothing: there is no report that it could go with",
        },
        Form::RevocationList => question.revocation_lists.push(file.bytes.clone()),
        Form::Collateral => question.collateral = Some(text()),
        Form::Reference => question.reference = Some(text()),
        Form::Policy => question.policy = Some(text()),
    }
    form.name()
}

fn attach(report: &mut Report, form: Form, file: &File) {
    if form == Form::EventLog {
        report.event_log = Some(file.bytes.clone());
    } else {
        report.certificates.extend(certificates(file));
    }
}

/// What was bound for the one before says nothing of another.
fn show(question: &mut Question, file: &File, shown: Shown) {
    question.subject.clone_from(&file.name);
    question.shown = Some(shown);
}

/// A quote that comes with Azure's report belongs to it.
fn put_report(question: &mut Question, file: &File) -> &'static str {
    let tee = Report::tee_of(&file.bytes.0);
    if let Some(Shown::Report(report)) = &mut question.shown
        && Report::tee_of(&report.bytes.0) == AZURE
    {
        match tee {
            TPM => {
                report.tpm_quote = Some(String::from_utf8_lossy(&file.bytes.0).into_owned());
                return "the TPM's quote of Azure's report";
            }
            TDX => {
                report.td_quote = Some(file.bytes.clone());
                return "the quote of TDX of Azure's report";
            }
            _ => {}
        }
    }
    show(question, file, Shown::Report(Report { bytes: file.bytes.clone(), ..Report::default() }));
    match tee {
        AZURE => "Azure's report",
        SEV_SNP => "a report of SEV-SNP",
        TPM => "a TPM's quote",
        TDX => "a quote of TDX",
        _ => "a chain of DICE",
    }
}

/// What is none is kept as it is, and refused by name.
fn certificates(file: &File) -> Vec<Hexed> {
    let text = core::str::from_utf8(&file.bytes.0).ok().filter(|text| text.starts_with("-----BEGIN"));
    let documents = text.and_then(|text| pem_documents(text).ok());
    documents.map_or_else(|| vec![file.bytes.clone()], |all| all.into_iter().map(Hexed).collect())
}
