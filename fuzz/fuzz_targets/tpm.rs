//! Event logs, quotes of TPMs, and Azure's reports.
#![no_main]

use vial_attest::tpm::event_log::{Bank, Log};
use vial_attest::tpm::{PCRS, TpmQuote};
use vial_attest::{AZURE, Attached, TPM, Trust, snp::Roots};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = TpmQuote::parse(data);
    if let Some(registers) = Log::parse(data).ok().and_then(|log| log.replay(Bank::Sha256).ok()) {
        assert!(registers.values().all(|value| value.len() == 32));
    }
    let bytes = || data.to_vec();
    let quote = TpmQuote { message: bytes(), signature: bytes(), pcrs: [[0; 32]; PCRS], key: Some(bytes()) };
    let attached = Attached { tpm: Some(quote), td_quote: Some(bytes()), event_log: Some(bytes()) };
    let trust = Trust { now: 1_700_000_000, amd: &Roots::none(), amd_revocation_lists: &[], intel: None };
    for tee in [AZURE, TPM] {
        assert!(!vial_fuzz::verdict(tee, data, attached.clone(), &trust).accepted, "nobody signed this");
    }
});
