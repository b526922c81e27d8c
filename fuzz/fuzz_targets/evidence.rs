//! Evidence of strangers, and reference values.
#![no_main]

use vial_attest::{Bytes, PolicyFile, Profile, Reference, Trust, snp::Roots, verify};

thread_local! {
    /// A policy that lets everything pass that anybody signed.
    static POLICY: vial_attest::Policy = {
        let mut file = PolicyFile::of_profile(Profile::Development);
        for field in vial_attest::policy::FIELDS {
            file.default_to(field.name, &["any".to_owned()], "a test").unwrap();
        }
        file.complete().unwrap()
    };
    static ROOTS: Roots = Roots::amd().unwrap();
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let parsed = Bytes::parse(data);
    let _any = Reference::parse(data);
    let Ok(evidence) = parsed else { return };
    ROOTS.with(|amd| {
        let trust = Trust { now: 1_700_000_000, amd, amd_revocation_lists: &[], intel: None };
        let verdict = POLICY.with(|policy| verify(&evidence, policy, None, &trust));
        assert!(!verdict.accepted, "nobody signed this");
    });
});
