//! Evidence of strangers, and reference values.
#![no_main]

thread_local! {
    /// Some appliance's.
    static REFERENCE: vial_attest::Reference = vial_attest::Reference {
        format: String::new(), tee: String::new(), launch_measurement: String::new(), launch_page: String::new(),
        manifest_digest: String::new(), weights_root: String::new(), firmware: String::new(), kernel: String::new(),
        engine: String::new(), bundle: String::new(), model: String::new(), cpus: 1, memory_bytes: 1, measure: String::new(), kv: String::new(),
        draft_root: None, draft_model: None,
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let parsed = vial_attest::Bytes::parse(data);
    let _any = vial_attest::Reference::parse(data);
    let _any = vial_attest::report::Report::parse(data);
    let Ok(evidence) = parsed else { return };
    REFERENCE.with(|reference| {
        let policy = vial_attest::Policy { nonce: [0; 64], allow_simulated: true, least_tcb: 0, vmpl: 0 };
        let verdict = vial_attest::verify(&evidence, reference, &policy);
        assert!(!verdict.accepted, "nobody signed this");
    });
});
