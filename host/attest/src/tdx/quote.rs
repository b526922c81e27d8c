//! Authenticity of a quote: signed by a quoting enclave of a platform that Intel's root vouches for.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use dcap_qvl::quote::{Quote, TDReport10};
use dcap_qvl::verify::QuoteVerifier;
use parity_scale_codec::Encode as _;

use crate::check::Checks;
use crate::trust::Trust;

const LAYOUT: &str = "Intel TDX DCAP appendix A.3";
const ROOT: &str = "Intel's pinned root";
/// What the crate says of a platform that is older than all levels; it gives no kinds of errors.
const NO_LEVEL: &str = "No matching TCB level";
/// Versions of quotes for TDX: 4, and 5 with a body of any type.
const VERSIONS: [u16; 2] = [4, 5];
/// `tee_type` of TDX.
const TDX: u32 = 0x81;
/// Attribute of a guest that a host may debug.
const DEBUG: u64 = 1;
/// Attribute of a guest that may be migrated.
const MIGRATABLE: u64 = 1 << 29;

/// The guest's own fields. Spec: TDX Module 1.5 ABI, `TDINFO_STRUCT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Measurement of the TDX module.
    pub mrseam: [u8; 48],
    /// Attributes, as they lie in the quote.
    pub attributes: [u8; 8],
    /// Extended features, as they lie in the quote.
    pub xfam: [u8; 8],
    /// Launch measurement.
    pub mrtd: [u8; 48],
    /// What the host bound at launch.
    pub mrconfigid: [u8; 48],
    /// Owner.
    pub mrowner: [u8; 48],
    /// Owner's configuration.
    pub mrownerconfig: [u8; 48],
    /// What was measured at run time.
    pub rtmr: [[u8; 48]; 4],
    /// What the guest bound.
    pub report_data: [u8; 64],
}

impl Guest {
    /// Whether a host may read and change its memory.
    #[must_use]
    pub fn may_be_debugged(&self) -> bool {
        u64::from_le_bytes(self.attributes) & DEBUG != 0
    }

    /// Whether it may be moved to another machine.
    #[must_use]
    pub fn may_be_migrated(&self) -> bool {
        u64::from_le_bytes(self.attributes) & MIGRATABLE != 0
    }

    fn of(report: &TDReport10) -> Self {
        Self {
            mrseam: report.mr_seam,
            attributes: report.td_attributes,
            xfam: report.xfam,
            mrtd: report.mr_td,
            mrconfigid: report.mr_config_id,
            mrowner: report.mr_owner,
            mrownerconfig: report.mr_owner_config,
            rtmr: [report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3],
            report_data: report.report_data,
        }
    }
}

/// An authentic quote: its fields are what a genuine platform signed, and not yet what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tdx {
    /// The guest's fields.
    pub guest: Guest,
    /// Result of comparing the platform's versions with Intel's collateral, in Intel's words.
    pub tcb_status: String,
    /// Intel's advisories that apply to it.
    pub advisories: Vec<String>,
}

/// Checks form, chain, collateral and signatures.
pub(crate) fn authentic(bytes: &[u8], trust: &Trust<'_>, checks: &mut Checks) -> Option<Tdx> {
    let expected = "a TDX quote of version 4 or 5, reserved bits zero, nothing after it";
    checks.parsed("quote", form(bytes), expected, LAYOUT)?;
    let found = if trust.intel.is_some() { "given" } else { "none" };
    checks.equal("TDX collateral", found, "given", "--collateral")?;
    // What may be debugged is authentic, too; that it may be is for the policy to refuse.
    let verifier = QuoteVerifier::new_prod().allow_debug(true);
    let verified = verifier.verify(bytes, &trust.intel?.0, trust.now);
    let verified = verified.map_err(|error| alloc::format!("{error:#}"));
    if verified.as_ref().is_err_and(|error| error.contains(NO_LEVEL)) {
        let found = "below every level that Intel lists";
        checks.holds("tdx.tcb_status", false, found, "a level of Intel's collateral", ROOT)?;
    }
    let verified = checks.parsed("quote signature", verified, "a chain up to Intel's root", ROOT)?;
    checks.holds("quote signature", true, "verifies", "a chain up to Intel's root", ROOT)?;
    let guest = Guest::of(verified.report.as_td10()?);
    Some(Tdx { guest, tcb_status: verified.status, advisories: verified.advisory_ids })
}

/// A quote without the zeros after it, which buffers that systems hand out are filled up with.
#[must_use]
pub fn without_padding(buffer: &[u8]) -> &[u8] {
    let written = Quote::parse(buffer).map(|quote| quote.encode().len()).ok();
    let parts = written.and_then(|len| buffer.split_at_checked(len));
    parts.filter(|(_, rest)| rest.iter().all(|&byte| byte == 0)).map_or(buffer, |(quote, _)| quote)
}

/// What the crate does not look at: that it is of TDX, and that nothing follows.
fn form(bytes: &[u8]) -> Result<(), String> {
    let quote = Quote::parse(bytes).map_err(|error| alloc::format!("{error:#}"))?;
    if !VERSIONS.contains(&quote.header.version) || quote.header.tee_type != TDX {
        return Err("another version or TEE".to_string());
    }
    if quote.report.is_sgx() {
        return Err("a body of SGX".to_string());
    }
    // Lengths lie within lengths; whatever the parser did not read would not be written again.
    if quote.encode() == bytes { Ok(()) } else { Err("bytes that belong to no field".to_string()) }
}
