//! Chains of DICE.
#![no_main]

use vial_attest::{Attached, DICE, Trust, snp::Roots};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = vial_attest::dice::Key::parse(data);
    let _any = vial_attest::dice::Certificate::parse(data);
    let trust = Trust { now: 1_700_000_000, amd: &Roots::none(), amd_revocation_lists: &[], intel: None };
    let verdict = vial_fuzz::verdict(DICE, data, Attached::default(), &trust);
    assert!(!verdict.accepted, "nobody vouches for that board");
});
