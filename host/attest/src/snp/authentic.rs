//! Authenticity of a report: signed by a processor of AMD's, whose certificate a pinned root vouches for.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use p384::ecdsa::Signature;
use p384::ecdsa::signature::Verifier as _;
use vial_weights::tree::Hex;

use super::certificate::{Endorsement, Signer};
use super::product::Product;
use super::report::{Report, SIGNED_BYTES};
use super::revocation::{RevocationList, Standing};
use super::roots::Path;
use super::tcb::Tcb;
use crate::check::Checks;
use crate::trust::Trust;
use crate::x509::Certificate;

const ROOT: &str = "AMD's pinned keys";
const CERTIFICATE: &str = "the certificate";
const LAYOUT: &str = "AMD 56860 §7.3";

/// Whether a revocation list was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// A current one of this root was, and the issuer is not on it.
    Checked,
    /// None was given for this root.
    NotGiven,
}

/// An authentic report: its fields are what a genuine platform signed, and not yet what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snp {
    /// The signed fields.
    pub report: Report,
    /// Whose key signed, and the versions it follows from.
    pub endorsement: Endorsement,
    /// Versions that ran when the guest was launched.
    pub launch_tcb: Tcb,
    /// Versions that the platform cannot go back behind.
    pub committed_tcb: Tcb,
    /// Whether a revocation list was looked at.
    pub revocation: Revocation,
}

/// Checks form, chain and signature; certificates that are not of the key that signed are left aside.
pub(crate) fn authentic(
    bytes: &[u8],
    certificates: &[Vec<u8>],
    trust: &Trust<'_>,
    checks: &mut Checks,
) -> Option<Snp> {
    let report =
        checks.parsed("report", Report::parse(bytes), "version 2, 3 or 5, reserved bits zero", LAYOUT)?;
    let certificate = certificate(certificates, &report, checks)?;
    let endorsement =
        checks.parsed("certificate", Endorsement::parse(&certificate), "a VCEK or VLEK", "AMD 57230 §3.1")?;
    let path = trust.amd.path_of(&certificate, endorsement.product);
    let found = if path.is_some() { "signed by the product's issuer" } else { "signed by nobody pinned" };
    checks.holds("certificate chain", path.is_some(), found, "signed by the product's issuer", ROOT)?;
    let path = path?;
    valid(&certificate, &path, trust.now, checks)?;
    let revocation = revocation(&path, trust, checks)?;
    signature(bytes, &report, &endorsement, checks)?;
    same_platform(&report, &endorsement, checks)?;
    let tcb = |bytes| Tcb::parse(bytes, endorsement.product);
    let versions = tcb(report.launch_tcb).zip(tcb(report.committed_tcb));
    let form = versions.ok_or("report versions: reserved bytes are not zero");
    let (launch_tcb, committed_tcb) = checks.parsed("report", form, "reserved bits zero", LAYOUT)?;
    Some(Snp { report, endorsement, launch_tcb, committed_tcb, revocation })
}

/// The one certificate of a key that signs reports.
fn certificate(certificates: &[Vec<u8>], report: &Report, checks: &mut Checks) -> Option<Certificate> {
    let parsed = certificates.iter().filter_map(|der| Certificate::parse(der).ok());
    let mut found = parsed.filter(Endorsement::is_one);
    let (first, second) = (found.next(), found.next());
    let count = [first.is_some(), second.is_some()].into_iter().filter(|is| *is).count();
    let found = ["none", "one", "more than one"].get(count).copied().unwrap_or_default();
    let source = place(report).filter(|_| first.is_none());
    let expected =
        source.map_or("one".to_string(), |url| alloc::format!("one, as --certificate has it from {url}"));
    checks.holds("certificates of signing keys", count == 1, found, expected, "AMD 57230 §3.1")?;
    first
}

