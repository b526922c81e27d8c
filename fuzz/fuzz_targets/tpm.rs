//! Event logs, quotes of TPMs, and Azure's reports.
#![no_main]

use vial_attest::tpm::event_log::{Bank, Log};
use vial_attest::tpm::{PCRS, TpmQuote};
use vial_attest::{AZURE, Attached, PolicyFile, Profile, Statement, TPM, Trust, appraise, snp::Roots};

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
    let _any = TpmQuote::parse(data);
    if let Ok(log) = Log::parse(data) {
        let replayed = log.replay(Bank::Sha256).is_ok_and(|registers| registers.values().all(|value| value.len() == 32));
        assert!(replayed || log.replay(Bank::Sha256).is_err());
    }
    let quote = TpmQuote { message: data.to_vec(), signature: data.to_vec(), pcrs: [[0; 32]; PCRS], key: Some(data.to_vec()) };
    let attached = Attached { tpm: Some(quote), td_quote: Some(data.to_vec()), event_log: Some(data.to_vec()) };
    for tee in [AZURE, TPM] {
        let statement =
            Statement { tee: tee.to_owned(), report: data.to_vec(), certificates: Vec::new(), attached: attached.clone() };
        ROOTS.with(|amd| {
            let trust = Trust { now: 1_700_000_000, amd, amd_revocation_lists: &[], intel: None };
            let verdict = POLICY.with(|policy| appraise(&statement, policy, None, &trust));
            assert!(!verdict.accepted, "nobody signed this");
        });
    }
});
