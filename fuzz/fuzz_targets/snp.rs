//! Reports, certificates and revocation lists of SEV-SNP: the report first, then DER documents with their length before them.
#![no_main]

use vial_attest::{Attached, PolicyFile, Profile, SEV_SNP, Statement, Trust, appraise, snp::Roots, snp::report::REPORT_BYTES};

thread_local! {
    static ROOTS: Roots = Roots::amd().unwrap();
    static POLICY: vial_attest::Policy = {
        let mut file = PolicyFile::of_profile(Profile::Development);
        for field in vial_attest::policy::FIELDS {
            file.default_to(field.name, &["any".to_owned()], "a test").unwrap();
        }
        file.complete().unwrap()
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (report, rest) = data.split_at(data.len().min(REPORT_BYTES));
    let certificates = vec![rest.to_vec()];
    let statement = Statement { tee: SEV_SNP.to_owned(), report: report.to_vec(), certificates: certificates.clone(), attached: Attached::default() };
    ROOTS.with(|amd| {
        let trust = Trust { now: 1_700_000_000, amd, amd_revocation_lists: &certificates, intel: None };
        let verdict = POLICY.with(|policy| appraise(&statement, policy, None, &trust));
        assert!(!verdict.accepted, "nobody signed this");
    });
});
