//! Pages between firmware, kernel and engine, and reports on their way.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(page) = data.first_chunk::<4096>() {
        let _any = vial_abi::LaunchPage::decode(page);
        let _any = vial_abi::Handoff::decode(page);
    }
    let _any = vial_abi::report::ReportResponse::decode(data);
    if let Some(request) = data.first_chunk() {
        let _any = vial_abi::report::ReportRequest::decode(request);
    }
});
