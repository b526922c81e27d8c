//! Event logs of evidence.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _any = vial_weights::event_log::replay(data);
});
