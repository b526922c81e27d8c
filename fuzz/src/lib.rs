//! What targets share.

pub mod domain;
mod played;

pub use played::{Memory, Script};
use vial_attest::policy::FIELDS;
use vial_attest::snp::Roots;
use vial_attest::{Attached, Policy, PolicyFile, Profile, Statement, Trust, Verdict, appraise};

/// A policy that lets pass whatever anybody signed.
pub fn open() -> Policy {
    let mut file = PolicyFile::of_profile(Profile::Development);
    for field in FIELDS {
        file.default_to(field.name, &["any".to_owned()], "a target").unwrap();
    }
    file.complete().unwrap()
}

thread_local! {
    static POLICY: Policy = open();
    /// AMD's: whatever is accepted under them was signed by somebody else than a fuzzer.
    static ROOTS: Roots = Roots::amd().unwrap();
}

/// A verdict that nobody but the makers of processors could make an accepting one.
pub fn verdict(tee: &str, report: &[u8], attached: Attached, more: &Trust<'_>) -> Verdict {
    let certificates = more.amd_revocation_lists.to_vec();
    let statement = Statement { tee: tee.to_owned(), report: report.to_vec(), certificates, attached };
    ROOTS.with(|amd| POLICY.with(|policy| appraise(&statement, policy, None, &Trust { amd, ..*more })))
}
