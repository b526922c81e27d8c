//! Chains of DICE.
#![no_main]

use vial_attest::{Attached, DICE, PolicyFile, Profile, Statement, Trust, appraise, snp::Roots};

thread_local! {
    static ROOTS: Roots = Roots::none();
    static POLICY: vial_attest::Policy = {
        let mut file = PolicyFile::of_profile(Profile::Development);
        for field in vial_attest::policy::FIELDS {
            file.default_to(field.name, &["any".to_owned()], "a test").unwrap();
        }
        file.complete().unwrap()
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = vial_attest::dice::Key::parse(data);
    let _any = vial_attest::dice::Certificate::parse(data);
    let statement =
        Statement { tee: DICE.to_owned(), report: data.to_vec(), certificates: Vec::new(), attached: Attached::default() };
    ROOTS.with(|amd| {
        let trust = Trust { now: 1_700_000_000, amd, amd_revocation_lists: &[], intel: None };
        let verdict = POLICY.with(|policy| appraise(&statement, policy, None, &trust));
        assert!(!verdict.accepted, "nobody vouches for that board");
    });
});