/// Where AMD gives the certificate of the chip's key: what the report says of itself, which nobody has checked yet, decides only
/// which one is looked for. Reports before version 3 do not say which product they are from. Spec: AMD 57230 rev 1.01 §4.1.
fn place(report: &Report) -> Option<String> {
    let [family, model, _] = report.cpuid?;
    let product = Product::from_cpuid(family, model)?;
    let Tcb { fmc, bootloader, tee, snp, microcode } = Tcb::parse(report.reported_tcb, product)?;
    let chip = if product == Product::Turin { report.chip_id.get(..8)? } else { &report.chip_id };
    let fmc = fmc.map(|fmc| alloc::format!("fmcSPL={fmc:02}&")).unwrap_or_default();
    let versions =
        alloc::format!("blSPL={bootloader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}");
    Some(alloc::format!("https://kdsintf.amd.com/vcek/v1/{product}/{}?{fmc}{versions}", Hex(chip)))
}

fn valid(certificate: &Certificate, path: &Path<'_>, now: u64, checks: &mut Checks) -> Option<()> {
    let all = [certificate, path.issuer, path.root];
    let wrong = all.into_iter().find(|one| !one.is_valid_at(now));
    let found = wrong
        .map_or("valid".to_string(), |one| alloc::format!("{} is not valid at this time", one.common_name()));
    checks.equal("certificate validity", found, "valid", "the verifier's clock")
}

/// Every list that was given for this root must be genuine, current, and free of the issuer.
fn revocation(path: &Path<'_>, trust: &Trust<'_>, checks: &mut Checks) -> Option<Revocation> {
    let mut revocation = Revocation::NotGiven;
    for der in trust.amd_revocation_lists {
        let list =
            checks.parsed("revocation list", RevocationList::parse(der), "a list in DER", "RFC 5280 §5")?;
        let found = match list.standing(path, trust.now) {
            Standing::NotItsList => continue,
            Standing::Good => "not revoked",
            Standing::Revoked => "revoked",
            Standing::Stale => "a list that is not current",
            Standing::Forged => "a list that the root did not sign",
        };
        checks.equal("revocation", found, "not revoked", ROOT)?;
        revocation = Revocation::Checked;
    }
    Some(revocation)
}

fn signature(bytes: &[u8], report: &Report, endorsement: &Endorsement, checks: &mut Checks) -> Option<()> {
    let signed = bytes.get(..SIGNED_BYTES).unwrap_or_default();
    let signature = Signature::from_slice(&report.signature);
    let is_right = signature.is_ok_and(|signature| endorsement.key.verify(signed, &signature).is_ok());
    let found = if is_right { "verifies" } else { "does not verify" };
    checks.holds("report signature", is_right, found, "ECDSA P-384 by the certificate's key", CERTIFICATE)
}

/// What report and certificate both say of the platform must be the same.
fn same_platform(report: &Report, endorsement: &Endorsement, checks: &mut Checks) -> Option<()> {
    let key = if report.signing_key == 0 { "VCEK" } else { "VLEK" };
    checks.equal("signing key", key, endorsement.signer.name(), CERTIFICATE)?;
    if let Some([family, model, _]) = report.cpuid {
        let product = Product::from_cpuid(family, model).map_or("an unknown processor", Product::name);
        checks.equal("product", product, endorsement.product, CERTIFICATE)?;
    }
    if let Signer::Chip(chip) = &endorsement.signer {
        chip_id(report, chip, checks)?;
    }
    let tcb = Tcb::parse(report.reported_tcb, endorsement.product);
    let found = tcb.map_or("malformed".to_string(), |tcb| tcb.to_string());
    checks.equal("platform version", found, endorsement.tcb, CERTIFICATE)
}

/// The report's identity, on Turin padded with zeros, is the certificate's; a masked one says nothing.
fn chip_id(report: &Report, expected: &[u8], checks: &mut Checks) -> Option<()> {
    let (id, padding) = report.chip_id.split_at_checked(expected.len())?;
    let is_same = id == expected && padding.iter().all(|&byte| byte == 0);
    checks.holds("processor", is_same, Hex(id), Hex(expected), CERTIFICATE)
}
