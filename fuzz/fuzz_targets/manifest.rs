//! Manifests: what is read is written back to the same bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = vial_weights::Manifest::decode(data) {
        assert_eq!(manifest.encode(), data);
    }
});
