//! Quotes of TDX, and Intel's collateral.
#![no_main]

use vial_attest::tdx::{Collateral, without_padding};
use vial_attest::{Attached, TDX, Trust, snp::Roots};

thread_local! {
    /// Collateral whose signatures are nobody's.
    static COLLATERAL: Collateral = Collateral::parse(
        br#"{"pck_crl_issuer_chain":"","root_ca_crl":"","pck_crl":"","tcb_info_issuer_chain":"","tcb_info":"{}",
            "tcb_info_signature":"","qe_identity_issuer_chain":"","qe_identity":"{}","qe_identity_signature":""}"#,
    ).unwrap();
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = Collateral::parse(data);
    COLLATERAL.with(|intel| {
        let trust = Trust { now: 1_700_000_000, amd: &Roots::none(), amd_revocation_lists: &[], intel: Some(intel) };
        let verdict = vial_fuzz::verdict(TDX, without_padding(data), Attached::default(), &trust);
        assert!(!verdict.accepted, "nobody signed this");
    });
});
