//! Evidence of strangers, and reference values.
#![no_main]

use vial_attest::{Bytes, Reference, Trust, snp::Roots, verify};

thread_local! {
    static POLICY: vial_attest::Policy = vial_fuzz::open();
    static ROOTS: Roots = Roots::amd().unwrap();
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = Reference::parse(data);
    let Ok(evidence) = Bytes::parse(data) else { return };
    ROOTS.with(|amd| {
        let trust = Trust { now: 1_700_000_000, amd, amd_revocation_lists: &[], intel: None };
        let verdict = POLICY.with(|policy| verify(&evidence, policy, vial_attest::Asked::default(), &trust));
        assert!(!verdict.accepted, "nobody signed this");
    });
});
