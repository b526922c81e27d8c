//! A report alone, and what came with it.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::{Hexed, QuestionError};
use crate::authentic::{AZURE, Attached, DICE, SEV_SNP, Statement, TDX, TPM};
use crate::snp::report::REPORT_BYTES;
use crate::tdx::without_padding;
use crate::tpm::TpmQuote;

/// Files of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// SEV-SNP's report, a quote of TDX, Azure's HCL report, a chain of DICE, or a TPM's quote in JSON.
    pub bytes: Hexed,
    /// DER.
    pub certificates: Vec<Hexed>,
    /// The TPM's quote that goes with Azure's report, as JSON.
    pub tpm_quote: Option<String>,
    /// The quote of TDX that goes with Azure's report.
    pub td_quote: Option<Hexed>,
    /// The log that must lead to the registers that are signed.
    pub event_log: Option<Hexed>,
    /// What it must bind; none if that is unknown.
    pub report_data: Option<Hexed>,
}

impl Report {
    /// Name of the TEE that such bytes are of: a report's kind shows in its bytes.
    #[must_use]
    pub fn tee_of(bytes: &[u8]) -> &'static str {
        match bytes {
            [b'H', b'C', b'L', b'A', ..] => AZURE,
            [b'{', ..] => TPM,
            // An array of CBOR; quotes begin with their version.
            [0x80..=0x9F, ..] => DICE,
            whole if whole.len() == REPORT_BYTES => SEV_SNP,
            _ => TDX,
        }
    }

    /// What is judged.
    pub(crate) fn statement(&self) -> Result<Statement, QuestionError> {
        let bytes = self.bytes.0.as_slice();
        let tee = Self::tee_of(bytes);
        let mut attached = self.attached()?;
        let report = match tee {
            TPM => {
                attached.tpm = Some(TpmQuote::parse(bytes).map_err(QuestionError::Report)?);
                &[]
            }
            TDX => without_padding(bytes),
            _ => bytes,
        };
        let certificates = self.certificates.iter().map(|certificate| certificate.0.clone()).collect();
        Ok(Statement { tee: tee.to_string(), report: report.to_vec(), certificates, attached })
    }

    fn attached(&self) -> Result<Attached, QuestionError> {
        let tpm = self.tpm_quote.as_ref().map(|text| TpmQuote::parse(text.as_bytes())).transpose();
        Ok(Attached {
            tpm: tpm.map_err(QuestionError::TpmQuote)?,
            td_quote: self.td_quote.as_ref().map(|quote| without_padding(&quote.0).to_vec()),
            event_log: self.event_log.as_ref().map(|log| log.0.clone()),
        })
    }
}
