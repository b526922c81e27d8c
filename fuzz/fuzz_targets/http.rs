//! Requests of clients, heads and bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(vial_net::Parsed::Whole(request, taken)) = vial_net::parse(data) {
        assert!(taken <= data.len());
        let _any = vial_net::generation(&request.body, true, "model");
        let _any = vial_net::embedding(&request.body, "model", 64);
    }
});
