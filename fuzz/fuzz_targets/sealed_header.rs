//! Headers of sealed partitions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(bytes) = data.first_chunk() else { return };
    if let Ok(header) = vial_weights::header::SealedHeader::decode(bytes) {
        assert_eq!(&header.encode(), bytes);
    }
});
