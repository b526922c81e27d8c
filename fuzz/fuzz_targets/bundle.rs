//! Agent bundles, and what they say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = vial_agent::Agent::from_bundle(data);
    if let Ok(files) = vial_weights::bundle::decode(data) {
        assert_eq!(vial_weights::bundle::encode(files).as_deref(), Ok(data));
    }
});
