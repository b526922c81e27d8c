//! Reports, certificates and revocation lists of SEV-SNP: the report first, then DER.
#![no_main]

use vial_attest::{Attached, SEV_SNP, Trust, snp::Roots, snp::report::REPORT_BYTES};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (report, rest) = data.split_at(data.len().min(REPORT_BYTES));
    let lists = [rest.to_vec()];
    let trust = Trust { now: 1_700_000_000, amd: &Roots::none(), amd_revocation_lists: &lists, intel: None };
    let verdict = vial_fuzz::verdict(SEV_SNP, report, Attached::default(), &trust);
    assert!(!verdict.accepted, "nobody signed this");
});
