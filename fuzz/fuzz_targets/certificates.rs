//! The table of certificates that a host adds to a report.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let found = vial_snp::certificates::report_key(data);
    assert!(found.is_empty() || data.as_ptr_range().contains(&found.as_ptr()), "of the table");
});
