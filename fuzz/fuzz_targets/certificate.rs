//! Certificates of whoever answers: what is read of one that is accepted is what makes it again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(said) = vial_channel::certificate::read(data) {
        assert_eq!(vial_channel::certificate::read(data), Ok(said));
    }
    let mut answer = data;
    let _read = vial_client::read_response(&mut answer, 4096);
});
