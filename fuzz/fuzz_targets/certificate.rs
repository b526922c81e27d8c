//! Certificates of whoever answers, and their answers: what is read of one that is accepted stands in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(said) = vial_channel::certificate::read(data) {
        assert!(data.windows(said.key.len()).any(|part| part == said.key));
        assert!(said.evidence.is_empty() || data.windows(said.evidence.len()).any(|part| part == said.evidence));
    }
    let mut answer = data;
    let _read = vial_client::read_response(&mut answer, 4096);
});
