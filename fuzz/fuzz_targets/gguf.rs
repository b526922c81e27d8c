//! Headers of model files: from anybody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (head, file_bytes) = (data, data.len() as u64 + 1);
    if let Ok(gguf) = vial_model::gguf::Gguf::parse(head, file_bytes) {
        let _any = vial_model::check(&gguf);
    }
});
