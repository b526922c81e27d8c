//! Authenticity: the processor's report binds the paravisor's words, these name a key, and that key quotes the registers.

use alloc::boxed::Box;

use super::hcl::{HclReport, Inner};
use crate::authentic::{Authentic, Azure, Statement};
use crate::check::Checks;
use crate::trust::Trust;
use crate::{snp, tdx, tpm};

const LAYOUT: &str = "Azure's report format";

/// Checks the report of either TEE, and the TPM's quote.
pub(crate) fn authentic(statement: &Statement, trust: &Trust<'_>, checks: &mut Checks) -> Option<Authentic> {
    let hcl =
        checks.parsed("HCL report", HclReport::parse(&statement.report), "one of SEV-SNP or TDX", LAYOUT)?;
    let tee = match &hcl.inner {
        Inner::Snp(report) => snp::authentic(report, &statement.certificates, trust, checks)
            .map(|snp| Authentic::Snp(Box::new(snp)))?,
        Inner::Tdx => {
            let quote = statement.attached.td_quote.as_deref();
            let quote = checks.parsed("TD quote", quote.ok_or("none"), "given", LAYOUT)?;
            tdx::authentic(quote, trust, checks).map(|tdx| Authentic::Tdx(Box::new(tdx)))?
        }
    };
    checks.same("paravisor's words", &hcl.bound, tee.report_data(), "the processor's report")?;
    let quote = statement.attached.tpm.as_ref();
    let quote = checks.parsed("TPM quote", quote.ok_or("none"), "given", LAYOUT)?;
    let tpm = tpm::verify(quote, &hcl.key, checks)?;
    Some(Authentic::Azure(Box::new(Azure { tee, tpm, configuration: hcl.configuration })))
}
