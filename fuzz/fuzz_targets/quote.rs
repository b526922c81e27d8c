//! Quotes of TDX, and Intel's collateral.
#![no_main]

use vial_attest::tdx::{Collateral, without_padding};
use vial_attest::{Attached, PolicyFile, Profile, Statement, TDX, Trust, appraise, snp::Roots};

thread_local! {
    static ROOTS: Roots = Roots::none();
    /// Collateral whose signatures are nobody's.
    static COLLATERAL: Collateral = Collateral::parse(
        br#"{"pck_crl_issuer_chain":"","root_ca_crl":"","pck_crl":"","tcb_info_issuer_chain":"","tcb_info":"{}",
            "tcb_info_signature":"","qe_identity_issuer_chain":"","qe_identity":"{}","qe_identity_signature":""}"#,
    ).unwrap();
    static POLICY: vial_attest::Policy = {
        let mut file = PolicyFile::of_profile(Profile::Development);
        for field in vial_attest::policy::FIELDS {
            file.default_to(field.name, &["any".to_owned()], "a test").unwrap();
        }
        file.complete().unwrap()
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = Collateral::parse(data);
    let report = without_padding(data).to_vec();
    let statement = Statement { tee: TDX.to_owned(), report, certificates: Vec::new(), attached: Attached::default() };
    ROOTS.with(|amd| {
        COLLATERAL.with(|intel| {
            let trust = Trust { now: 1_700_000_000, amd, amd_revocation_lists: &[], intel: Some(intel) };
            let verdict = POLICY.with(|policy| appraise(&statement, policy, None, &trust));
            assert!(!verdict.accepted, "nobody signed this");
        });
    });
});
